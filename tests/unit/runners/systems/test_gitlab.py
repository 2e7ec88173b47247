"""GitLab CI/CD: whose commit, whose job."""

from __future__ import annotations

import pytest

from chainloop_ci.runners.registry import resolve_variables
from chainloop_ci.runners.systems.gitlab import GITLAB_PIPELINE
from chainloop_ci.runners.types import CiIdentity, HostFacts

COMMIT, SOURCE = "a" * 40, "b" * 40
ENV = {
    "GITLAB_CI": "true",
    "CI_COMMIT_REF_NAME": "main",
    "CI_COMMIT_SHA": COMMIT,
    "CI_JOB_ID": "91",
    "CI_JOB_URL": "https://gitlab.test/acme/api/-/jobs/91",
    "CI_PIPELINE_ID": "12",
    "CI_PIPELINE_SOURCE": "push",
    "CI_PIPELINE_URL": "https://gitlab.test/acme/api/-/pipelines/12",
    "CI_PROJECT_PATH": "acme/api",
    "CI_PROJECT_URL": "https://gitlab.test/acme/api",
    "CI_RUNNER_DESCRIPTION": "runner-1",
    "CI_SERVER_URL": "https://gitlab.test",
}


def test_the_identity_of_a_branch_pipeline():
    assert GITLAB_PIPELINE.ci(HostFacts(ENV)) == CiIdentity(
        provider="gitlab",
        server_url="https://gitlab.test",
        repository="acme/api",
        run_id="12",
        run_attempt=None,
        job="91",
        runner_name="runner-1",
        event="push",
        ref="main",
        head_sha=COMMIT,
    )


def test_r31_the_commit_of_a_merged_results_pipeline_is_the_source_branchs_head():
    env = {**ENV, "CI_MERGE_REQUEST_IID": "17", "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": SOURCE}

    found = GITLAB_PIPELINE.ci(HostFacts(env))

    assert (found.head_sha, found.pull_request) == (SOURCE, "17")


def test_the_commit_of_a_detached_merge_request_pipeline_is_its_own():
    env = {**ENV, "CI_MERGE_REQUEST_IID": "17", "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": ""}

    assert GITLAB_PIPELINE.ci(HostFacts(env)).head_sha == COMMIT


@pytest.mark.parametrize("kind", ["merged_result", "merge_train"])
def test_r31_without_the_source_branchs_head_a_merge_commit_is_not_taken_for_it(kind):
    env = {**ENV, "CI_MERGE_REQUEST_IID": "17", "CI_MERGE_REQUEST_EVENT_TYPE": kind}

    assert GITLAB_PIPELINE.ci(HostFacts(env)).head_sha is None


def test_a_build_of_a_tag():
    found = GITLAB_PIPELINE.ci(HostFacts({**ENV, "CI_COMMIT_REF_NAME": "v1.0.0", "CI_COMMIT_TAG": "v1.0.0"}))

    assert (found.ref, found.head_sha) == ("v1.0.0", COMMIT)


def test_a_leg_of_a_parallel_job_is_told_apart():
    assert GITLAB_PIPELINE.ci(HostFacts({**ENV, "CI_NODE_INDEX": "2", "CI_NODE_TOTAL": "4"})).job_index == "2"


def test_the_leg_that_was_typed_counts_before_the_variable():
    facts = HostFacts({**ENV, "CI_NODE_INDEX": "2"}, job_index="windows")

    assert GITLAB_PIPELINE.ci(facts).job_index == "windows"


def test_a_retried_job_is_another_job():
    first, again = (GITLAB_PIPELINE.ci(HostFacts({**ENV, "CI_JOB_ID": job})) for job in ("91", "92"))

    assert first.job_key != again.job_key


def test_the_run_url_is_that_of_the_job():
    assert GITLAB_PIPELINE.run_url(HostFacts(ENV)) == ENV["CI_JOB_URL"]


def test_a_pipeline_without_a_users_mail_has_all_that_is_required():
    found, _ = resolve_variables(GITLAB_PIPELINE, HostFacts(ENV), ())

    assert "GITLAB_USER_EMAIL" not in found
    assert found["CI_PROJECT_PATH"] == "acme/api"


@pytest.mark.parametrize("value", ["false", "", "1"])
def test_only_gitlab_itself_says_true(value):
    assert not GITLAB_PIPELINE.detect(HostFacts({**ENV, "GITLAB_CI": value}))
