"""Deliveries: when the next try comes, when it is given up, when a target is left alone for a while."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chainloop_ci.api import integrations as api
from chainloop_ci.api.words import DeliveryState as DeliveryState

FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(minutes=15)
LONGEST_WISH = timedelta(hours=1)
"""What a target may ask for with `Retry-After`; it is asked again then, whatever more it wished."""
GIVE_UP_AFTER = timedelta(days=3)
"""A delivery that was not taken for so long is dead: an operator replays it."""
LEASE = timedelta(seconds=60)
"""A dispatcher that has not come back for so long is dead, and another one tries. Longer than any try may take."""
BREAK_AFTER = 10
"""So many failures of a target in a row, and it is left alone for a while."""
FIRST_BREAK = timedelta(seconds=10)
LONGEST_BREAK = timedelta(minutes=10)


class OutcomeKind(StrEnum):
    """How one try ended."""

    DELIVERED = "delivered"
    SKIPPED = "skipped"
    RETRY = "retry"
    """It may work later: no answer, a server error, too many requests."""
    REFUSED = "refused"
    """The same again will be refused again."""
    UNAUTHORIZED = "unauthorized"
    """The credential is not taken: everything for this registration waits until it is changed."""
    GONE = "gone"
    """The target asks not to be told anything any more: everything waits likewise."""


PAUSING = (OutcomeKind.UNAUTHORIZED, OutcomeKind.GONE)
"""They pause the registration."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one try."""

    kind: OutcomeKind
    code: str
    """HTTP status or the code of our error, for people and metrics."""
    detail: str = ""
    """Short and without secrets."""
    retry_after: timedelta | None = None
    """What the target wished."""
    blames_target: bool = False
    """Whether the target as a whole seems to be down, which counts for its breaker."""
    remember: Mapping[str, object] | None = None
    """JSON to be kept for this lane and handed to its next delivery; None: what is kept stays."""
    answer: Mapping[str, object] | None = None
    """What was learned of a question, for the service that asked."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A row of `deliveries`: one thing to be told to one target because of one event."""

    id: str
    """A UUID; the same for every try."""
    organization_id: str
    event_sequence: int
    registration_id: str
    attachment_id: str
    part: str
    """An event may be told in several parts: a status, a comment."""
    lane: str
    """Within a lane the order of events is kept."""
    content: Mapping[str, object]
    """Rendered once; every try sends the same."""
    created_at: datetime
    next_attempt_at: datetime
    state: DeliveryState = DeliveryState.PENDING
    replaces_older: bool = False
    """Whether unsent ones before it in its lane need not be sent any more."""
    attempts: int = 0
    since: datetime | None = None
    """When its patience began; a replay begins it anew. None: when it was created."""
    holder: str | None = None
    leased_until: datetime | None = None
    finished_at: datetime | None = None
    outcome_code: str = ""
    outcome_detail: str = ""
    sequence: int = 0
    event_id: str = ""
    event_kind: str = ""
    event_at: datetime | None = None
    run_id: str | None = None
    """Of the event, as the next two."""
    project_id: str | None = None
    workflow_id: str | None = None
    registration: str = ""
    """Its name."""

    def after(self, outcome: Outcome, now: datetime, jitter: float) -> Delivery:
        """Return it after one try; `jitter` lies between 0 and 1, so that many do not come back at once."""
        tried = replace(
            self,
            attempts=self.attempts + 1,
            holder=None,
            leased_until=None,
            outcome_code=outcome.code,
            outcome_detail=outcome.detail,
        )
        if outcome.kind in (OutcomeKind.DELIVERED, OutcomeKind.SKIPPED):
            return replace(tried, state=DeliveryState(outcome.kind.value), finished_at=now)
        if outcome.kind in PAUSING:
            # Its registration is paused; when that is over this one is due at once.
            return replace(tried, next_attempt_at=now)
        if outcome.kind is OutcomeKind.REFUSED or now - (self.since or self.created_at) >= GIVE_UP_AFTER:
            return replace(tried, state=DeliveryState.DEAD, finished_at=now)
        return replace(tried, next_attempt_at=now + pause_before(tried.attempts, outcome.retry_after, jitter))

    def api(self) -> api.Delivery:
        """Return the wire form, without what it says."""
        is_pending = self.state is DeliveryState.PENDING
        return api.Delivery(
            id=self.id,
            registration=self.registration,
            registration_id=self.registration_id,
            event_id=self.event_id,
            event=self.event_kind,
            part=self.part,
            lane=self.lane,
            state=self.state,
            created_at=self.created_at,
            attempts=self.attempts,
            run_id=self.run_id,
            attachment_id=self.attachment_id,
            next_attempt_at=self.next_attempt_at if is_pending else None,
            finished_at=self.finished_at,
            outcome_code=self.outcome_code,
            outcome_detail=self.outcome_detail,
        )

    def replayed(self, now: datetime) -> Delivery:
        """Return it due at once, with patience anew and the same content."""
        return replace(
            self,
            state=DeliveryState.PENDING,
            since=now,
            next_attempt_at=now,
            finished_at=None,
            holder=None,
            leased_until=None,
        )


@dataclass(frozen=True, slots=True)
class Breaker:
    """How a registration's target has behaved."""

    failures: int = 0
    """In a row, all of them the target's fault."""
    open_until: datetime | None = None

    def after(self, outcome: Outcome, now: datetime) -> Breaker:
        """Return it after one try: an answer of any kind closes it."""
        if not outcome.blames_target:
            return Breaker()
        failures = self.failures + 1
        if failures < BREAK_AFTER:
            return Breaker(failures)
        # One that was open already has let a single try through.
        doublings: int = 2 ** min(failures - BREAK_AFTER, 10)
        return Breaker(failures, now + min(FIRST_BREAK * doublings, LONGEST_BREAK))

    def is_open_at(self, now: datetime) -> bool:
        """Tell whether the target is left alone."""
        return self.open_until is not None and now < self.open_until

    @property
    def is_suspect(self) -> bool:
        """Tell whether one try at a time is enough until the target answers again."""
        return self.failures > 0


def pause_before(attempt: int, wished: timedelta | None, jitter: float) -> timedelta:
    """Return how long to wait after `attempt` tries: doubling, from half to the whole of it, or what was wished."""
    doublings: int = 2 ** min(attempt - 1, 20)
    usual = min(FIRST_PAUSE * doublings, LONGEST_PAUSE) * (0.5 + jitter / 2)
    if wished is None:
        return usual
    # Not sooner than asked, and not all at the same moment either.
    return min(max(wished, timedelta()), LONGEST_WISH) + FIRST_PAUSE * jitter


@dataclass(frozen=True, slots=True)
class Attempt:
    """A row of `delivery_attempts`: one try, as an operator reads it."""

    number: int
    at: datetime
    duration_milliseconds: int
    outcome: OutcomeKind
    code: str
    detail: str
    holder: str

    def api(self) -> api.DeliveryAttempt:
        """Return the wire form."""
        return api.DeliveryAttempt(
            self.number, self.at, self.duration_milliseconds, self.outcome.value, self.code, self.detail
        )


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """What a list of deliveries is narrowed to; None: not narrowed."""

    registration_id: str | None = None
    state: DeliveryState | None = None
    run_id: str | None = None
    kind: str | None = None
    project_id: str | None = None
    """What a token of a part of the organization reaches, as the next one."""
    workflow_id: str | None = None
