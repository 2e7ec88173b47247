"""The sweeps, one visible tuple: what the dispatcher does again and again (R8, R15)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from server.cas.blobs import Blobs
from server.config import DEFAULT_EVENT_RETENTION
from server.model.sweeps import ABANDONED, SweepName
from server.services.event_retention import forget_events
from server.services.forge_retention import forget_forge_facts
from server.services.inbound_log import InboundLog
from server.services.orphans import remove_orphans, remove_unfinished
from server.services.passed_dates import PassedDates
from server.services.run_expiry import RunExpiry
from server.services.state_sweep import StateSweep
from server.services.upload_sweep import UploadSweep
from server.store.database import Database

Counts = Mapping[str, int]
"""What one step of a sweep did."""


@dataclass(frozen=True, slots=True)
class Cleaners:
    """What the sweeps use."""

    database: Database
    back_ends: Mapping[str, Blobs]
    now: Callable[[], datetime]
    upload_grace: timedelta
    """How long an upload that no attestation refers to is kept, counted from the end of the last run that had it."""
    new_id: Callable[[], str]
    event_retention: timedelta = DEFAULT_EVENT_RETENTION
    """How long events are kept, counted from when they were told."""
    check_registrations: Callable[[], Iterator[Counts]] = lambda: iter(())
    """Asks third parties whether credentials will do."""
    announce: Callable[[], Iterator[Counts]] = lambda: iter(())
    """Tells teams of requirements that wait for their date."""
    redeliver: Callable[[], Iterator[int]] = lambda: iter(())
    """Has forges send again what never came through, in short steps."""
    list_repositories: Callable[[], Iterator[Counts]] = lambda: iter(())
    """Asks forges which repositories there are."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """One kind of sweep. Each name has exactly one entry in `SWEEPS`."""

    name: SweepName
    steps: Callable[[Cleaners], Iterator[Counts]]
    """Does the sweep in short steps; it may end after any of them, and the next sweep goes on."""


def _expire_runs(use: Cleaners) -> Iterator[Counts]:
    expiry = RunExpiry(use.database, use.now, use.new_id)
    while runs := expiry.expire_some():
        yield {"runs": runs}


def _notice_dates(use: Cleaners) -> Iterator[Counts]:
    passed = PassedDates(use.database, use.now, use.new_id)
    while dates := passed.notice_some():
        yield {"dates": dates}


def _remove_uploads(use: Cleaners) -> Iterator[Counts]:
    sweep, before = UploadSweep(use.database, use.now, back_ends=use.back_ends), use.now() - use.upload_grace
    for batch in sweep.batches(before):
        yield {"uploads": len(batch.removed), "bytes": batch.size_bytes}


def _forget_states(use: Cleaners) -> Iterator[Counts]:
    sweep, before = StateSweep(use.database), use.now() - use.upload_grace
    while states := sweep.forget_some(before):
        yield {"states": states}


def _remove_blobs(use: Cleaners) -> Iterator[Counts]:
    now = use.now()
    for upload in remove_unfinished(use.back_ends, written_before=now - ABANDONED, dry_run=False):
        yield {"unfinished": 1, "bytes": upload.size_bytes}
    for group in remove_orphans(use.database, use.back_ends, written_before=now - use.upload_grace, dry_run=False):
        yield {"blobs": len(group), "bytes": sum(blob.size_bytes for blob in group)}


def _forget_webhooks(use: Cleaners) -> Iterator[Counts]:
    log = InboundLog(use.database, use.now)
    while webhooks := log.remove_old():
        yield {"webhooks": webhooks}


def _forget_events(use: Cleaners) -> Iterator[Counts]:
    yield from forget_events(use.database, use.now() - use.event_retention)


def _forget_forge_facts(use: Cleaners) -> Iterator[Counts]:
    yield from forget_forge_facts(use.database, use.now(), use.event_retention)


def _check_registrations(use: Cleaners) -> Iterator[Counts]:
    yield from use.check_registrations()


def _announce(use: Cleaners) -> Iterator[Counts]:
    yield from use.announce()


def _redeliver(use: Cleaners) -> Iterator[Counts]:
    for asked in use.redeliver():
        yield {"sources": asked}


def _list_repositories(use: Cleaners) -> Iterator[Counts]:
    yield from use.list_repositories()


SWEEPS: tuple[Sweep, ...] = (
    Sweep(SweepName.RUNS, _expire_runs),
    Sweep(SweepName.DATES, _notice_dates),
    Sweep(SweepName.NOTICES, _announce),
    Sweep(SweepName.UPLOADS, _remove_uploads),
    Sweep(SweepName.STATES, _forget_states),
    Sweep(SweepName.BLOBS, _remove_blobs),
    Sweep(SweepName.WEBHOOKS, _forget_webhooks),
    Sweep(SweepName.EVENTS, _forget_events),
    Sweep(SweepName.FORGE_FACTS, _forget_forge_facts),
    # Last: third parties may take their time.
    Sweep(SweepName.REGISTRATIONS, _check_registrations),
    Sweep(SweepName.REDELIVERIES, _redeliver),
    Sweep(SweepName.INVENTORIES, _list_repositories),
)
"""In the order in which they are done: what the first ends, the next may take."""
