"""What operators are shown of workflows that drifted, and that it is gone when it is mended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chainloop_ci.api.words import DriftKind
from server.model.events import EventKind
from server.model.principal import Reach
from server.services.drift import count_all
from server.store import events
from server.wiring import Services
from tests.integration.server.conftest import EPOCH, Clock, Tenant, bearer
from tests.integration.server.jobs import COMMIT, CONTRACT, Job
from tests.integration.server.judged import Repository

YAML = {"Content-Type": "application/yaml"}


@pytest.fixture
def repository(services: Services, api: Any, acme: Tenant) -> Repository:
    found = Repository(services, api, acme)
    found.register()
    return found


@pytest.fixture
def drift(api: Any, acme: Tenant) -> Callable[..., list[tuple[str, str]]]:
    """Return what lists kind and workflow of everything that drifted."""

    def listed(token: str = "", **query: Any) -> list[tuple[str, str]]:
        answer = api(token or acme.token("read")).get("/drift", query_string=query)
        assert answer.status_code == 200, answer.text
        return [(item["kind"], f"{item['project']}/{item['workflow']}") for item in answer.json["items"]]

    return listed


@pytest.fixture
def first(api: Any, acme: Tenant) -> Callable[[str], Any]:
    """Return what gives the only entry of a kind."""

    def only(kind: str) -> Any:
        [item] = api(acme.token("read")).get("/drift", query_string={"kind": kind}).json["items"]
        return item

    return only


def attest(job: Job) -> Job:
    one = Job(job.api, job.tenant, job.key, contract=job.contract, revision=job.revision)
    assert one.begin().status_code == 201
    one.add_everything()
    answer = one.push()
    assert answer.status_code in (200, 201), answer.text
    return one


def test_a_workflow_without_a_run_was_never_seen(drift: Any, job: Job) -> None:
    assert sorted(drift()) == [("never-seen", name) for name in ("app/build", "app/deploy", "other/build")]

    attest(job)

    assert sorted(drift(kind="never-seen")) == [("never-seen", "app/deploy"), ("never-seen", "other/build")]


def test_a_workflow_fails_since_the_first_run_after_its_last_success(
    drift: Any, first: Any, job: Job, clock: Clock
) -> None:
    attest(job)
    clock.advance(hours=1)
    begun = clock()
    for _ in range(2):
        failing = Job(job.api, job.tenant, job.key)
        failing.begin()
        failing.end("failure")
        clock.advance(hours=1)

    item = first("failing")
    assert (item["workflow"], item["runId"]) == ("build", failing.run_id)
    assert item["since"] == begun.isoformat().replace("+00:00", "Z")
    assert "the last run ended as error" in item["message"]

    attest(job)
    assert drift(kind="failing") == []


def test_a_run_that_nobody_ended_fails_when_its_time_is_over(drift: Any, job: Job, clock: Clock) -> None:
    job.begin()
    before = drift(kind="failing")
    clock.advance(hours=7)

    assert (before, drift(kind="failing")) == ([], [("failing", "app/build")])


def test_r39_a_distrusted_run_is_a_failing_one(api: Any, acme: Tenant, drift: Any, job: Job) -> None:
    run = attest(job)
    body = {"kind": "distrust", "reason": "a stolen key", "runId": run.run_id}
    api(acme.token("operate")).post("/overrides", json=body)

    assert drift(kind="failing") == [("failing", "app/build")]
    assert drift(kind="override") == [("override", "app/build")]


def test_a_workflow_that_stopped_attesting_is_named_when_its_cadence_is_over(
    repository: Repository, drift: Any, first: Any, job: Job, clock: Clock
) -> None:
    repository.register(cadenceSeconds=86400)
    attest(job)
    clock.advance(hours=23)
    in_time = drift(kind="stopped")
    clock.advance(hours=30)

    item = first("stopped")
    assert in_time == []
    assert item["since"] == (EPOCH + timedelta(days=1)).isoformat().replace("+00:00", "Z")
    assert item["message"] == "no attestation for 2 days, one at least every 1 day was expected"

    attest(job)
    assert drift(kind="stopped") == []


def test_a_workflow_that_only_fails_has_stopped_attesting_too(
    repository: Repository, drift: Any, job: Job, clock: Clock
) -> None:
    repository.register(cadenceSeconds=86400)
    clock.advance(hours=25)
    job.begin()
    job.end("failure")

    assert drift(kind="stopped") == [("stopped", "app/build")]


def test_r19_a_workflow_whose_last_attestation_was_held_to_an_older_revision_is_named(
    api: Any, acme: Tenant, drift: Any, first: Any, job: Job, clock: Clock
) -> None:
    attest(job)
    newer = CONTRACT.replace(b"{name: log,", b"{name: licence, type: ARTIFACT, optional: true}\n    - {name: log,")
    clock.advance(hours=1)
    before = drift(kind="old-revision")
    answer = api(acme.token("operate")).put("/contracts/app-build", data=newer, headers=YAML)
    assert answer.status_code == 200, answer.text

    item = first("old-revision")
    assert before == []
    assert item["since"] == clock().isoformat().replace("+00:00", "Z")
    assert "revision 2 of the contract, revision 3 is in force" in item["message"]

    attest(replace(job, contract=newer, revision=3))
    assert drift(kind="old-revision") == []


def test_r38_a_revision_whose_date_is_to_come_makes_none_old(
    api: Any, acme: Tenant, drift: Any, job: Job, clock: Clock
) -> None:
    attest(job)
    newer = CONTRACT.replace(b"{name: log,", b"{name: licence, type: ARTIFACT}\n    - {name: log,")
    route = "/contracts/app-build?enforceFrom=2026-11-25T00:00:00Z"
    answer = api(acme.token("operate")).put(route, data=newer, headers=YAML)
    assert answer.status_code == 200, answer.text

    before = drift(kind="old-revision")
    clock.advance(days=6)

    assert (before, drift(kind="old-revision")) == ([], [("old-revision", "app/build")])


def test_r34_a_missing_attestation_is_in_record_status_drift_and_gate_and_one_that_comes_turns_all_four(
    api: Any, acme: Tenant, services: Services, repository: Repository, drift: Any, first: Any, job: Job, clock: Clock
) -> None:
    """Must show 9 of the issue."""
    ask = api(acme.token("read"))
    question = {"workflows": ["app/build"], "commit": COMMIT}
    repository.see_head()
    repository.settle()
    clock.advance(minutes=31)

    missed = (repository.kind(), repository.contents()[-1]["kind"], drift(kind="unattested"))
    item = first("unattested")
    gate = ask.post("/gate", json=question).json
    repository.see_run()
    attest(job)
    repository.end_run()
    made = (repository.kind(), repository.contents()[-1]["kind"], drift(kind="unattested"))

    assert missed == ("missing", "missing", [("unattested", "app/build")])
    assert (item["commit"], gate["approved"], gate["reasons"][0]["code"]) == (COMMIT, False, "missing")
    assert made == ("success", "success", [])
    assert ask.post("/gate", json=question).json["approved"] is True
    with services.database.read() as connection:
        page = events.list_page(connection, acme.id, before=None, limit=1000)
    [event] = [event for event in page if event.kind is EventKind.ATTESTATION_MISSING]
    assert (event.workflow_id, event.facts["sha"]) == (acme.workflows["app/build"], COMMIT)


def test_r34_a_change_that_was_given_up_waits_for_no_attestation(
    repository: Repository, drift: Any, clock: Clock
) -> None:
    head = {"event": "pull_request", "pull_request": "5", "branch": "feature", "base_branch": "main"}
    repository.see_head(**head)
    repository.settle()
    clock.advance(minutes=31)
    repository.settle()
    before = drift(kind="unattested")
    repository.see_head(**head, is_open=False)
    repository.settle()

    assert (before, drift(kind="unattested")) == ([("unattested", "app/build")], [])


def test_pages_hold_everything_once_in_one_order(api: Any, acme: Tenant, drift: Any, job: Job) -> None:
    job.begin()
    job.end("failure")
    body = {"kind": "block", "reason": "x", "workflowId": acme.workflows["app/build"]}
    api(acme.token("operate")).post("/overrides", json=body)
    whole = drift()

    paged: list[Any] = []
    cursor = None
    while True:
        query = {"limit": 1, **({"cursor": cursor} if cursor else {})}
        answer = api(acme.token("read")).get("/drift", query_string=query).json
        paged += [(item["kind"], f"{item['project']}/{item['workflow']}") for item in answer["items"]]
        cursor = answer.get("nextCursor")
        if cursor is None:
            break

    assert paged == whole
    assert [kind for kind, _ in whole] == ["failing", "never-seen", "never-seen", "override"]


def test_a_token_sees_what_drifted_in_its_scope_and_no_other_organizations(
    api: Any, acme: Tenant, rival: Tenant, drift: Any, job: Job
) -> None:
    attest(job)

    assert drift(acme.token("read", "project")) == [("never-seen", "app/deploy")]
    assert drift(project="other") == [("never-seen", "other/build")]
    assert len(drift(rival.token("read"))) == 3
    assert api(acme.token("read")).get("/drift?project=nowhere").status_code == 404
    assert api(acme.token("read", "project")).get("/drift?project=other").status_code == 403
    assert api(acme.token("attest")).get("/drift").status_code == 403
    assert api(acme.token("read")).get("/drift?kind=odd").status_code == 422


def test_the_gauges_count_what_the_list_has(
    client: Any, services: Services, acme: Tenant, drift: Any, job: Job, clock: Clock
) -> None:
    job.begin()
    job.end("failure")

    shown = client.get("/metrics", headers=bearer(acme.token("read"))).text

    assert 'chainloop_drift{kind="never-seen",org="acme"} 2.0' in shown
    assert 'chainloop_drift{kind="failing",org="acme"} 1.0' in shown
    with services.database.read() as connection:
        counted = count_all(connection, Reach(acme.id), clock(), limit=1)
    assert counted[DriftKind.NEVER_SEEN] == 1, "no more is counted than was asked for"
