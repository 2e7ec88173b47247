"""Jenkins: agents that tell little."""

from __future__ import annotations

import pytest

from chainloop_ci.errors import VariablesMissingError
from chainloop_ci.runners.registry import resolve_variables
from chainloop_ci.runners.systems.jenkins import JENKINS_JOB
from chainloop_ci.runners.types import CiIdentity, HostFacts

COMMIT, HEAD = "a" * 40, "b" * 40
ENV = {
    "BUILD_NUMBER": "7",
    "BUILD_URL": "https://jenkins.test/job/api/7/",
    "GIT_BRANCH": "origin/main",
    "GIT_COMMIT": COMMIT,
    "GIT_URL": "https://bot:secret@git.test/acme/api.git",
    "JENKINS_URL": "https://jenkins.test/",
    "JOB_NAME": "api",
    "NODE_NAME": "agent-1",
}


def test_the_identity_of_a_build():
    assert JENKINS_JOB.ci(HostFacts(ENV)) == CiIdentity(
        provider="jenkins",
        server_url="https://jenkins.test",
        repository="https://git.test/acme/api.git",
        run_id="7",
        job="api",
        runner_name="agent-1",
        ref="origin/main",
        head_sha=COMMIT,
    )


def test_an_agent_that_knows_only_job_and_build_is_enough():
    env = {"BUILD_URL": ENV["BUILD_URL"], "JOB_NAME": "api"}

    assert JENKINS_JOB.detect(HostFacts(env))
    found, _ = resolve_variables(JENKINS_JOB, HostFacts(env), ())

    assert found == {"JOB_NAME": "api", "BUILD_URL": ENV["BUILD_URL"]}
    assert JENKINS_JOB.ci(HostFacts(env)).run_id == ENV["BUILD_URL"]


def test_a_job_that_lost_its_name_is_recognised_by_its_controller_and_the_name_asked_for():
    env = {"BUILD_URL": ENV["BUILD_URL"], "JENKINS_URL": ENV["JENKINS_URL"]}

    assert JENKINS_JOB.detect(HostFacts(env))
    with pytest.raises(VariablesMissingError) as caught:
        resolve_variables(JENKINS_JOB, HostFacts(env), ())

    assert [finding.path for finding in caught.value.findings] == ["JOB_NAME"]


def test_a_build_of_a_tag():
    found = JENKINS_JOB.ci(HostFacts({**ENV, "GIT_BRANCH": "v1.0.0", "BRANCH_NAME": "v1.0.0", "TAG_NAME": "v1.0.0"}))

    assert (found.ref, found.head_sha) == ("v1.0.0", COMMIT)


def test_a_build_that_is_started_again_is_a_new_build():
    first, again = (JENKINS_JOB.ci(HostFacts({**ENV, "BUILD_NUMBER": number})) for number in ("7", "8"))

    assert first.job_key != again.job_key


@pytest.mark.parametrize(
    "plugin",
    [
        {"ghprbPullId": "17", "ghprbActualCommit": HEAD},
        {"gitlabMergeRequestIid": "17", "gitlabMergeRequestLastCommit": HEAD},
    ],
    ids=["ghprb", "gitlab"],
)
def test_r31_a_plugin_that_builds_pull_requests_tells_their_head(plugin):
    found = JENKINS_JOB.ci(HostFacts({**ENV, **plugin}))

    assert (found.pull_request, found.head_sha) == ("17", HEAD)


def test_the_number_of_a_change_request_is_its_pull_request():
    found = JENKINS_JOB.ci(HostFacts({**ENV, "CHANGE_ID": "17", "BRANCH_NAME": "PR-17"}))

    assert (found.pull_request, found.head_sha) == ("17", COMMIT)


def test_r31_a_build_that_says_it_is_the_merge_of_a_pull_request_claims_no_head():
    found = JENKINS_JOB.ci(HostFacts({**ENV, "CHANGE_ID": "17", "BRANCH_NAME": "PR-17-merge"}))

    assert found.head_sha is None


def test_the_run_url_is_that_of_the_build():
    assert JENKINS_JOB.run_url(HostFacts(ENV)) == ENV["BUILD_URL"]
