"""GitHub Actions: whose commit, whose run."""

from __future__ import annotations

import pytest

from chainloop_ci.runners.registry import resolve_variables
from chainloop_ci.runners.systems.github import GITHUB_ACTION
from chainloop_ci.runners.types import CiIdentity, HostFacts, WorkflowFiles

MERGE, HEAD = "a" * 40, "b" * 40
ENV = {
    "CI": "true",
    "GITHUB_ACTOR": "ana",
    "GITHUB_EVENT_NAME": "push",
    "GITHUB_JOB": "build",
    "GITHUB_REF": "refs/heads/main",
    "GITHUB_REPOSITORY": "acme/api",
    "GITHUB_REPOSITORY_OWNER": "acme",
    "GITHUB_RUN_ATTEMPT": "2",
    "GITHUB_RUN_ID": "3411479373",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_SHA": MERGE,
    "RUNNER_ENVIRONMENT": "github-hosted",
    "RUNNER_NAME": "GitHub Actions 5",
    "RUNNER_OS": "Linux",
}
PULL_REQUEST = {"pull_request": {"number": 17, "head": {"sha": HEAD}}}


def test_the_identity_of_a_push():
    assert GITHUB_ACTION.ci(HostFacts(ENV)) == CiIdentity(
        provider="github",
        server_url="https://github.com",
        repository="acme/api",
        run_id="3411479373",
        run_attempt=2,
        job="build",
        job_index=None,
        runner_name="GitHub Actions 5",
        event="push",
        ref="refs/heads/main",
        head_sha=MERGE,
        pull_request=None,
    )


@pytest.mark.parametrize(
    "event", ["pull_request", "pull_request_target", "pull_request_review", "pull_request_review_comment"]
)
def test_r31_the_commit_of_a_pull_request_is_its_head(event):
    facts = HostFacts({**ENV, "GITHUB_EVENT_NAME": event, "GITHUB_REF": "refs/pull/17/merge"}, event=PULL_REQUEST)

    found = GITHUB_ACTION.ci(facts)

    assert (found.head_sha, found.pull_request) == (HEAD, "17")


@pytest.mark.parametrize("document", [{}, {"pull_request": "x"}, {"pull_request": {"head": {"sha": 5}}}])
def test_r31_without_a_usable_event_document_the_head_is_unknown_and_never_the_merge_commit(document):
    env = {**ENV, "GITHUB_EVENT_NAME": "pull_request", "GITHUB_REF": "refs/pull/17/merge"}

    found = GITHUB_ACTION.ci(HostFacts(env, event=document))

    assert (found.head_sha, found.pull_request) == (None, "17")


def test_r31_a_merge_queues_commit_is_a_head_of_its_own():
    env = {**ENV, "GITHUB_EVENT_NAME": "merge_group", "GITHUB_REF": f"refs/heads/gh-readonly-queue/main/pr-17-{HEAD}"}

    found = GITHUB_ACTION.ci(HostFacts(env, event={"merge_group": {"head_sha": MERGE}}))

    assert (found.event, found.head_sha, found.pull_request) == ("merge_group", MERGE, None)


def test_a_build_of_a_tag():
    found = GITHUB_ACTION.ci(HostFacts({**ENV, "GITHUB_REF": "refs/tags/v1.0.0"}))

    assert (found.ref, found.head_sha) == ("refs/tags/v1.0.0", MERGE)


def test_a_re_run_is_the_same_run_and_job_with_the_next_attempt():
    first, again = (GITHUB_ACTION.ci(HostFacts({**ENV, "GITHUB_RUN_ATTEMPT": attempt})) for attempt in ("1", "2"))

    assert (first.run_id, first.job) == (again.run_id, again.job)
    assert (first.run_attempt, again.run_attempt) == (1, 2)
    assert first.job_key != again.job_key


def test_the_event_document_of_a_push_is_not_asked_for_a_pull_request():
    found = GITHUB_ACTION.ci(HostFacts(ENV, event=PULL_REQUEST))

    assert (found.head_sha, found.pull_request) == (MERGE, None)


@pytest.mark.parametrize("attempt", ["", "x", "-1", "²", "1" * 30])
def test_an_attempt_that_is_no_number_is_unknown(attempt):
    assert GITHUB_ACTION.ci(HostFacts({**ENV, "GITHUB_RUN_ATTEMPT": attempt})).run_attempt is None


