"""R38 and R39: what nobody does and yet happens at a moment is told as an event, once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from server.model.events import Event
from server.services.passed_dates import PassedDates
from server.store import events
from server.store.times import to_text
from server.wiring import Services
from tests.integration.server.conftest import EPOCH, Clock, Tenant
from tests.integration.server.jobs import COMMIT, CONTRACT, Job

YAML = {"Content-Type": "application/yaml"}
TOMORROW = to_text(EPOCH + timedelta(days=1))


@pytest.fixture
def told(services: Services, acme: Tenant) -> Callable[[str], list[Event]]:
    """Return what returns the events of a kind, oldest first."""

    def told(kind: str) -> list[Event]:
        with services.database.read() as connection:
            found = events.list_page(connection, acme.id, before=None, limit=200)
        return [event for event in reversed(found) if event.kind.value == kind]

    return told


@pytest.fixture
def sweep(services: Services, clock: Clock) -> Callable[[], int]:
    return PassedDates(services.database, clock, services.world.new_id).notice_some


@pytest.fixture
def apply(job: Job, api: Any, acme: Tenant) -> Callable[..., Any]:
    def apply(raw: bytes, date: str) -> Any:
        return api(acme.token("operate")).put(f"/contracts/app-build?enforceFrom={date}", data=raw, headers=YAML)

    return apply


def test_r38_the_moment_of_enforcement_is_an_event_once(apply: Any, told: Any, sweep: Any, clock: Clock) -> None:
    apply(CONTRACT + b"# stricter\n", TOMORROW)

    early = sweep()
    clock.advance(days=1)
    due, again = sweep(), sweep()

    (event,) = told("contract.enforced")
    assert (early, due, again) == (0, 1, 0)
    assert event.facts == {"name": "app-build", "revision": 3, "enforcedFrom": "2026-11-21T12:00:00Z"}


def test_r38_a_revision_that_was_overtaken_is_never_enforced(apply: Any, told: Any, sweep: Any, clock: Clock) -> None:
    apply(CONTRACT + b"# stricter\n", TOMORROW)
    apply(CONTRACT + b"# stricter still\n", TOMORROW)
    clock.advance(days=2)

    sweep()

    assert [event.facts["revision"] for event in told("contract.enforced")] == [4]


def test_r38_each_date_of_a_contract_is_an_event_when_it_has_passed(
    apply: Any, told: Any, sweep: Any, clock: Clock
) -> None:
    apply(CONTRACT + b"# stricter\n", TOMORROW)
    apply(CONTRACT + b"# stricter still\n", to_text(EPOCH + timedelta(days=3)))
    clock.advance(days=2)
    sweep()
    before = [event.facts["revision"] for event in told("contract.enforced")]
    clock.advance(days=1)

    sweep()

    assert (before, [event.facts["revision"] for event in told("contract.enforced")]) == ([3], [3, 4])


@pytest.mark.parametrize(
    ("dates", "later"), [(["now"] * 4, []), (["now", "now", to_text(EPOCH + timedelta(days=3))], ["other"])]
)
def test_r38_the_dates_of_another_contract_change_nothing(
    apply: Any, api: Any, acme: Tenant, told: Any, sweep: Any, clock: Clock, dates: list[str], later: list[str]
) -> None:
    for number, date in enumerate(dates):
        raw = CONTRACT.replace(b"app-build", b"other") + b"# %d\n" % number
        made = api(acme.token("operate")).put(f"/contracts/other?enforceFrom={date}", data=raw, headers=YAML)
        assert made.status_code in (200, 201), made.text
    apply(CONTRACT + b"# stricter\n", TOMORROW)

    clock.advance(days=2)
    sweep()
    clock.advance(days=2)
    sweep()

    assert [event.facts["name"] for event in told("contract.enforced")] == ["app-build", *later]


def test_r38_an_overtaken_revision_does_not_hold_up_what_comes_after_it(
    services: Services, apply: Any, told: Any, clock: Clock
) -> None:
    apply(CONTRACT + b"# stricter\n", TOMORROW)
    apply(CONTRACT + b"# stricter still\n", to_text(EPOCH + timedelta(days=1, hours=1)))
    clock.advance(days=2)
    sweep = PassedDates(services.database, clock, services.world.new_id, batch=1).notice_some

    assert (sweep(), sweep()) == (0, 1)


def test_r38_a_date_that_is_moved_is_an_event_of_the_revision(apply: Any, told: Any, sweep: Any, clock: Clock) -> None:
    stricter = CONTRACT + b"# stricter\n"
    apply(stricter, TOMORROW)
    apply(stricter, to_text(EPOCH + timedelta(days=3)))
    clock.advance(days=2)
    early = sweep()
    apply(stricter, "now")

    at_once = sweep()

    dates = [event.facts["enforcedFrom"] for event in told("contract.revised") if event.facts["revision"] == 3]
    assert dates == ["2026-11-21T12:00:00Z", "2026-11-23T12:00:00Z", "2026-11-22T12:00:00Z"]
    assert (early, at_once) == (0, 1)


def test_r38_what_is_enforced_at_once_needs_no_sweep(job: Job, sweep: Any) -> None:
    assert sweep() == 0


def test_r39_what_is_decided_and_what_ends_is_an_event_each(
    job: Job, api: Any, acme: Tenant, told: Any, sweep: Any, clock: Clock
) -> None:
    operator = api(acme.token("operate"))
    about = {"workflowId": acme.workflows["app/build"]}
    blocked = operator.post("/overrides", json={"kind": "block", "reason": "burning", **about}).json
    override = {"kind": "override", "reason": "hotfix", "commit": COMMIT, "until": TOMORROW, **about}
    operator.post("/overrides", json=override)
    operator.post(f"/overrides/{blocked['id']}/end", json={"reason": "put out"})
    clock.advance(days=1)

    due, again = sweep(), sweep()

    assert [event.facts["kind"] for event in told("override.set")] == ["block", "override"]
    ended = [(event.facts["kind"], event.facts.get("endedReason")) for event in told("override.ended")]
    assert ended == [("block", "put out"), ("override", None)]
    assert {event.workflow_id for event in told("override.ended")} == {acme.workflows["app/build"]}
    assert (due, again) == (1, 0)


def test_r39_a_decision_after_one_whose_time_is_over_tells_both(
    job: Job, api: Any, acme: Tenant, told: Any, clock: Clock
) -> None:
    operator = api(acme.token("operate"))
    body = {"kind": "block", "reason": "burning", "workflowId": acme.workflows["app/build"]}
    operator.post("/overrides", json={**body, "until": TOMORROW})
    clock.advance(days=2)

    operator.post("/overrides", json=body)

    assert (len(told("override.set")), len(told("override.ended"))) == (2, 1)
