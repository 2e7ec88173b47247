"""Sweeps: what the dispatcher cleans up, when it is due, and what of an upload it may take (R8, R15)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chainloop_ci.errors import Finding
from server.model.spans import roughly

LEASE = timedelta(seconds=60)
"""A dispatcher that has not been heard of for so long is dead, and another one may take its sweep."""
RETRY = timedelta(seconds=60)
"""A sweep that failed is tried again so soon, or at its own interval when that is shorter."""
LATE_INTERVALS = 3
"""So many intervals without success are worth telling."""
MIN_LATE = timedelta(minutes=15)
FIRST_SWEEPS = timedelta(minutes=1)
"""A server that has just started gets so long for the sweeps that fell due while it was down."""


class SweepName(StrEnum):
    """One word per sweep; each has one entry in the dispatcher."""

    RUNS = "expired-runs"
    DATES = "passed-dates"
    NOTICES = "contract-notices"
    UPLOADS = "unreferenced-uploads"
    STATES = "ended-states"
    BLOBS = "unknown-blobs"
    WEBHOOKS = "old-webhooks"
    EVENTS = "told-events"
    FORGE_FACTS = "old-forge-facts"
    REGISTRATIONS = "registration-checks"
    REDELIVERIES = "webhook-redeliveries"
    INVENTORIES = "forge-repositories"


INTERVALS: Mapping[str, timedelta] = {
    SweepName.RUNS: timedelta(minutes=1),
    SweepName.DATES: timedelta(minutes=1),
    # A new revision is told of at once; this is for workflows that attest for the first time before its date.
    SweepName.NOTICES: timedelta(hours=1),
    SweepName.UPLOADS: timedelta(minutes=15),
    SweepName.STATES: timedelta(minutes=15),
    # It walks the whole store.
    SweepName.BLOBS: timedelta(hours=6),
    SweepName.WEBHOOKS: timedelta(hours=1),
    SweepName.EVENTS: timedelta(hours=1),
    # It looks at everything that is old, what stays too.
    SweepName.FORGE_FACTS: timedelta(hours=24),
    SweepName.REGISTRATIONS: timedelta(hours=24),
    # GitHub keeps them for three days; what was missed is missed for so long at most.
    SweepName.REDELIVERIES: timedelta(minutes=15),
    # Each forge is asked once a day; this is for new registrations, long lists, and those that did not answer.
    SweepName.INVENTORIES: timedelta(minutes=5),
}
"""How often each sweep is done."""
ABANDONED = timedelta(hours=1)
"""Nobody goes on with an upload of which nothing came for so long: the server waits for a client much shorter."""


class SweepOutcome(StrEnum):
    """How a sweep ended."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    """The dispatcher was told to end, or had lost its lease; the next one goes on."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class SweepState:
    """A row of `sweeps`: the last time of one sweep."""

    name: str
    started_at: datetime
    finished_at: datetime | None = None
    outcome: SweepOutcome = SweepOutcome.RUNNING
    detail: Mapping[str, object] = field(default_factory=dict)
    """What it did, in numbers; or the code of its error."""
    succeeded_at: datetime | None = None
    """When it was done without an error the last time."""
    holder: str | None = None
    """The dispatcher that is at it."""
    held_until: datetime | None = None
    """Until when nobody else may be at it; prolonged while it goes on."""

    @property
    def fails_from_the_first(self) -> bool:
        """Tell whether it was never done, and failed: it begins anew each minute, so its age tells nothing."""
        return self.succeeded_at is None and self.outcome is SweepOutcome.FAILED

    def is_free(self, now: datetime) -> bool:
        """Tell whether no living dispatcher is at it."""
        return self.holder is None or self.held_until is None or self.held_until <= now

    def is_due(self, interval: timedelta, now: datetime) -> bool:
        """Tell whether it is time again, and nobody is at it."""
        if not self.is_free(now):
            return False
        if self.outcome is not SweepOutcome.DONE:
            return now >= (self.finished_at or self.started_at) + min(interval, RETRY)
        # A clock that was set back must not put it off for long.
        return not self.started_at <= now < self.started_at + interval

    def started(self, holder: str, now: datetime) -> SweepState:
        """Return it begun by a dispatcher."""
        return replace(
            self,
            started_at=now,
            finished_at=None,
            outcome=SweepOutcome.RUNNING,
            detail={},
            holder=holder,
            held_until=now + LEASE,
        )

    def finished(self, outcome: SweepOutcome, detail: Mapping[str, object], now: datetime) -> SweepState:
        """Return it ended, and free for everybody."""
        return replace(
            self,
            finished_at=now,
            outcome=outcome,
            detail=detail,
            succeeded_at=now if outcome is SweepOutcome.DONE else self.succeeded_at,
            holder=None,
            held_until=None,
        )


def find_late(states: Mapping[str, SweepState], intervals: Mapping[str, timedelta], now: datetime) -> list[Finding]:
    """Return a finding for every sweep that was not done for too long: the dispatcher is not running, or it fails."""
    findings = []
    for name, interval in intervals.items():
        state = states.get(name)
        if state is None:
            findings.append(Finding("sweep-late", f"sweep {name} was never done", hint=_HINT))
        elif state.fails_from_the_first or now - (state.succeeded_at or state.started_at) > _patience(interval):
            findings.append(Finding("sweep-late", _describe_late(state, interval, now), hint=_HINT))
    return findings


def _patience(interval: timedelta) -> timedelta:
    return max(LATE_INTERVALS * interval, MIN_LATE)


def _describe_late(state: SweepState, interval: timedelta, now: datetime) -> str:
    when = f"was done {roughly(now - state.succeeded_at)} ago" if state.succeeded_at else "was never done"
    error = f"; it fails: {state.detail['error']}" if "error" in state.detail else ""
    return f"sweep {state.name} {when}, it is due every {roughly(interval)}{error}"


_HINT = (
    "`python -m server serve` starts the dispatcher; see the server's log, or run `python -m server dispatch --once`"
)


class UploadVerdict(StrEnum):
    """What a sweep does with an upload."""

    REFERENCED = "referenced"
    """An attestation names it: it stays for good."""
    WAITING = "waiting"
    """Somebody may still need it."""
    UNREFERENCED = "unreferenced"
    """Nobody needs it: it goes."""


def judge_upload(
    *, is_referenced: bool, last_uploaded_at: datetime, runs_ended_at: datetime | None, before: datetime
) -> UploadVerdict:
    """Return what becomes of an upload (R8).

    `runs_ended_at` is the latest end of the runs that have it, in the future for an open one; nothing goes that was
    uploaded, or belonged to an open run, at `before` or later.
    """
    if is_referenced:
        return UploadVerdict.REFERENCED
    if last_uploaded_at >= before or (runs_ended_at is not None and runs_ended_at >= before):
        return UploadVerdict.WAITING
    return UploadVerdict.UNREFERENCED
