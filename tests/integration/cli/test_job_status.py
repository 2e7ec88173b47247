"""`--job-status`: one step finishes the run, however the job has ended."""

from __future__ import annotations

import pytest

from chainloop_ci.cli.attestation_reset import JOB_STATUSES, JobEnd
from chainloop_ci.signing.generate import generate_key
from tests.integration.live import Job

NAMES = ("--project", "hello", "--workflow", "build")
BOTH = ("--material", "binary=app", "--material", "version=1.2.3")
RUN_STATES = {JobEnd.FAILURE: "error", JobEnd.CANCELLATION: "canceled"}
ENDED = [(word, end) for end in RUN_STATES for word in JOB_STATUSES[end]]


@pytest.fixture
def built(job: Job) -> Job:
    """Return a job that has built something."""
    (job.chainloop.folder / "app").write_bytes(b"the build")
    return job


@pytest.mark.parametrize(("word", "end"), ENDED, ids=[word for word, _ in ENDED])
def test_push_after_a_job_that_did_not_succeed_ends_the_run(job: Job, word: str, end: JobEnd) -> None:
    job.chainloop("attestation", "init", *NAMES)

    pushed = job.chainloop("attestation", "push", env={"CHAINLOOP_JOB_STATUS": word.upper()})

    assert pushed.status == 0, pushed.stderr
    assert [(run["state"], run["reason"]) for run in job.runs()] == [(RUN_STATES[end], f"the job {end}")]
    assert job.chainloop("attestation", "status").status == 1


def test_push_in_the_last_step_of_a_job_ends_a_run_whose_contract_is_not_met(built: Job) -> None:
    built.chainloop("attestation", "init", *NAMES)
    built.chainloop("attestation", "add", "--name", "binary", "--value", "app")

    pushed = built.chainloop("attestation", "push", "--job-status", "success")

    assert pushed.status == 3, pushed.stderr
    assert "the material version (STRING) is required" in pushed.stderr
    assert "run the job again" in pushed.stderr
    assert [run["state"] for run in built.runs()] == ["error"]


@pytest.mark.parametrize("steps", [("craft", *NAMES, *BOTH), ("push",)], ids=["craft", "push"])
def test_a_refused_attestation_ends_the_run_of_a_job_s_last_step(built: Job, steps: tuple[str, ...]) -> None:
    stranger, _ = generate_key()
    if steps == ("push",):
        built.chainloop("attestation", "init", *NAMES)
        built.chainloop("attestation", "add", "--name", "binary", "--value", "app")
        built.chainloop("attestation", "add", "--name", "version", "--value", "1")

    refused = built.chainloop("attestation", *steps, "--job-status", "success", env={"CHAINLOOP_SIGNING_KEY": stranger})

    assert refused.status == 5, refused.stderr
    assert "run the job again" in refused.stderr
    assert [run["state"] for run in built.runs()] == ["error"]


def test_push_that_nobody_calls_the_last_step_leaves_a_run_to_go_on_with(built: Job) -> None:
    built.chainloop("attestation", "init", *NAMES)
    built.chainloop("attestation", "add", "--name", "binary", "--value", "app")

    pushed = built.chainloop("attestation", "push")

    assert pushed.status == 3, pushed.stderr
    assert [run["state"] for run in built.runs()] == ["initialized"]


@pytest.mark.parametrize("word", [*JOB_STATUSES[JobEnd.SUCCESS], ""])
def test_craft_in_a_job_that_goes_well_pushes(built: Job, word: str) -> None:
    crafted = built.chainloop("attestation", "craft", *NAMES, *BOTH, env={"CHAINLOOP_JOB_STATUS": word})

    assert crafted.status == 0, crafted.stderr
    assert [run["state"] for run in built.runs()] == ["success"]


def test_craft_after_a_job_that_failed_leaves_a_run_that_says_so(job: Job) -> None:
    crafted = job.chainloop(
        "attestation", "craft", *NAMES, "--job-status", "failure", env={"CHAINLOOP_SIGNING_KEY": ""}
    )

    assert crafted.status == 0, crafted.stderr
    assert [(run["state"], run["reason"]) for run in job.runs()] == [("error", "the job failed")]


def test_craft_after_a_failed_job_ends_the_run_that_the_job_began(job: Job) -> None:
    job.chainloop("attestation", "init", *NAMES)

    crafted = job.chainloop("attestation", "craft", *NAMES, "--job-status", "cancelled")

    assert crafted.status == 0, crafted.stderr
    assert [run["state"] for run in job.runs()] == ["canceled"]


def test_where_nothing_was_begun_there_is_nothing_to_end(job: Job) -> None:
    pushed = job.chainloop("attestation", "push", "--job-status", "failed")

    assert pushed.status == 0, pushed.stderr
    assert "there is nothing to end" in pushed.stderr
    assert "WRN" not in pushed.stderr


def test_after_a_craft_that_has_ended_its_run_nothing_is_open(job: Job) -> None:
    job.chainloop("attestation", "craft", *NAMES)

    pushed = job.chainloop("attestation", "push", "--job-status", "failed")

    assert "no attestation of it is open" in pushed.stderr
    assert [run["state"] for run in job.runs()] == ["error"]


def test_the_run_of_an_earlier_job_is_not_ended_by_the_failure_of_this_one(job: Job) -> None:
    github = {"GITHUB_REPOSITORY": "acme/app", "GITHUB_ACTOR": "octocat", "GITHUB_REPOSITORY_OWNER": "acme"}
    github |= {"GITHUB_SHA": "a" * 40, "RUNNER_OS": "Linux"}
    job.chainloop("attestation", "init", *NAMES, env={**github, "GITHUB_RUN_ID": "1"})

    pushed = job.chainloop("attestation", "push", "--job-status", "failure", env={**github, "GITHUB_RUN_ID": "2"})

    assert pushed.status == 0, pushed.stderr
    assert "there is nothing to end" in pushed.stderr
    assert [run["state"] for run in job.runs()] == ["initialized"]


def test_a_word_that_no_ci_system_has_is_refused_before_anything_is_done(job: Job) -> None:
    job.chainloop("attestation", "init", *NAMES)

    refused = job.chainloop("attestation", "push", "--job-status", "perhaps")

    assert refused.status == 2
    assert "expected how the job ended, found 'perhaps'" in refused.stderr
    assert [run["state"] for run in job.runs()] == ["initialized"]
