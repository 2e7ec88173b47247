"""R39 against the whole server: what operators decide, where it counts, and that nothing stored changes."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from server.services.overrides import end_lapsed
from server.store import overrides
from server.store.times import to_text
from server.wiring import Services
from tests.integration.server.conftest import EPOCH, Clock, Tenant
from tests.integration.server.jobs import COMMIT, Job

TOMORROW = to_text(EPOCH + timedelta(days=1))


@pytest.fixture
def decide(api: Any, acme: Tenant) -> Callable[..., Any]:
    """Return what sends a decision about `app/build` as an operator."""

    def decide(kind: str, *, role: str = "operate", scope: str = "organization", **fields: Any) -> Any:
        about = {} if kind == "distrust" else {"workflowId": acme.workflows["app/build"]}
        body = {"kind": kind, "reason": "the build host was broken into", **about, **fields}
        return api(acme.token(role, scope)).post("/overrides", json=body)

    return decide


@pytest.fixture
def end(api: Any, acme: Tenant) -> Callable[..., Any]:
    def end(decided: Any, reason: str = "it is mended") -> Any:
        return api(acme.token("operate")).post(f"/overrides/{decided.json['id']}/end", json={"reason": reason})

    return end


@pytest.fixture
def attested(job: Job) -> Job:
    job.begin()
    job.add_everything()
    assert job.push().status_code == 201
    return job


def another(job: Job) -> Job:
    return replace(job, run_id=str(uuid.uuid4()), materials={})


def listed(api: Any, tenant: Tenant, query: str = "") -> list[Any]:
    items: list[Any] = api(tenant.token("read")).get(f"/overrides{query}").json["items"]
    return items


# --- block -----------------------------------------------------------------------------------------------------------


def test_r39_nothing_of_a_blocked_workflow_is_begun_and_the_job_is_told_why(
    job: Job, decide: Any, end: Any, acme: Tenant
) -> None:
    blocked = decide("block")

    asked, begun = job.api.get("/crafting-context"), job.begin()
    end(blocked)
    begun_after = job.begin()

    assert blocked.status_code == 201
    for answer in (asked, begun):
        assert (answer.status_code, answer.json["code"]) == (409, "workflow-blocked")
        assert answer.json["detail"] == (
            "workflow app/build is blocked since 2026-11-20T12:00:00Z: the build host was broken into"
        )
        assert "`chainloop workflow unblock --name build --project app --reason TEXT`" in answer.json["hint"]
    assert begun_after.status_code == 201


def test_r39_a_block_is_no_other_workflows(job: Job, api: Any, acme: Tenant, decide: Any) -> None:
    decide("block")

    assert api(acme.token("attest")).get("/crafting-context?workflow=deploy&project=app").status_code == 200


def test_r39_a_blocked_workflows_late_run_and_successor_are_not_begun_either(job: Job, decide: Any) -> None:
    shared = another(job)
    shared.begin(stateLocation="shared")
    shared.end()
    decide("block")

    late, successor = another(job).begin(late=True), shared.succeed(2)

    assert (late.json["code"], successor.json["code"]) == ("workflow-blocked", "workflow-blocked")


def test_r39_a_block_ends_by_itself_at_its_end(job: Job, decide: Any, clock: Clock) -> None:
    decide("block", until=TOMORROW)

    before = job.begin()
    clock.advance(days=1)
    after = job.begin()

    assert (before.status_code, after.status_code) == (409, 201)
    assert "until 2026-11-21T12:00:00Z" in before.json["detail"]


def test_r39_the_same_request_of_a_run_that_was_begun_before_gets_its_answer(job: Job, decide: Any) -> None:
    job.begin()
    decide("block")

    assert job.begin().status_code == 200


# --- distrust --------------------------------------------------------------------------------------------------------


def test_r39_a_distrusted_run_counts_as_success_nowhere_and_keeps_every_stored_byte(
    attested: Job, api: Any, acme: Tenant, decide: Any, services: Services
) -> None:
    reader = api(acme.token("read"))
    stored = "SELECT bundle, verification, key_id, verified, stored_at FROM attestations"
    with services.database.read() as connection:
        before = connection.execute(text(stored)).all()

    decide("distrust", runId=attested.run_id)

    metrics = attested.api._client.get("/metrics", headers={"Authorization": f"Bearer {acme.token('read')}"}).text
    workflow = reader.get(f"/workflows/{acme.workflows['app/build']}").json
    shown = attested.api.get(attested.path).json
    with services.database.read() as connection:
        after = connection.execute(text(stored)).all()
    assert [line.split()[-1] for line in metrics.splitlines() if line.startswith("chainloop_workflow_up{")] == ["0.0"]
    assert (workflow["lastRunState"], workflow["lastRunDistrusted"]) == ("success", True)
    assert (shown["run"]["state"], shown["run"]["distrusted"]) == ("success", True)
    assert [(item["kind"], item["reason"]) for item in shown["overrides"]] == [
        ("distrust", "the build host was broken into")
    ]
    assert reader.get("/workflow-runs").json["items"][0]["distrusted"] is True
    assert before == after


def test_r39_a_run_that_is_trusted_again_counts_again(
    attested: Job, api: Any, acme: Tenant, decide: Any, end: Any
) -> None:
    decided = decide("distrust", runId=attested.run_id)

    end(decided)

    shown = attested.api.get(attested.path).json
    assert (shown["run"]["distrusted"], shown["overrides"]) == (False, [])


def test_r39_an_open_run_that_is_distrusted_stays_so_when_it_succeeds(job: Job, decide: Any) -> None:
    job.begin()
    job.add_everything()
    decide("distrust", runId=job.run_id)

    job.push()

    assert job.api.get(job.path).json["run"]["distrusted"] is True


# --- override --------------------------------------------------------------------------------------------------------


def test_r39_what_counts_for_a_commit_is_one_query(
    job: Job, acme: Tenant, decide: Any, clock: Clock, services: Services
) -> None:
    decide("block")
    decide("override", commit=COMMIT, until=TOMORROW)
    decide("override", commit="f" * 40, until=TOMORROW)
    workflows = [acme.workflows["app/build"], acme.workflows["app/deploy"]]

    def kinds(commit: str | None) -> list[str]:
        with services.database.read() as connection:
            found = overrides.in_force(connection, acme.id, workflows, commit, clock())
        return sorted(item.kind.value for item in found)

    before, of_workflow = kinds(COMMIT), kinds(None)
    clock.advance(days=1)

    assert (before, of_workflow, kinds(COMMIT)) == (["block", "override"], ["block"], ["block"])


@pytest.mark.parametrize(
    ("kind", "fields", "paths"),
    [
        ("override", {}, ["/commit", "/until"]),
        ("override", {"commit": COMMIT, "until": to_text(EPOCH)}, ["/until"]),
        ("override", {"commit": COMMIT, "until": to_text(EPOCH + timedelta(days=91))}, ["/until"]),
        ("override", {"commit": COMMIT[:12], "until": TOMORROW}, ["/commit"]),
        ("block", {"commit": COMMIT}, ["/commit"]),
        ("block", {"workflowId": None, "runId": str(uuid.uuid4())}, ["/workflowId", "/runId"]),
        ("distrust", {}, ["/runId"]),
        ("distrust", {"runId": str(uuid.uuid4()), "until": TOMORROW}, ["/until"]),
        ("block", {"reason": "   "}, ["/reason"]),
        ("block", {"reason": ""}, ["/reason"]),
        ("pause", {}, ["/kind"]),
    ],
)
def test_r39_a_decision_has_what_its_kind_needs_and_a_reason(
    job: Job, decide: Any, kind: str, fields: dict[str, Any], paths: list[str]
) -> None:
    fields = {name: value for name, value in fields.items() if value is not None}
    refused = decide(kind, **fields)

    assert refused.status_code == 422
    assert {finding["path"] for finding in refused.json["findings"]} <= set(paths)
    assert refused.json["findings"]


# --- who, when, written down -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["attest", "read"])
def test_r39_only_operators_decide(job: Job, decide: Any, role: str) -> None:
    assert decide("block", role=role).status_code == 403


def test_r39_a_projects_operator_decides_about_its_project_alone(job: Job, decide: Any, acme: Tenant) -> None:
    own = decide("block", scope="project")
    other = decide("block", scope="project", workflowId=acme.workflows["other/build"])

    assert (own.status_code, other.status_code) == (201, 403)


def test_r39_another_organizations_run_and_workflow_are_not_found(
    attested: Job, api: Any, acme: Tenant, rival: Tenant
) -> None:
    stranger = api(rival.token("admin"))
    body = {"kind": "distrust", "reason": "envy", "runId": attested.run_id}

    of_run = stranger.post("/overrides", json=body)
    of_workflow = stranger.post(
        "/overrides", json={"kind": "block", "reason": "envy", "workflowId": acme.workflows["app/build"]}
    )

    assert (of_run.status_code, of_workflow.status_code) == (404, 404)
    assert listed(api, rival) == []


def test_r39_decisions_are_listed_while_in_force_and_audited_for_good(
    attested: Job, api: Any, acme: Tenant, decide: Any, end: Any, clock: Clock
) -> None:
    blocked = decide("block")
    decide("override", commit=COMMIT, until=TOMORROW)
    decide("distrust", runId=attested.run_id)
    all_three = [item["kind"] for item in listed(api, acme)]
    end(blocked, "found and mended")
    clock.advance(days=2)

    in_force, every = listed(api, acme), listed(api, acme, "?ended=true")

    audit = api(acme.token("admin")).get("/audit-records?action=override.ended").json["items"]
    assert sorted(all_three) == ["block", "distrust", "override"]
    assert [item["kind"] for item in in_force] == ["distrust"]
    assert {item["kind"]: item["inForce"] for item in every} == {"block": False, "override": False, "distrust": True}
    assert {item["kind"]: item.get("endedReason") for item in every}["block"] == "found and mended"
    assert {item["kind"]: item.get("endedAt") for item in every}["override"] == "2026-11-21T12:00:00Z"
    assert [(item["subject"], item["detail"]["reason"]) for item in audit] == [(blocked.json["id"], "found and mended")]
    assert len(api(acme.token("admin")).get("/audit-records?action=override.set").json["items"]) == 3


def test_r39_the_same_is_decided_once_until_it_ends(job: Job, decide: Any, end: Any, clock: Clock) -> None:
    first = decide("block", until=TOMORROW)
    again = decide("block")
    clock.advance(days=2)
    anew = decide("block")
    ended_twice = [end(anew).status_code, end(anew).status_code, end(first).status_code]

    assert (first.status_code, again.status_code, anew.status_code) == (201, 409, 201)
    assert "block of workflow app/build is in force since" in again.json["detail"]
    assert ended_twice == [200, 409, 409]


def test_r39_a_decision_whose_time_is_over_is_written_down_as_ended_once(
    job: Job, api: Any, acme: Tenant, decide: Any, clock: Clock, services: Services
) -> None:
    decide("override", commit=COMMIT, until=TOMORROW)

    def sweep() -> list[str]:
        with services.database.write() as connection:
            return [item.kind.value for item in end_lapsed(connection, clock())]

    early = sweep()
    clock.advance(days=1)
    due, again = sweep(), sweep()

    (record,) = api(acme.token("admin")).get("/audit-records?action=override.ended").json["items"]
    assert (early, due, again) == ([], ["override"], [])
    assert (record["tokenId"], record["detail"]["reason"]) == ("server", "its time is over")


def test_r39_a_workflow_that_was_blocked_and_never_ran_can_be_deleted(api: Any, acme: Tenant, decide: Any) -> None:
    decide("block", workflowId=acme.workflows["app/deploy"])

    assert api(acme.token("operate")).delete(f"/workflows/{acme.workflows['app/deploy']}").status_code == 204


def test_r39_the_list_is_paged_within_the_scope(job: Job, api: Any, acme: Tenant, decide: Any) -> None:
    for at in range(3):
        decide("override", commit=f"{at}" * 40, until=TOMORROW)
    decide("block", workflowId=acme.workflows["other/build"])
    reader = api(acme.token("read", "project"))

    first = reader.get("/overrides?limit=2").json
    second = reader.get(f"/overrides?limit=2&cursor={first['nextCursor']}").json

    assert len({item["id"] for item in (*first["items"], *second["items"])}) == 3
    assert "nextCursor" not in second
