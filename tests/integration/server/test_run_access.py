"""Who may see and end which runs: tokens bound to a part, operators, tokens that are revoked (R1, R6, R14)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.server.conftest import Clock, Tenant
from tests.integration.server.jobs import Job


@pytest.fixture
def elsewhere(api: Any, acme: Tenant, job: Job) -> Job:
    """Return a run of the workflow `other/build`, which has the name of `job`'s workflow in another project."""
    revision = api(acme.token("read")).get("/contracts/other-build/revisions/1").json
    other = Job(api(acme.token("attest")), acme, job.key, workflow="other/build", contract=b"", revision=1)
    begun = other.begin(contractDigest=revision["digest"])
    assert begun.status_code == 201, begun.text
    return other


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [run["id"] for run in answer.json["items"]]


@pytest.mark.parametrize("named", ["deploy", "app/deploy"])
def test_r1_a_service_account_lists_no_runs_of_another_workflow(job: Job, acme: Tenant, named: str) -> None:
    wanted = acme.workflows[named] if "/" in named else named

    answer = job.api.get(f"/workflow-runs?workflow={wanted}")

    assert answer.status_code == 403
    assert "bound to workflow app/build" in answer.json["detail"]


def test_r1_a_name_that_two_projects_use_stands_for_the_one_in_scope(
    api: Any, acme: Tenant, job: Job, elsewhere: Job
) -> None:
    job.begin()

    of_project = api(acme.token("read", "project")).get("/workflow-runs?workflow=build")
    of_all = api(acme.token("read")).get("/workflow-runs?workflow=build")

    assert ids(of_project) == [job.run_id]
    assert ids(of_all) == [job.run_id, elsewhere.run_id]


@pytest.mark.parametrize("role", ["operate", "admin"])
def test_r14_an_operator_who_shows_a_wrong_handle_ends_nothing(api: Any, acme: Tenant, job: Job, role: str) -> None:
    job.begin()
    before = job.api.get(job.path).json

    answer = api(acme.token(role)).post(
        f"{job.path}/cancel", json={"trigger": "failure"}, headers={"Chainloop-Run-Handle": "wrong"}
    )

    assert answer.status_code == 403
    assert "wrong" in answer.json["detail"]
    assert job.api.get(job.path).json == before


def test_r6_a_token_with_an_overdue_run_is_revoked_and_the_run_stays_expired(
    api: Any, acme: Tenant, job: Job, clock: Clock
) -> None:
    job.begin()
    admin = api(acme.token("admin"))
    token_id = job.api.get("/whoami").json["tokenId"]

    clock.advance(hours=7)
    answer = admin.post(f"/api-tokens/{token_id}/revoke")

    assert answer.status_code == 200, answer.text
    assert admin.get(job.path).json["run"]["state"] == "expired"
