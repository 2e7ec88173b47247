"""Deliveries: leases, retries, order within a lane, breakers, dead letters."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from server.dispatcher.couriers import THREADS_PER_TARGET
from server.integrations.types import Message, Target
from server.model.deliveries import (
    BREAK_AFTER,
    GIVE_UP_AFTER,
    LEASE,
    DeliveryFilter,
    DeliveryState,
    Outcome,
    OutcomeKind,
)
from server.model.events import Event, EventKind
from server.model.integrations import RegistrationState
from server.services.delivery_queue import DeliveryQueue
from server.store import deliveries, events, registrations
from server.wiring import Services
from tests.integration.server.conftest import EPOCH, Clock, Tenant
from tests.integration.server.plans import Plans, explain, rows_read
from tests.integration.server.telling import TAKEN, Sink, attach, couriers, integration

DOWN = Outcome(OutcomeKind.RETRY, "503", blames_target=True)


@pytest.fixture
def sink() -> Sink:
    return Sink()


def happen(services: Services, tenant: Tenant, *runs: str, kind: EventKind = EventKind.RUN_INITIALIZED) -> None:
    """Write one event per run."""
    with services.database.write() as connection:
        for run in runs:
            events.add(
                connection,
                Event(services.world.new_id(), tenant.id, kind, services.world.now(), run, run_id=run),
            )


def states(services: Services, tenant: Tenant) -> list[str]:
    with services.database.read() as connection:
        page = deliveries.list_page(connection, tenant.id, DeliveryFilter(), before=None, limit=1000)
    return [item.state.value for item in page[::-1]]


def attempts(services: Services, tenant: Tenant) -> list[list[str]]:
    with services.database.read() as connection:
        page = deliveries.list_page(connection, tenant.id, DeliveryFilter(), before=None, limit=1000)
        return [[item.code for item in deliveries.list_attempts(connection, found)] for found in page[::-1]]


def test_a_failure_is_tried_again_later_and_each_try_is_kept(
    services: Services, acme: Tenant, sink: Sink, clock: Clock
) -> None:
    attach(services, acme)
    happen(services, acme, "r1")
    answers = iter([DOWN, Outcome(OutcomeKind.RETRY, "429", retry_after=timedelta(seconds=30)), TAKEN])
    sink.answer = lambda target, message: next(answers)
    work = couriers(services, integration(sink))

    work.run_until_idle()
    clock.advance(seconds=2)
    work.run_until_idle()
    clock.advance(seconds=29)
    work.run_until_idle()
    assert len(sink.told) == 2
    clock.advance(seconds=3)
    work.run_until_idle()

    assert attempts(services, acme) == [["503", "429", "200"]]
    assert len({message.delivery_id for message in sink.told}) == 1
    assert [message.attempt for message in sink.told] == [1, 2, 3]


def test_what_a_target_says_is_kept_without_what_no_database_takes(
    services: Services, acme: Tenant, sink: Sink
) -> None:
    attach(services, acme)
    happen(services, acme, "run")
    sink.answer = lambda target, message: Outcome(OutcomeKind.REFUSED, "4\x0000", "no \x00 and no \ud800")

    couriers(services, integration(sink)).run_until_idle()

    assert attempts(services, acme) == [["400"]]
    with services.database.read() as connection:
        (found,) = deliveries.list_page(connection, acme.id, DeliveryFilter(), before=None, limit=9)
    assert found.outcome_detail == "no  and no ?"


def test_order_is_kept_within_a_run_and_other_runs_do_not_wait(
    services: Services, acme: Tenant, sink: Sink, clock: Clock
) -> None:
    attach(services, acme)
    happen(services, acme, "r1")
    happen(services, acme, "r1", kind=EventKind.RUN_SUCCEEDED)
    happen(services, acme, "r2")
    failing = [True]
    sink.answer = lambda target, message: DOWN if message.lane == "r1" and failing[0] else TAKEN
    work = couriers(services, integration(sink))

    work.run_until_idle()
    assert Counter(message.lane for message in sink.told)["r2"] == 1
    assert EventKind.RUN_SUCCEEDED.value not in sink.kinds()
    failing.clear()
    failing.append(False)
    clock.advance(seconds=5)
    work.run_until_idle()

    assert [m.event_kind for m in sink.told if m.lane == "r1"][-2:] == ["run.initialized", "run.succeeded"]
    assert states(services, acme) == ["delivered"] * 3


def test_a_dispatcher_that_dies_in_a_try_leaves_it_to_another_when_its_lease_ends(
    services: Services, acme: Tenant, sink: Sink, clock: Clock
) -> None:
    registration = attach(services, acme)
    happen(services, acme, "r1")
    couriers(services, integration(sink))._fan_out.tell_some()
    queue = DeliveryQueue(services.database, clock, services.world.new_id, lambda: 0.5)
    (dead,) = queue.claim(registration.id, "dead", limit=5)

    couriers(services, integration(sink), holder="two").run_until_idle()
    assert sink.told == []
    clock.moment += LEASE + timedelta(seconds=1)
    couriers(services, integration(sink), holder="two").run_until_idle()

    assert len(sink.told) == 1
    assert not queue.finish(dead, DOWN, clock(), timedelta())
    assert states(services, acme) == ["delivered"]


def test_of_two_dispatchers_each_delivery_has_one(services: Services, acme: Tenant, sink: Sink) -> None:
    attach(services, acme)
    happen(services, acme, *(f"r{number}" for number in range(60)))
    work = [couriers(services, integration(sink), holder=holder) for holder in ("one", "two")]

    threads = [threading.Thread(target=item.run_until_idle) for item in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert Counter(message.lane for message in sink.told) == Counter({f"r{number}": 1 for number in range(60)})


def test_a_target_that_is_down_is_left_alone_and_then_asked_once(
    services: Services, acme: Tenant, sink: Sink, clock: Clock
) -> None:
    attach(services, acme)
    happen(services, acme, *(f"r{number}" for number in range(50)))
    sink.answer = lambda target, message: DOWN
    work = couriers(services, integration(sink))

    for _ in range(40):
        work.run_until_idle()
        clock.advance(milliseconds=100)
    tried = len(sink.told)

    # What was on its way when it failed for the first time, then one at a time.
    assert BREAK_AFTER <= tried < BREAK_AFTER + THREADS_PER_TARGET + 3
    sink.answer = lambda target, message: TAKEN
    clock.advance(minutes=30)
    work.run_until_idle()
    assert states(services, acme) == ["delivered"] * 50


def a_queue(services: Services) -> DeliveryQueue:
    return DeliveryQueue(services.database, services.world.now, services.world.new_id, lambda: 0.5)


def test_what_waits_is_not_compared_with_all_else_that_waits(services: Services, acme: Tenant, sink: Sink) -> None:
    """PostgreSQL did, where nobody had counted its rows for it: 2 600 deliveries took two seconds per claim."""
    registration = attach(services, acme)
    lanes = [f"r{number}" for number in range(400)]
    happen(services, acme, *lanes)
    while couriers(services, integration(sink))._fan_out.tell_some():
        pass

    with services.database.write() as connection, Plans(connection) as plans:
        assert deliveries.claim(connection, registration.id, "one", EPOCH, EPOCH, limit=1000)
    statement, values = next(item for item in plans.seen if "lane" in item[0])
    with services.database.write() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET holder = NULL, leased_until = NULL")
        if connection.dialect.name == "postgresql":
            assert rows_read(connection, statement, values) < 20 * len(lanes)
        else:
            assert not [step for step in explain(connection, statement, values) if "CORRELATED" in step]


def test_of_a_target_that_failed_one_delivery_at_a_time_is_taken(services: Services, acme: Tenant, sink: Sink) -> None:
    registration = attach(services, acme)
    happen(services, acme, "r1", "r2", "r3", "r4")
    couriers(services, integration(sink))._fan_out.tell_some()
    queue = a_queue(services)
    (first,) = queue.claim(registration.id, "one", limit=1)
    queue.finish(first, DOWN, services.world.now(), timedelta())

    assert len(queue.claim(registration.id, "one", limit=4)) == 1


def test_failures_of_tries_that_were_begun_together_are_all_counted(
    services: Services, acme: Tenant, sink: Sink
) -> None:
    registration = attach(services, acme)
    happen(services, acme, "r1", "r2", "r3")
    couriers(services, integration(sink))._fan_out.tell_some()
    queue = a_queue(services)

    for claimed in queue.claim(registration.id, "one", limit=3):
        queue.finish(claimed, DOWN, services.world.now(), timedelta())

    with services.database.read() as connection:
        assert registrations.find_breaker(connection, registration.id).failures == 3


@pytest.mark.parametrize("change", [{"state": RegistrationState.PAUSED}, {"removed": True}])
def test_nothing_is_taken_for_a_registration_that_was_paused_or_removed_meanwhile(
    services: Services, acme: Tenant, sink: Sink, change: dict[str, Any]
) -> None:
    registration = attach(services, acme)
    happen(services, acme, "r1")
    couriers(services, integration(sink))._fan_out.tell_some()
    queue = a_queue(services)
    assert [ident for ident, *_ in queue.list_targets()] == [registration.id]

    with services.database.write() as connection:
        state = change.get("state", RegistrationState.ACTIVE)
        removed_at = services.world.now() if "removed" in change else None
        registrations.save(connection, replace(registration, state=state, removed_at=removed_at))

    assert queue.claim(registration.id, "one", limit=4) == []
    assert queue.list_targets() == []


def test_a_target_that_hangs_holds_up_no_other(services: Services, acme: Tenant, sink: Sink) -> None:
    hung = attach(services, acme, "hung")
    attach(services, acme, "other")
    happen(services, acme, *(f"r{number}" for number in range(20)))
    answered, others = threading.Event(), threading.Event()

    def answer(target: Target, message: Message) -> Outcome:
        if target.registration_id == hung.id:
            answered.wait(60)
        elif len(sink.told) >= 19:
            others.set()
        return TAKEN

    sink.answer = answer
    work = couriers(services, integration(sink))
    thread = threading.Thread(target=lambda: work.run(others.is_set))
    thread.start()

    assert others.wait(30), "the other target waits for the one that hangs"
    answered.set()
    thread.join(60)
    assert not thread.is_alive()


def test_a_credential_that_is_not_taken_stops_everything_until_it_is_changed(
    services: Services, acme: Tenant, sink: Sink, clock: Clock
) -> None:
    registration = attach(services, acme)
    happen(services, acme, "r1", "r2", "r3")
    sink.answer = lambda target, message: Outcome(OutcomeKind.UNAUTHORIZED, "401", "Bad credentials")
    work = couriers(services, integration(sink), threads=1)

    for _ in range(5):
        work.run_until_idle()
        clock.advance(hours=1)

    assert len(sink.told) == 1
    with services.database.read() as connection:
        found = registrations.get_any(connection, registration.id)
    assert found.state is RegistrationState.PAUSED
    assert "401" in found.paused_reason


def test_what_nobody_takes_for_three_days_is_dead_and_told_to_the_others(
    services: Services, acme: Tenant, sink: Sink, clock: Clock
) -> None:
    attach(services, acme)
    happen(services, acme, "r1")
    sink.answer = lambda target, message: DOWN
    work = couriers(services, integration(sink))
    work.run_until_idle()

    clock.moment += GIVE_UP_AFTER
    work.run_until_idle()

    assert states(services, acme) == [DeliveryState.DEAD.value]
    with services.database.read() as connection:
        newest = events.list_page(connection, acme.id, before=None, limit=1)[0]
    assert newest.kind is EventKind.DELIVERY_DEAD


def test_a_defect_of_one_integration_ends_no_other_delivery(services: Services, acme: Tenant, sink: Sink) -> None:
    attach(services, acme)
    happen(services, acme, "r1", "r2")

    def answer(target: Target, message: Message) -> Outcome:
        if message.lane == "r1":
            raise KeyError("defect")
        return TAKEN

    sink.answer = answer
    couriers(services, integration(sink)).run_until_idle()

    assert sorted(states(services, acme)) == ["delivered", "pending"]


@pytest.mark.engine("postgresql")
def test_deliveries_are_claimed_while_somebody_writes_and_each_by_one_dispatcher(
    services: Services, acme: Tenant, sink: Sink
) -> None:
    registration = attach(services, acme)
    happen(services, acme, *(f"r{number}" for number in range(20)))
    couriers(services, integration(sink))._fan_out.tell_some()
    queue = DeliveryQueue(services.database, services.world.now, services.world.new_id, lambda: 0.5)
    taken: list[str] = []

    def claim(holder: str) -> None:
        while found := queue.claim(registration.id, holder, limit=3):
            taken.extend(item.delivery.id for item in found)

    with services.database.write():
        dispatchers = [threading.Thread(target=claim, args=(f"d{number}",)) for number in range(4)]
        for dispatcher in dispatchers:
            dispatcher.start()
        for dispatcher in dispatchers:
            dispatcher.join()

    assert len(taken) == len(set(taken)) == 20
