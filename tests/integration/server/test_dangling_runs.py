"""Runs whose CI job ended without a push end by the forge's word, and by nobody else's (R15, R46)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.integration.server.conftest import EPOCH
from tests.integration.server.jobs import CI
from tests.integration.server.webhooks import SHA, handle, make_hook

RUN_ID = str(CI.run_id)
RUNNER = "GitHub Actions 5"
REPOSITORY = {"id": 1, "full_name": str(CI.repository)}
PROJECT = {"id": 1, "path_with_namespace": str(CI.repository)}


def at(seconds: int) -> str:
    return (EPOCH + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def workflow_run(conclusion="failure", status="completed", **more):
    run = {
        "id": int(RUN_ID),
        "run_attempt": CI.run_attempt,
        "head_sha": SHA,
        "event": "push",
        "path": ".github/workflows/ci.yml",
        "status": status,
        "conclusion": conclusion,
        "updated_at": at(60),
        "run_started_at": at(-60),
        "repository": {"id": 1},
        "head_repository": {"id": 1},
    }
    return {"action": status, "workflow_run": {**run, **more}, "repository": REPOSITORY}


def workflow_job(conclusion="failure", status="completed", **more):
    job = {
        "id": 77,
        "run_id": int(RUN_ID),
        "run_attempt": CI.run_attempt,
        "head_sha": SHA,
        "name": "Build everything (3.11)",
        "runner_name": RUNNER,
        "status": status,
        "conclusion": conclusion,
        "started_at": at(-30),
        "completed_at": at(30),
    }
    return {"action": status, "workflow_job": {**job, **more}, "repository": REPOSITORY}


@pytest.fixture
def hook(api, client, clock, acme):
    return make_hook(api, client, clock, acme, f"github:{CI.repository}")


def begin(job, *, state_location="local", **lie):
    """Begin the run of a job on a runner of its own."""
    ci = {**job.ci_of_attempt(CI.run_attempt), "runnerName": RUNNER, **lie}
    answer = job.begin(ci=ci, stateLocation=state_location)
    assert answer.status_code == 201, answer.text


@pytest.fixture
def reader(api, acme):
    def read(run_id):
        found = api(acme.token("read")).get(f"/workflow-runs/{run_id}").json["run"]
        return found["state"], found.get("reason", "")

    return read


@pytest.mark.parametrize(
    ("conclusion", "expected"),
    [
        ("failure", ("error", "the CI run failed before an attestation was pushed")),
        ("timed_out", ("error", "the CI run ran out of time before an attestation was pushed")),
        ("cancelled", ("canceled", "the CI run was cancelled before an attestation was pushed")),
        ("success", ("error", "the CI run ended well, and no attestation was pushed")),
    ],
)
def test_a_run_ends_with_its_ci_run_and_says_how(hook, job, services, reader, conclusion, expected):
    begin(job)

    hook.github("workflow_run", workflow_run(conclusion))
    handle(services)

    assert reader(job.run_id) == expected


def test_a_killed_job_ends_its_run_while_the_ci_run_goes_on(hook, job, services, reader):
    begin(job)

    hook.github("workflow_job", workflow_job("cancelled"))
    handle(services)

    assert reader(job.run_id) == ("canceled", "the CI job was cancelled before an attestation was pushed")


def test_a_job_or_ci_run_that_goes_on_ends_nothing(hook, job, services, reader):
    begin(job)

    hook.github("workflow_run", workflow_run(None, "in_progress"))
    hook.github("workflow_job", workflow_job(None, "in_progress", completed_at=None))
    handle(services)

    assert reader(job.run_id)[0] == "initialized"


def test_the_end_of_a_run_is_told_as_an_event(hook, job, services):
    begin(job)

    hook.github("workflow_run", workflow_run())
    handle(services)

    with services.database.read() as connection:
        found = connection.exec_driver_sql("SELECT kind FROM events WHERE run_id IS NOT NULL ORDER BY sequence")
        kinds = list(found.scalars())
    assert kinds == ["run.initialized", "run.failed"]


def test_a_pushed_run_stays_as_it_is(hook, job, services, reader):
    job.begin()
    job.add_everything()
    assert job.push().status_code in (200, 201)

    hook.github("workflow_run", workflow_run("failure"))
    handle(services)

    assert reader(job.run_id)[0] == "success"


@pytest.mark.parametrize(
    "lie",
    [
        {"runId": "999"},
        {"runAttempt": 999_999},
        {"repository": "acme/other"},
        {"serverUrl": "https://ghe.acme.test"},
        {"provider": "gitlab"},
    ],
    ids=lambda lie: next(iter(lie)),
)
def test_r46_only_a_run_whose_claim_is_of_repository_ci_run_and_attempt_ends(hook, job, services, reader, lie):
    begin(job, **lie)

    hook.github("workflow_run", workflow_run())
    hook.github("workflow_job", workflow_job())
    handle(services)

    assert reader(job.run_id)[0] == "initialized"


@pytest.mark.parametrize(
    "other",
    [
        {"runner_name": "another runner"},
        {"started_at": at(20), "completed_at": at(30)},
        {"started_at": at(-90), "completed_at": at(-20)},
        {"runner_name": None, "name": "another job"},
        {"runner_name": None, "started_at": None},
    ],
    ids=["another runner", "later job of the runner", "earlier job of the runner", "another name", "unknown time"],
)
def test_r46_the_end_of_another_job_ends_nothing(hook, job, services, reader, other):
    begin(job)

    hook.github("workflow_job", workflow_job(**other))
    handle(services)

    assert reader(job.run_id)[0] == "initialized"


def test_r46_a_shared_state_ends_with_the_ci_run_only(hook, job, services, reader):
    begin(job, state_location="shared")

    hook.github("workflow_job", workflow_job())
    handle(services)
    after_job = reader(job.run_id)[0]
    hook.github("workflow_run", workflow_run())
    handle(services)

    assert after_job == "initialized"
    assert reader(job.run_id)[0] == "error"


def gitlab_job(job_id, status, prefix=""):
    job = {"id": job_id, "name": f"job-{job_id}", "status": status, "created_at": at(-40), "started_at": at(-30)}
    ended = {} if status == "running" else {"finished_at": at(30)}
    return {f"{prefix}{name}": value for name, value in {**job, **ended}.items()}


def gitlab_pipeline(*jobs):
    """Return what GitLab tells of a pipeline that goes on: all its jobs."""
    pipeline = {"id": int(RUN_ID), "sha": SHA, "status": "running", "source": "push", "created_at": at(-60)}
    return {"object_kind": "pipeline", "object_attributes": pipeline, "project": PROJECT, "builds": list(jobs)}


def asked(services):
    """Return the runs of which the forge is asked whether their pipeline has ended."""
    query = "SELECT run_id FROM events WHERE kind = 'ci-run.seen' AND run_id IS NOT NULL"
    with services.database.read() as connection:
        return list(connection.exec_driver_sql(query).scalars())


@pytest.mark.parametrize(
    ("state_location", "other", "is_asked"),
    [("shared", None, True), ("shared", "success", True), ("shared", "running", False), ("local", None, False)],
)
def test_r46_gitlab_is_asked_for_the_end_of_a_pipeline_that_a_shared_state_waits_for(
    api, client, clock, acme, job, services, reader, state_location, other, is_asked
):
    hook = make_hook(api, client, clock, acme, f"gitlab:{CI.repository}")
    begin(job, state_location=state_location, provider="gitlab", serverUrl="https://gitlab.com")
    others = [gitlab_job(6, other)] if other else []
    hook.gitlab("Pipeline Hook", gitlab_pipeline(gitlab_job(7, "running"), *others))
    handle(services)

    ended = {
        "object_kind": "build",
        "pipeline_id": int(RUN_ID),
        "project": PROJECT,
        **gitlab_job(7, "canceled", "build_"),
    }
    assert hook.gitlab("Job Hook", ended).status_code == 202
    handle(services)

    assert set(asked(services)) == ({job.run_id} if is_asked else set())
    assert reader(job.run_id)[0] == "initialized"


def test_r46_a_webhook_of_one_organization_ends_no_run_of_another(api, client, clock, rival, job, services, reader):
    other = make_hook(api, client, clock, rival, f"github:{CI.repository}")
    begin(job)

    assert other.github("workflow_run", workflow_run()).status_code == 202
    handle(services)

    assert reader(job.run_id)[0] == "initialized"
