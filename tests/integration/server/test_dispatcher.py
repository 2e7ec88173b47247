"""Which dispatcher does which sweep when, and what it does when it cannot."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event

from server.cas.registry import open_back_ends
from server.dispatcher.dispatcher import Dispatcher, make_dispatcher
from server.dispatcher.sweeps import SWEEPS, Cleaners, Sweep
from server.errors import StoreFullError
from server.model.sweeps import INTERVALS, LEASE, SweepName, SweepOutcome
from server.services.sweep_log import SweepLog
from server.wiring import Services
from tests.integration.server.conftest import Clock, Tenant
from tests.integration.server.jobs import Job, digest
from tests.integration.server.sweeping import OCTETS, blob, counted, kept, last

GRACE = timedelta(hours=24)


@pytest.fixture
def cleaners(services: Services) -> Cleaners:
    return Cleaners(
        services.database, open_back_ends(services.config.blobs_path), services.world.now, GRACE, services.world.new_id
    )


@pytest.fixture
def sweep(cleaners: Cleaners) -> Callable[[], bool]:
    """Return what does every sweep now, and tells whether none failed."""
    return lambda: make_dispatcher(cleaners, holder="test").run(only_due=False)


@pytest.fixture
def operator(api: Any, acme: Tenant) -> Any:
    return api(acme.token("operate"))


# --- who does what when ---------------------------------------------------------------------------------------------


def steps_of(*counts: dict[str, int]) -> Callable[[Cleaners], Iterator[dict[str, int]]]:
    return lambda _: iter(counts)


def make(cleaners: Cleaners, holder: str, steps: Any, **options: Any) -> Dispatcher:
    log = SweepLog(cleaners.database, cleaners.now)
    return Dispatcher(cleaners, log, holder=holder, sweeps=(Sweep(SweepName.RUNS, steps),), **options)


def test_a_sweep_is_done_when_its_interval_is_over_by_whichever_dispatcher_comes_first(
    services: Services, cleaners: Cleaners, clock: Clock
) -> None:
    done = []

    def count(holder: str) -> Any:
        return lambda _: iter([done.append(holder) or {"runs": 1}])

    first, second = make(cleaners, "first", count("first")), make(cleaners, "second", count("second"))
    first.run()
    second.run()
    clock.advance(seconds=INTERVALS[SweepName.RUNS].total_seconds())
    second.run()
    first.run()

    assert done == ["first", "second"]
    assert last(services, SweepName.RUNS).outcome is SweepOutcome.DONE


def test_dispatchers_that_begin_at_the_same_moment_do_not_do_the_same_sweep(cleaners: Cleaners) -> None:
    log = SweepLog(cleaners.database, cleaners.now)
    at_once = threading.Barrier(8)

    def claim(holder: int) -> bool:
        at_once.wait()
        return log.claim(SweepName.RUNS, str(holder))

    with ThreadPoolExecutor(8) as pool:
        claimed = list(pool.map(claim, range(8)))

    assert sorted(claimed) == [False] * 7 + [True]


def test_the_sweep_of_a_dispatcher_that_died_is_taken_when_its_lease_is_over(
    services: Services, cleaners: Cleaners, clock: Clock
) -> None:
    log = SweepLog(services.database, clock)
    log.claim(SweepName.RUNS, "dead")
    clock.advance(seconds=LEASE.total_seconds() - 1)
    too_early = log.claim(SweepName.RUNS, "heir", only_due=False)
    clock.advance(seconds=1)

    taken = log.claim(SweepName.RUNS, "heir")
    log.finish(SweepName.RUNS, "dead", SweepOutcome.DONE, {"runs": 99})

    assert (too_early, taken) == (False, True)
    assert (last(services, SweepName.RUNS).holder, last(services, SweepName.RUNS).detail) == ("heir", {})


def test_a_long_sweep_renews_its_lease_and_stops_when_it_has_lost_it(
    services: Services, cleaners: Cleaners, clock: Clock
) -> None:
    taken_steps = []

    def steps(_: Cleaners) -> Iterator[dict[str, int]]:
        for number in range(10):
            taken_steps.append(number)
            clock.advance(seconds=20)
            if number == 4:
                # As if the machine had slept.
                clock.advance(hours=1)
                SweepLog(services.database, clock).claim(SweepName.RUNS, "heir")
            yield {"runs": 1}

    make(cleaners, "sleeper", steps).run()

    assert taken_steps == [0, 1, 2, 3, 4]
    assert last(services, SweepName.RUNS).holder == "heir"


def test_nobody_takes_a_long_sweep_from_a_dispatcher_that_is_at_it(
    services: Services, cleaners: Cleaners, clock: Clock
) -> None:
    rival = SweepLog(services.database, clock)
    taken = []

    def steps(_: Cleaners) -> Iterator[dict[str, int]]:
        for _step in range(12):
            clock.advance(seconds=20)
            taken.append(rival.claim(SweepName.RUNS, "rival", only_due=False))
            yield {"runs": 1}

    make(cleaners, "first", steps).run()

    assert taken == [False] * 12
    assert last(services, SweepName.RUNS).detail == {"runs": 12}


def test_a_dispatcher_that_is_told_to_stop_ends_after_a_step_and_another_goes_on_soon(
    services: Services, cleaners: Cleaners, clock: Clock
) -> None:
    told = threading.Event()

    def steps(_: Cleaners) -> Iterator[dict[str, int]]:
        yield {"runs": 1}
        told.set()
        yield {"runs": 1}
        yield {"runs": 1}

    make(cleaners, "first", steps, is_stopping=told.is_set).run()
    stopped = last(services, SweepName.RUNS)
    clock.advance(minutes=1)
    make(cleaners, "second", steps_of({"runs": 5})).run()

    assert (stopped.outcome, stopped.detail, stopped.holder) == (SweepOutcome.STOPPED, {"runs": 2}, None)
    assert last(services, SweepName.RUNS).detail == {"runs": 5}


def test_a_dispatcher_that_is_told_to_stop_begins_no_other_sweep(services: Services, cleaners: Cleaners) -> None:
    told = threading.Event()
    begun: list[str] = []

    def stop(_: Cleaners) -> Iterator[dict[str, int]]:
        told.set()
        yield {}

    def note(_: Cleaners) -> Iterator[dict[str, int]]:
        begun.append("uploads")
        yield {}

    both = (Sweep(SweepName.RUNS, stop), Sweep(SweepName.UPLOADS, note))
    log = SweepLog(services.database, cleaners.now)
    Dispatcher(cleaners, log, holder="test", sweeps=both, is_stopping=told.is_set).run()

    assert begun == []


def test_writers_get_a_pause_after_every_step(cleaners: Cleaners) -> None:
    done: list[str] = []

    def steps(_: Cleaners) -> Iterator[dict[str, int]]:
        for _step in range(2):
            done.append("step")
            yield {"runs": 1}

    make(cleaners, "test", steps, pause=lambda: done.append("pause")).run()

    assert done == ["step", "pause", "step", "pause"]


@pytest.mark.parametrize(("error", "code"), [(StoreFullError(), "store-full"), (OSError(5, "no such disk"), "OSError")])
def test_a_sweep_that_fails_is_written_down_and_the_others_go_on(
    services: Services, cleaners: Cleaners, clock: Clock, error: Exception, code: str
) -> None:
    def fail(_: Cleaners) -> Iterator[dict[str, int]]:
        yield {"runs": 1}
        raise error

    log = SweepLog(services.database, clock)
    both = (Sweep(SweepName.RUNS, fail), Sweep(SweepName.UPLOADS, steps_of({"uploads": 3})))
    succeeded = Dispatcher(cleaners, log, holder="test", sweeps=both).run()

    failed = last(services, SweepName.RUNS)
    assert succeeded is False
    assert (failed.outcome, failed.detail, failed.succeeded_at) == (SweepOutcome.FAILED, {"error": code}, None)
    assert last(services, SweepName.UPLOADS).detail == {"uploads": 3}


class FullAtTheEnd(SweepLog):
    """A log in which the end of a sweep has no room."""

    def finish(self, name: str, holder: str, outcome: SweepOutcome, detail: Any) -> None:
        raise StoreFullError


def test_a_sweep_whose_end_cannot_be_written_down_has_failed_and_the_others_go_on(
    services: Services, cleaners: Cleaners, clock: Clock
) -> None:
    begun: list[str] = []

    def note(_: Cleaners) -> Iterator[dict[str, int]]:
        begun.append("sweep")
        yield {}

    both = (Sweep(SweepName.RUNS, note), Sweep(SweepName.UPLOADS, note))
    succeeded = Dispatcher(cleaners, FullAtTheEnd(services.database, clock), holder="test", sweeps=both).run()

    assert (succeeded, begun) == (False, ["sweep", "sweep"])


@pytest.mark.engine("sqlite")
def test_a_locked_database_is_waited_out(services: Services, job: Job, clock: Clock, sweep: Any) -> None:
    job.begin()
    clock.advance(hours=7)

    @event.listens_for(services.database.engine, "begin", insert=True)
    def be_impatient(connection: Connection) -> None:
        connection.exec_driver_sql("PRAGMA busy_timeout=1")

    locked = sqlite3.connect(services.config.database_path, isolation_level=None)
    locked.execute("BEGIN IMMEDIATE")
    while_locked = sweep()
    locked.execute("ROLLBACK")
    locked.close()

    assert (while_locked, sweep()) == (False, True)
    assert counted(services, "runs_expired") == [1]


def test_r8_a_full_disk_changes_nothing_and_the_next_sweep_goes_on(
    services: Services, operator: Any, job: Job, clock: Clock, sweep: Any
) -> None:
    operator.post("/artifacts", data=b"old", headers=OCTETS)
    job.begin()
    clock.advance(hours=48)
    engine = services.database.engine

    def full(_: Connection) -> None:
        raise StoreFullError

    event.listen(engine, "commit", full)
    while_full = sweep()
    event.remove(engine, "commit", full)
    untouched = (kept(services), blob(services, b"old").exists())

    assert (while_full, untouched) == (False, ({digest(b"old")}, True))
    assert (sweep(), kept(services), job.api.get(job.path).json["run"]["reason"][:10]) == (True, set(), "no request")


def test_what_is_wrong_with_the_sweeps_is_found(services: Services, cleaners: Cleaners, clock: Clock) -> None:
    log = SweepLog(services.database, clock)
    never = log.findings()
    make_dispatcher(cleaners, holder="test").run()
    at_once = log.findings()
    clock.advance(hours=3)

    late = log.findings()

    assert [finding.message for finding in never] == [f"sweep {name} was never done" for name in INTERVALS]
    assert at_once == ()
    assert [finding.message for finding in late] == [
        "sweep expired-runs was done 3 hours ago, it is due every 1 minute",
        "sweep passed-dates was done 3 hours ago, it is due every 1 minute",
        "sweep unreferenced-uploads was done 3 hours ago, it is due every 15 minutes",
        "sweep ended-states was done 3 hours ago, it is due every 15 minutes",
        "sweep webhook-redeliveries was done 3 hours ago, it is due every 15 minutes",
        "sweep forge-repositories was done 3 hours ago, it is due every 5 minutes",
    ]


def test_every_sweep_has_one_entry_and_an_interval() -> None:
    assert [sweep.name for sweep in SWEEPS] == list(SweepName) == list(INTERVALS)
