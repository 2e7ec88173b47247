"""The dispatcher's sweeps over a real database and real files (R8, R15)."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, select, text

from server.cas.registry import open_back_ends
from server.dispatch_wiring import build_dispatcher
from server.dispatcher.dispatcher import make_dispatcher
from server.dispatcher.sweeps import Cleaners
from server.model.sweeps import SweepName
from server.services.orphans import remove_orphans
from server.services.run_expiry import RunExpiry
from server.services.upload_sweep import UploadSweep
from server.store import artifacts, checks, counter_checks, tables
from server.wiring import Services, World
from tests.integration.server.between import BetweenReadAndWrite
from tests.integration.server.conftest import Clock, Tenant
from tests.integration.server.jobs import BINARY, JUNIT, SBOM, Job, digest
from tests.integration.server.sweeping import OCTETS, another, blob, counted, kept, last, used_bytes

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


@pytest.mark.engine("sqlite")
def test_a_sweep_with_nothing_to_do_does_not_wait_for_writers(services: Services, cleaners: Cleaners) -> None:
    uploads = UploadSweep(services.database, services.world.now, back_ends=cleaners.back_ends)
    before = services.world.now()
    locked = sqlite3.connect(services.config.database_path, isolation_level=None)
    locked.execute("BEGIN IMMEDIATE")

    @event.listens_for(services.database.engine, "begin", insert=True)
    def be_impatient(connection: Connection) -> None:
        connection.exec_driver_sql("PRAGMA busy_timeout=1")

    found = (
        RunExpiry(services.database, services.world.now, services.world.new_id).expire_some(),
        uploads.sweep_some(before).seen,
    )
    locked.close()

    assert found == (0, 0)


# --- expired runs ---------------------------------------------------------------------------------------------------


def test_r15_overdue_runs_are_ended_in_batches_and_counted_as_every_other_end(
    services: Services, job: Job, clock: Clock
) -> None:
    for _ in range(5):
        another(job).begin()
        clock.advance(minutes=1)
    clock.advance(hours=6)
    expiry = RunExpiry(services.database, clock, services.world.new_id, batch=2)

    ended = [expiry.expire_some() for _ in range(4)]

    with services.database.read() as connection:
        durations = connection.execute(select(tables.run_durations.c.state, tables.run_durations.c.runs)).all()
        differences = list(counter_checks.check_counters(connection))
    assert ended == [2, 2, 1, 0]
    assert sum(row.runs for row in durations if row.state == "expired") == 5
    assert counted(services, "runs_expired") == [5]
    assert differences == []


def test_r15_a_run_that_is_prolonged_while_it_is_looked_for_stays_open(
    services: Services, job: Job, clock: Clock
) -> None:
    job.begin()
    clock.advance(hours=6)

    def prolong() -> None:
        with services.database.write() as connection:
            connection.execute(text("UPDATE workflow_runs SET expires_at = '2027-01-01T00:00:00.000000Z'"))

    between = BetweenReadAndWrite(services.database.engine, prolong)

    assert RunExpiry(between, clock, services.world.new_id).expire_some() == 0
    assert job.api.get(job.path).json["run"]["state"] == "initialized"


@pytest.mark.engine("sqlite")
def test_overdue_runs_are_found_by_the_index_of_open_runs(services: Services, job: Job, clock: Clock) -> None:
    plans = []

    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "expires_at" in statement and statement.startswith("SELECT"):
            own = connection.connection.cursor()
            plans.extend(row[3] for row in own.execute(f"EXPLAIN QUERY PLAN {statement}", parameters))

    event.listen(services.database.engine, "before_cursor_execute", explain)
    RunExpiry(services.database, clock, services.world.new_id).expire_some()

    assert any("USING INDEX ix_runs_open" in step for step in plans)
    assert not any("SCAN workflow_runs" in step for step in plans if "INDEX" not in step)


# --- unreferenced uploads -------------------------------------------------------------------------------------------


def test_r8_an_upload_that_no_attestation_refers_to_goes_after_its_grace_and_frees_its_quota(
    services: Services, operator: Any, acme: Tenant, clock: Clock, sweep: Any
) -> None:
    operator.post("/artifacts", data=b"nobody needs it", headers=OCTETS)
    clock.advance(hours=23)
    sweep()
    within = kept(services)
    clock.advance(hours=2)

    sweep()

    assert within == {digest(b"nobody needs it")}
    assert (kept(services), used_bytes(services, acme)) == (set(), 0)
    assert not blob(services, b"nobody needs it").exists()
    assert counted(services, "uploads_removed", "upload_bytes_removed") == [1, 15]
    assert last(services, SweepName.UPLOADS).detail == {"uploads": 1, "bytes": 15}
    assert operator.get(f"/artifacts/{digest(b'nobody needs it')}").status_code == 404


def test_r8_what_an_attestation_refers_to_stays_for_good_and_is_not_looked_at_again(
    services: Services, job: Job, clock: Clock, sweep: Any, cleaners: Cleaners
) -> None:
    job.begin()
    job.add_everything()
    job.upload(b"an earlier try", "a")
    job.push()
    clock.advance(days=400)

    sweep()

    with services.database.read() as connection:
        seen_again = artifacts.list_candidates(connection, before=clock(), after=None, limit=10)
    assert kept(services) == {digest(BINARY), digest(SBOM), digest(JUNIT)}
    assert seen_again == []


def test_r8_an_upload_of_an_open_run_stays_however_old_it_is(
    services: Services, job: Job, api: Any, acme: Tenant, clock: Clock, sweep: Any
) -> None:
    api(acme.token("operate")).patch(f"/workflows/{acme.workflows['app/build']}", json={"runExpirySeconds": 2592000})
    job.begin()
    job.add_everything()
    clock.advance(days=29)
    sweep()
    while_open = kept(services)

    pushed = job.push()

    assert digest(BINARY) in while_open
    assert pushed.status_code == 201, pushed.text


def test_r8_the_grace_of_a_run_that_ended_begins_with_its_end(
    services: Services, job: Job, clock: Clock, sweep: Any
) -> None:
    job.begin()
    job.upload(b"of a run that expires", "a")
    clock.advance(hours=6 + 23)
    sweep()
    for_a_successor = kept(services)
    clock.advance(hours=2)

    sweep()

    assert (for_a_successor, kept(services)) == ({digest(b"of a run that expires")}, set())


def test_r8_a_reference_of_an_open_run_keeps_what_others_uploaded(
    services: Services, job: Job, operator: Any, clock: Clock, sweep: Any
) -> None:
    operator.post("/artifacts", data=b"shared", headers=OCTETS)
    clock.advance(hours=25)
    job.begin()
    job.api.post(f"{job.path}/artifacts/{digest(b'shared')}", headers=job.headers)

    sweep()

    assert kept(services) == {digest(b"shared")}


def test_r8_an_upload_that_is_repeated_has_its_grace_anew(
    services: Services, operator: Any, clock: Clock, sweep: Any
) -> None:
    operator.post("/artifacts", data=b"again", headers=OCTETS)
    clock.advance(hours=23)
    operator.post("/artifacts", data=b"again", headers=OCTETS)
    clock.advance(hours=23)

    sweep()

    assert kept(services) == {digest(b"again")}


def test_r8_the_bytes_stay_while_another_organization_has_them(
    services: Services, operator: Any, api: Any, rival: Tenant, clock: Clock, sweep: Any
) -> None:
    operator.post("/artifacts", data=b"both", headers=OCTETS)
    clock.advance(hours=25)
    theirs = api(rival.token("operate"))
    theirs.post("/artifacts", data=b"both", headers=OCTETS)

    sweep()

    assert operator.get(f"/artifacts/{digest(b'both')}").status_code == 404
    assert theirs.get(f"/artifacts/{digest(b'both')}").data == b"both"


def test_r8_an_attestation_of_another_organization_keeps_nothing_but_its_own(
    services: Services, job: Job, api: Any, acme: Tenant, rival: Tenant, clock: Clock, sweep: Any
) -> None:
    job.begin()
    job.add_everything()
    job.push()
    theirs = api(rival.token("operate"))
    theirs.post("/artifacts", data=BINARY, headers=OCTETS)
    clock.advance(hours=25)

    sweep()

    assert theirs.get(f"/artifacts/{digest(BINARY)}").status_code == 404
    assert api(acme.token("operate")).get(f"/artifacts/{digest(BINARY)}").data == BINARY


def test_r8_many_uploads_are_judged_in_batches_and_none_is_left_behind_those_that_wait(
    services: Services, job: Job, operator: Any, clock: Clock, cleaners: Cleaners
) -> None:
    job.begin()
    for number in range(5):
        job.upload(f"waits {number}".encode(), "a")
        operator.post("/artifacts", data=f"goes {number}".encode(), headers=OCTETS)
    clock.advance(hours=1)
    sweep_, before = UploadSweep(services.database, clock, back_ends=cleaners.back_ends, batch=3), clock()

    batches = list(sweep_.batches(before))

    assert sum(len(batch.removed) for batch in batches) == 5
    assert kept(services) == {digest(f"waits {number}".encode()) for number in range(5)}


def test_r8_an_upload_that_comes_between_the_rows_and_the_bytes_keeps_its_bytes(
    services: Services, operator: Any, clock: Clock, cleaners: Cleaners
) -> None:
    operator.post("/artifacts", data=b"just then", headers=OCTETS)
    clock.advance(hours=25)
    writes = iter(range(100))

    def upload() -> None:
        if next(writes) == 1:
            operator.post("/artifacts", data=b"just then", headers=OCTETS)

    between = BetweenReadAndWrite(services.database.engine, upload)
    swept = UploadSweep(between, clock, back_ends=cleaners.back_ends).sweep_some(clock() - GRACE)

    assert len(swept.removed) == 1
    assert operator.get(f"/artifacts/{digest(b'just then')}").data == b"just then"


def test_r8_a_sweep_that_dies_between_the_rows_and_the_bytes_is_finished_by_the_next(
    services: Services, operator: Any, clock: Clock, cleaners: Cleaners, sweep: Any
) -> None:
    operator.post("/artifacts", data=b"half-way", headers=OCTETS)
    clock.advance(hours=25)
    writes = iter(range(100))

    def die() -> None:
        if next(writes) == 1:
            raise KeyboardInterrupt

    dying = UploadSweep(BetweenReadAndWrite(services.database.engine, die), clock, back_ends=cleaners.back_ends)
    with pytest.raises(KeyboardInterrupt):
        dying.sweep_some(clock() - GRACE)
    left = blob(services, b"half-way").exists()
    clock.advance(days=10_000)

    sweep()

    assert (left, blob(services, b"half-way").exists()) == (True, False)


def test_r8_uploads_and_sweeps_at_the_same_time_lose_nothing(
    app: Any, services: Services, job: Job, acme: Tenant, cleaners: Cleaners, clock: Clock
) -> None:
    contents = [f"content {number}".encode() for number in range(4)]
    job.begin()
    done = threading.Event()

    def sweep_all() -> int:
        removed = 0
        sweep_ = UploadSweep(services.database, clock, back_ends=cleaners.back_ends)
        while not done.is_set():
            # Everything that no open run has is old enough.
            removed += len(sweep_.sweep_some(clock() + timedelta(seconds=1)).removed)
        return removed

    def upload(content: bytes) -> list[int]:
        client = app.test_client()
        statuses = []
        for _ in range(15):
            sent = {"Authorization": f"Bearer {acme.token('operate')}", **OCTETS}
            statuses.append(client.post("/api/v1/artifacts", data=content, headers=sent).status_code)
        own = {"Authorization": f"Bearer {acme.token('attest', 'workflow')}", **OCTETS, **job.headers}
        path = f"/api/v1/artifacts/{digest(content)}?run={job.run_id}"
        return [*statuses, client.put(path, data=content, headers=own).status_code]

    with ThreadPoolExecutor(5) as pool:
        removed = pool.submit(sweep_all)
        statuses = [status for answer in pool.map(upload, contents) for status in answer]
        done.set()

    reader = app.test_client()
    headers = {"Authorization": f"Bearer {acme.token('read')}"}
    read = [reader.get(f"/api/v1/artifacts/{digest(content)}", headers=headers).data for content in contents]
    with services.database.read() as connection:
        differences = list(counter_checks.check_counters(connection))
    assert set(statuses) <= {200, 201}
    assert removed.result() > 0
    assert read == contents
    assert differences == []


# --- blobs and temporary files that no row knows --------------------------------------------------------------------


def test_r8_blobs_that_no_row_knows_and_files_of_dead_uploads_go(services: Services, clock: Clock, sweep: Any) -> None:
    orphan = blob(services, b"orphan")
    orphan.parent.mkdir(parents=True)
    orphan.write_bytes(b"orphan")
    unfinished = services.config.blobs_path / "incoming" / "left"
    unfinished.write_bytes(b"half")
    clock.advance(days=10_000)

    sweep()

    assert (orphan.exists(), unfinished.exists()) == (False, False)
    assert last(services, SweepName.BLOBS).detail == {"unfinished": 1, "bytes": 10, "blobs": 1}


def test_r8_a_blob_that_gets_a_row_while_it_is_swept_stays_and_is_not_counted(
    services: Services, operator: Any, cleaners: Cleaners
) -> None:
    orphan = blob(services, b"just then")
    orphan.parent.mkdir(parents=True)
    orphan.write_bytes(b"just then")

    def upload() -> None:
        operator.post("/artifacts", data=b"just then", headers=OCTETS)

    between = BetweenReadAndWrite(services.database.engine, upload)
    later = datetime.now(UTC) + timedelta(hours=1)
    removed = [*remove_orphans(between, cleaners.back_ends, written_before=later, dry_run=False)]

    assert removed == [[]]
    assert operator.get(f"/artifacts/{digest(b'just then')}").data == b"just then"


@pytest.mark.parametrize(
    ("age", "left"),
    [
        (timedelta(minutes=59), {"orphan", "unfinished"}),
        (timedelta(minutes=61), {"orphan"}),
        (GRACE - timedelta(minutes=1), {"orphan"}),
        (GRACE + timedelta(minutes=1), set()),
    ],
)
def test_r8_files_of_dead_uploads_go_after_an_hour_and_blobs_that_no_row_knows_after_the_grace(
    services: Services, clock: Clock, sweep: Any, age: timedelta, left: set[str]
) -> None:
    files = {"orphan": blob(services, b"orphan"), "unfinished": services.config.blobs_path / "incoming" / "left"}
    for path in files.values():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"orphan")
        os.utime(path, (clock().timestamp(), (clock() - age).timestamp()))

    sweep()

    assert {name for name, path in files.items() if path.exists()} == left


def test_the_wired_dispatcher_keeps_what_the_settings_say(
    services: Services, operator: Any, clock: Clock, acme: Tenant
) -> None:
    config = replace(services.config, upload_grace=timedelta(days=7))
    operator.post("/artifacts", data=b"a week", headers=OCTETS)
    clock.advance(days=6)
    dispatcher = build_dispatcher(config, World(now=clock), services.database, services.transport, holder="test")

    dispatcher.run(only_due=False)
    within = kept(services)
    clock.advance(days=2)
    dispatcher.run(only_due=False)

    assert (within, kept(services)) == ({digest(b"a week")}, set())


def test_doctor_finds_nothing_after_everything_was_swept(
    services: Services, job: Job, operator: Any, clock: Clock, sweep: Any
) -> None:
    operator.post("/artifacts", data=b"gone", headers=OCTETS)
    for number in range(3):
        one = another(job)
        one.begin()
        one.upload(f"of run {number}".encode(), "a")
    clock.advance(days=2)
    sweep()

    with services.database.read() as connection:
        found = [*checks.illegal_runs(connection), *counter_checks.check_counters(connection)]

    assert found == []
