"""R15, R18 and R19 against the whole server, with a clock that is moved. R17 needs the command line: see `cli`."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from server.dispatcher.dispatcher import make_dispatcher
from server.dispatcher.sweeps import Cleaners
from server.store import tables
from server.store.times import to_text
from server.wiring import Services
from tests.integration.server.conftest import EPOCH, Clock, Tenant
from tests.integration.server.jobs import CONTRACT, Job, put_contract

OTHER_CONTRACT = CONTRACT + b"# the same, said anew\n"


@pytest.fixture
def sweep(services: Services) -> Callable[[], bool]:
    """Return what the dispatcher does now."""
    cleaners = Cleaners(services.database, {}, services.world.now, timedelta(hours=24), services.world.new_id)
    return lambda: make_dispatcher(cleaners, holder="test").run(only_due=False)


def another(job: Job, **changes: Any) -> Job:
    return replace(job, run_id=str(uuid.uuid4()), materials={}, **changes)


def state(job: Job) -> str:
    return str(job.api.get(job.path).json["run"]["state"])


def change_revision(services: Services, revision: int, **values: Any) -> None:
    column = tables.contract_revisions.c.revision
    with services.database.write() as connection:
        connection.execute(update(tables.contract_revisions).where(column == revision).values(**values))


def minimum(api: Any, tenant: Tenant, revision: int, role: str = "operate") -> Any:
    path = f"/workflows/{tenant.workflows['app/build']}"
    return api(tenant.token(role)).patch(path, json={"minimumRevision": revision})


# --- R15 ------------------------------------------------------------------------------------------------------------


def test_r15_a_run_expires_six_hours_after_its_last_accepted_request(job: Job, clock: Clock, sweep: Any) -> None:
    begun = job.begin()
    clock.advance(hours=5, minutes=59)
    job.upload(b"still at it", "a")
    clock.advance(hours=5, minutes=59)
    sweep()
    open_until = state(job)
    clock.advance(minutes=2)
    before_the_sweep = state(job)
    sweep()

    shown = job.api.get(job.path).json["run"]

    assert begun.json["expiresAt"] == "2026-11-20T18:00:00Z"
    assert (open_until, before_the_sweep, shown["state"]) == ("initialized", "expired", "expired")
    assert (shown["reason"], shown["finishedAt"]) == ("no request was accepted for 6 h", "2026-11-20T23:59:00Z")


@pytest.mark.parametrize(
    ("of_organization", "of_workflow", "expires_at"),
    [(7200, None, "2026-11-20T14:00:00Z"), (7200, 900, "2026-11-20T12:15:00Z")],
)
def test_r15_the_expiry_is_set_per_organization_and_per_workflow(
    job: Job, api: Any, acme: Tenant, of_organization: int, of_workflow: int | None, expires_at: str
) -> None:
    admin = api(acme.token("admin"))
    admin.patch("/organizations/acme", json={"runExpirySeconds": of_organization})
    if of_workflow:
        admin.patch(f"/workflows/{acme.workflows['app/build']}", json={"runExpirySeconds": of_workflow})

    assert job.begin().json["expiresAt"] == expires_at


@pytest.mark.parametrize("is_swept", [False, True])
def test_r15_a_push_to_an_expired_run_is_refused_with_the_command_that_opens_a_successor(
    job: Job, clock: Clock, sweep: Any, is_swept: bool
) -> None:
    job.begin()
    job.add_everything()
    clock.advance(hours=7)
    if is_swept:
        sweep()

    pushed = job.push()

    assert (pushed.status_code, pushed.json["code"]) == (409, "run-ended")
    assert "ended as expired at 2026-11-20T18:00:00Z" in pushed.json["detail"]
    assert "`chainloop attestation init --workflow build --project app --replace`" in pushed.json["hint"]
    assert state(job) == "expired"


def test_r15_a_refused_store_changes_no_state_and_adds_a_row_with_every_finding(job: Job) -> None:
    job.begin()
    job.add_string("version", "1.2.3")

    refused = job.push()

    shown = job.api.get(job.path).json
    missing = {finding["code"] for finding in refused.json["findings"]}
    assert refused.status_code == 422
    assert (shown["run"]["state"], shown["run"]["refusals"]) == ("initialized", 1)
    assert {finding["code"] for finding in shown["refusals"][0]["findings"]} == missing
    assert len(shown["refusals"][0]["findings"]) == len(refused.json["findings"]) > 1


def test_r15_an_end_is_for_good_also_for_the_sweep(job: Job, clock: Clock, sweep: Any) -> None:
    job.begin()
    job.add_everything()
    job.push()
    clock.advance(days=2)

    sweep()

    assert state(job) == "success"


# --- R18 ------------------------------------------------------------------------------------------------------------


def test_r18_the_servers_sequence_orders_runs_not_the_attempt_nor_the_clock(
    job: Job, api: Any, acme: Tenant, clock: Clock
) -> None:
    ids = []
    for attempt in (9, 1, 5):
        one = another(job)
        one.begin(ci={"provider": "github", "runId": "77", "runAttempt": attempt, "job": "build"})
        ids.append(one.run_id)
        # Two machines, two clocks.
        clock.advance(minutes=-10)
    reader = api(acme.token("read"))

    listed = reader.get("/workflow-runs").json["items"]
    filtered = reader.get(f"/workflow-runs?workflow={acme.workflows['app/build']}&state=initialized").json["items"]
    workflow = reader.get(f"/workflows/{acme.workflows['app/build']}").json

    assert [run["id"] for run in listed] == [run["id"] for run in filtered] == ids[::-1]
    assert workflow["lastRunId"] == ids[-1]


def test_r18_a_higher_attempt_that_a_client_claims_takes_no_place(job: Job, api: Any, acme: Tenant) -> None:
    first, last = another(job), another(job)
    first.begin(ci={"provider": "github", "runId": "77", "runAttempt": 99, "job": "build"})
    last.begin(ci={"provider": "github", "runId": "77", "runAttempt": 1, "job": "build"})
    first.add_everything()
    first.push()
    last.api.post(f"{last.path}/cancel", json={"trigger": "failure"}, headers=last.headers)

    metrics = job.api._client.get("/metrics", headers={"Authorization": f"Bearer {acme.token('read')}"}).text
    workflow = api(acme.token("read")).get(f"/workflows/{acme.workflows['app/build']}").json

    assert (workflow["lastRunId"], workflow["lastRunState"]) == (last.run_id, "error")
    assert [line.split()[-1] for line in metrics.splitlines() if line.startswith("chainloop_workflow_up{")] == ["0.0"]


# --- R19 ------------------------------------------------------------------------------------------------------------


def test_r19_a_pin_below_the_enforced_revision_is_refused_at_init_with_both_numbers(
    job: Job, api: Any, acme: Tenant
) -> None:
    put_contract(api, acme, OTHER_CONTRACT)

    asked = job.api.get("/crafting-context?contractRevision=2")
    begun = job.begin()

    for answer in (asked, begun):
        assert (answer.status_code, answer.json["code"]) == (422, "contract-not-met")
        assert "takes revision 3 of contract app-build or newer" in answer.json["detail"]
        assert "found a pin to revision 2" in answer.json["detail"]
        assert "chainloop workflow update --name build --project app --minimum-revision 2" in answer.json["hint"]
    assert [finding["code"] for finding in begun.json["findings"]] == ["revision-too-old"]
    assert job.api.get(job.path).status_code == 404


def test_r19_an_open_run_keeps_its_pin(job: Job, api: Any, acme: Tenant, clock: Clock) -> None:
    job.begin()
    job.add_everything()
    clock.advance(hours=1)
    put_contract(api, acme, OTHER_CONTRACT)
    clock.advance(hours=1)

    pushed = job.push()

    assert (pushed.status_code, pushed.json["state"]) == (201, "success")


def test_r19_a_revision_counts_from_its_date_on(
    job: Job, api: Any, acme: Tenant, clock: Clock, services: Services
) -> None:
    put_contract(api, acme, OTHER_CONTRACT)
    change_revision(services, 3, enforced_from=to_text(EPOCH + timedelta(hours=3)))
    job.add_string("version", "1.2.3")
    before, after = another(job), another(job)

    begun_before = before.begin()
    before.add_everything()
    clock.advance(hours=4)
    begun_after = after.begin()
    pushed = before.push()

    assert (begun_before.status_code, begun_after.status_code) == (201, 422)
    assert "enforced since 2026-11-20T15:00:00Z" in begun_after.json["detail"]
    assert (pushed.status_code, pushed.json["state"]) == (201, "success")


def test_r19_an_operator_may_allow_older_pins_and_take_that_back(
    job: Job, api: Any, acme: Tenant, clock: Clock
) -> None:
    put_contract(api, acme, OTHER_CONTRACT)
    allowed = minimum(api, acme, 2)
    meanwhile, later = another(job), another(job)
    begun = meanwhile.begin()
    meanwhile.add_everything()
    clock.advance(minutes=1)

    taken_back = minimum(api, acme, 0)
    refused = later.begin()
    pushed = meanwhile.push()

    assert (allowed.json["minimumRevision"], "minimumRevision" in taken_back.json) == (2, False)
    assert (begun.status_code, refused.status_code) == (201, 422)
    assert (pushed.status_code, pushed.json["state"]) == (201, "success")


def test_r19_a_higher_minimum_is_for_new_runs_and_for_revisions_that_there_are(
    job: Job, api: Any, acme: Tenant, services: Services
) -> None:
    put_contract(api, acme, OTHER_CONTRACT)
    change_revision(services, 3, enforced_from=to_text(EPOCH + timedelta(days=30)))

    minimum(api, acme, 3)

    assert "set by an operator since" in job.begin().json["detail"]
    assert minimum(api, acme, 4).status_code == 404
    assert minimum(api, acme, 2, "attest").status_code == minimum(api, acme, 2, "read").status_code == 403


def test_r19_another_contract_of_the_workflow_has_revisions_of_its_own(
    job: Job, api: Any, acme: Tenant, clock: Clock
) -> None:
    minimum(api, acme, 2)
    job.begin()
    job.add_everything()
    clock.advance(minutes=1)
    put_contract(api, acme, CONTRACT.replace(b"name: app-build", b"name: other"), "other")

    changed = api(acme.token("operate")).patch(f"/workflows/{acme.workflows['app/build']}", json={"contract": "other"})
    pushed = job.push()

    assert "minimumRevision" not in changed.json
    assert (pushed.status_code, pushed.json["state"]) == (201, "success")


def test_r19_revisions_of_two_contracts_are_never_compared(
    job: Job, api: Any, acme: Tenant, clock: Clock, services: Services
) -> None:
    other = CONTRACT.replace(b"name: app-build", b"name: other")
    for number in range(3):
        put_contract(api, acme, other + b"# %d\n" % number, "other")
    job.begin()
    job.add_everything()
    clock.advance(minutes=1)
    api(acme.token("operate")).patch(f"/workflows/{acme.workflows['app/build']}", json={"contract": "other"})
    clock.advance(minutes=1)
    # As a run comes to be whose init met another server's clock.
    with services.database.write() as connection:
        connection.execute(update(tables.workflow_runs).values(created_at=to_text(clock())))

    pushed = job.push()

    assert (pushed.status_code, pushed.json["state"]) == (201, "success")


def test_r19_a_store_of_a_run_that_was_begun_after_the_enforcement_is_refused_and_written_down(
    job: Job, api: Any, acme: Tenant, clock: Clock, services: Services
) -> None:
    job.begin()
    job.add_everything()
    put_contract(api, acme, OTHER_CONTRACT)
    clock.advance(hours=1)
    # As a run comes to be whose init met another server's clock.
    with services.database.write() as connection:
        connection.execute(update(tables.workflow_runs).values(created_at=to_text(clock())))

    pushed = job.push()

    shown = job.api.get(job.path).json
    assert pushed.status_code == 422
    assert [finding["code"] for finding in pushed.json["findings"]] == ["revision-too-old"]
    assert "revision 3" in pushed.json["detail"]
    assert "pin to revision 2" in pushed.json["detail"]
    assert (shown["run"]["state"], shown["refusals"][0]["code"]) == ("initialized", "revision-too-old")