def test_the_run_url_is_that_of_the_enterprise_server():
    url = GITHUB_ACTION.run_url(HostFacts({**ENV, "GITHUB_SERVER_URL": "https://ghes.test/"}))

    assert url == "https://ghes.test/acme/api/actions/runs/3411479373"


def test_the_run_url_without_a_server_is_on_the_public_one():
    env = {name: value for name, value in ENV.items() if name != "GITHUB_SERVER_URL"}

    assert GITHUB_ACTION.run_url(HostFacts(env)) == "https://github.com/acme/api/actions/runs/3411479373"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        (
            {"GITHUB_SERVER_URL": "https://ghes.test", "GITHUB_API_URL": "https://other.test/api/v3"},
            "https://ghes.test",
        ),
        ({"GITHUB_SERVER_URL": "", "GITHUB_API_URL": "https://ghes.test/api/v3"}, "https://ghes.test"),
        ({"GITHUB_SERVER_URL": "", "GITHUB_API_URL": "https://api.acme.ghe.com"}, "https://acme.ghe.com"),
        ({"GITHUB_SERVER_URL": "", "GITHUB_API_URL": "https://api.github.com/"}, "https://github.com"),
        ({"GITHUB_SERVER_URL": "", "GITHUB_API_URL": ""}, "https://github.com"),
        ({"GITHUB_SERVER_URL": "nonsense", "GITHUB_API_URL": "nonsense"}, "https://github.com"),
    ],
)
def test_the_server_is_told_by_its_own_address_or_by_that_of_its_api(variables, expected):
    facts = HostFacts({**ENV, **variables})

    assert GITHUB_ACTION.ci(facts).server_url == expected
    assert str(GITHUB_ACTION.run_url(facts)).startswith(f"{expected}/acme/api/")


@pytest.mark.parametrize("missing", ["GITHUB_REPOSITORY", "GITHUB_RUN_ID"])
def test_there_is_no_run_url_without_repository_or_run(missing):
    assert GITHUB_ACTION.run_url(HostFacts({**ENV, missing: ""})) is None


@pytest.mark.parametrize(
    ("variable", "expected"),
    [("github-hosted", "managed"), ("self-hosted", "self-hosted"), ("", "unknown"), ("other", "unknown")],
)
def test_the_environment_is_what_the_runner_claims(variable, expected):
    assert GITHUB_ACTION.environment(HostFacts({**ENV, "RUNNER_ENVIRONMENT": variable})) == expected


@pytest.mark.parametrize("absent", ["RUNNER_NAME", "GITHUB_REF"])
def test_what_compatible_runners_and_some_events_leave_out_is_not_required(absent):
    env = {name: value for name, value in ENV.items() if name != absent}

    assert absent not in resolve_variables(GITHUB_ACTION, HostFacts(env), ())[0]


CALLER = "acme/api/.github/workflows/ci.yml@refs/heads/main"
CALLED = "acme/shared/.github/workflows/build.yml@refs/tags/v1"


@pytest.mark.parametrize(
    ("caller", "told", "expected"),
    [
        (CALLER, CALLED, WorkflowFiles(".github/workflows/ci.yml", CALLED)),
        (CALLER, CALLER, WorkflowFiles(".github/workflows/ci.yml")),
        (CALLER, None, WorkflowFiles(".github/workflows/ci.yml")),
        (CALLER, "  ", WorkflowFiles(".github/workflows/ci.yml")),
        (CALLER, "two\nlines", WorkflowFiles(".github/workflows/ci.yml")),
        (CALLER, "x" * 2000, WorkflowFiles(".github/workflows/ci.yml")),
        ("acme/other/.github/workflows/all.yml@x", None, WorkflowFiles("acme/other/.github/workflows/all.yml")),
        (None, None, WorkflowFiles()),
    ],
    ids=["called", "the same", "not told", "blank", "lines", "long", "of another repository", "old server"],
)
def test_both_files_of_a_reusable_workflow_are_recorded(caller, told, expected) -> None:
    env = {**ENV, **({"GITHUB_WORKFLOW_REF": caller} if caller else {})}
    facts = HostFacts(env, job_workflow=told)

    assert GITHUB_ACTION.workflow_files(facts) == expected
