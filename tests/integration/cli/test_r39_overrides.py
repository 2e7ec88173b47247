"""R39 from the command line, against a control plane: who is told what, and with which exit status."""

from __future__ import annotations

import pytest

from tests.integration.live import Answer, CommandLine, Job

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def operator(job: Job) -> CommandLine:
    """Return the command line of an operator."""
    env = {"CHAINLOOP_CONTROL_PLANE_API": job.tenant.url, "CHAINLOOP_TOKEN": job.tenant.token("operate")}
    return CommandLine(job.tenant.folder, env)


def craft(job: Job) -> Answer:
    (job.chainloop.folder / "app").write_bytes(b"a program")
    return job.chainloop("attestation", "craft", "--material", "binary=app", "--material", "version=1.2.3")


def test_r39_init_of_a_blocked_workflow_ends_with_4_and_says_who_may_end_that(job: Job, operator: CommandLine) -> None:
    blocked = operator("workflow", "block", "build", "--project", "hello", "--reason", "the build host was broken into")

    refused = craft(job)
    unblocked = operator("workflow", "unblock", "hello/build", "--reason", "mended")
    crafted = craft(job)

    assert (blocked.status, unblocked.status) == (0, 0)
    assert refused.status == 4
    assert "workflow hello/build is blocked since" in refused.stderr
    assert "the build host was broken into" in refused.stderr
    assert "chainloop workflow unblock --name build --project hello --reason TEXT" in refused.stderr
    assert crafted.status == 0
    assert len(job.runs()) == 1


def test_r39_what_is_decided_is_listed_while_it_is_in_force(job: Job, operator: CommandLine) -> None:
    crafted = craft(job)
    run_id = job.runs()[0]["id"]
    distrusted = operator("workflow", "run", "distrust", "--id", run_id, "--reason", "a stolen key", "-o", "json")
    options = ("--commit", COMMIT, "--until", "14d", "--reason", "hotfix")
    overridden = operator("workflow", "override", "hello/build", *options)

    listed = operator("workflow", "override", "list", "-o", "json").document["items"]
    described = operator("workflow", "run", "describe", "--id", run_id)
    ended = operator("workflow", "override", "end", distrusted.document["id"], "--reason", "it was another key")
    left = operator("workflow", "override", "list").stdout

    assert (crafted.status, distrusted.status, overridden.status, ended.status) == (0, 0, 0, 0)
    assert {item["kind"]: item["reason"] for item in listed} == {"distrust": "a stolen key", "override": "hotfix"}
    assert "success (distrusted)" in described.stdout
    assert "a stolen key" in described.stdout
    assert "hotfix" in left
    assert "a stolen key" not in left


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("workflow", "block", "build"), 2, "--reason"),
        (("workflow", "override", "--name", "build"), 2, "--commit, --until, --reason"),
        (("workflow", "override", "hello/build"), 2, "missing: --commit, --until, --reason"),
        (("workflow", "override", "hello/build", "list"), 2, "stands in front of list"),
        (("workflow", "override", "--name", "build", "list"), 2, "stands in front of list"),
        (("workflow", "unblock", "hello/build", "--reason", "x"), 1, "is not blocked"),
        (("workflow", "override", "end", "--reason", "x"), 2, "say which one"),
        (("workflow", "run", "distrust", "--reason", "x"), 2, "say which run"),
        (
            ("workflow", "override", "--name", "build", "--commit", "abc", "--until", "1d", "--reason", "x"),
            2,
            "the whole hash of a commit",
        ),
        (
            ("workflow", "override", "--name", "build", "--commit", COMMIT, "--until", "2020-01-01", "--reason", "x"),
            1,
            "expected a time that is still to come",
        ),
    ],
)
def test_r39_a_decision_that_lacks_something_is_refused(
    job: Job, operator: CommandLine, words: tuple[str, ...], status: int, said: str
) -> None:
    refused = operator(*words)

    assert (refused.status, said in refused.stderr) == (status, True), refused.stderr
    assert operator("workflow", "override", "list", "-o", "json").document["items"] == []


def test_r39_a_jobs_token_decides_nothing(job: Job) -> None:
    listed = job.chainloop("workflow", "override", "list")

    assert listed.status == 5
