"""What operators look at of all deliveries and registrations, and forgetting what is old."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, exists, func, select

from server.model.deliveries import DeliveryState
from server.model.integrations import RegistrationState
from server.store.event_tables import deliveries, delivery_attempts, events, lane_memories, registrations
from server.store.tables import organizations
from server.store.times import from_text, optional_time, to_text

MAX_LISTED = 1000


@dataclass(frozen=True, slots=True)
class RegistrationFacts:
    """How one registration of any organization gets on."""

    organization: str
    name: str
    kind: str
    is_paused: bool
    paused_reason: str
    open_until: datetime | None
    credential_expires_at: datetime | None
    findings: str
    """JSON, as stored."""


@dataclass(frozen=True, slots=True)
class DeliveryCounts:
    """Of all organizations."""

    by_state: dict[str, int]
    """How many wait and how many are dead."""
    oldest_pending_at: datetime | None
    """When the longest waiting one was made, of those whose registration is not paused."""


@dataclass(frozen=True, slots=True)
class OldEvents:
    """One look at the oldest events."""

    finished: tuple[int, ...]
    """Sequences of those that nothing is left to do of."""
    last: int | None
    """Where the next look goes on; None: what follows is not old."""


def count_deliveries(connection: Connection) -> DeliveryCounts:
    """Return how many deliveries wait or are dead, and since when the first one waits."""
    unusual = (DeliveryState.PENDING.value, DeliveryState.DEAD.value)
    own = deliveries.c
    counted = select(own.state, func.count()).where(own.state.in_(unusual)).group_by(own.state)
    oldest = (
        select(func.min(own.created_at))
        .join(registrations, registrations.c.id == own.registration_id)
        .where(own.state == DeliveryState.PENDING.value, registrations.c.state == RegistrationState.ACTIVE.value)
    )
    numbers = {row[0]: row[1] for row in connection.execute(counted)}
    by_state = {state: numbers.get(state, 0) for state in unusual}
    return DeliveryCounts(by_state, optional_time(connection.execute(oldest).scalar()))


def count_dead(connection: Connection) -> list[tuple[str, str, int]]:
    """Return (organization, registration, number) of deliveries that were given up and whose registration is kept."""
    query = (
        select(organizations.c.name, registrations.c.name, func.count())
        .select_from(deliveries)
        .join(registrations, registrations.c.id == deliveries.c.registration_id)
        .join(organizations, organizations.c.id == deliveries.c.organization_id)
        .where(deliveries.c.state == DeliveryState.DEAD.value, registrations.c.removed_at.is_(None))
        .group_by(organizations.c.name, registrations.c.name)
        .order_by(organizations.c.name, registrations.c.name)
    )
    return [(row[0], row[1], row[2]) for row in connection.execute(query.limit(MAX_LISTED))]


def list_registrations(connection: Connection) -> list[RegistrationFacts]:
    """Return the registrations of all organizations, by name."""
    table = registrations.c
    query = (
        select(registrations, organizations.c.name.label("organization"))
        .join(organizations, organizations.c.id == table.organization_id)
        .where(table.removed_at.is_(None))
        .order_by(organizations.c.name, table.name)
    )
    return [
        RegistrationFacts(
            row.organization,
            row.name,
            row.kind,
            row.state == RegistrationState.PAUSED.value,
            row.paused_reason,
            optional_time(row.open_until),
            optional_time(row.credential_expires_at),
            row.findings,
        )
        for row in connection.execute(query.limit(MAX_LISTED))
    ]


def find_old(connection: Connection, *, after: int, before: datetime, limit: int) -> OldEvents:
    """Look at the next `limit` events and find those that were told before a time and of which nothing waits."""
    waiting = exists().where(
        deliveries.c.event_sequence == events.c.sequence, deliveries.c.state == DeliveryState.PENDING.value
    )
    query = select(events.c.sequence, events.c.fanned_out_at, waiting.label("waits"))
    rows = connection.execute(query.where(events.c.sequence > after).order_by(events.c.sequence).limit(limit)).all()
    old = [row for row in rows if row.fanned_out_at is not None and from_text(row.fanned_out_at) < before]
    finished = tuple(row.sequence for row in old if not row.waits)
    return OldEvents(finished, rows[-1].sequence if len(old) == limit else None)


def forget(connection: Connection, sequences: Sequence[int]) -> int:
    """Delete events with their deliveries and tries, and return how many deliveries that were."""
    of_events = select(deliveries.c.sequence).where(deliveries.c.event_sequence.in_(sequences))
    connection.execute(delete(delivery_attempts).where(delivery_attempts.c.delivery_sequence.in_(of_events)))
    gone = connection.execute(delete(deliveries).where(deliveries.c.event_sequence.in_(sequences))).rowcount
    connection.execute(delete(events).where(events.c.sequence.in_(sequences)))
    return gone


def forget_memories(connection: Connection, before: datetime) -> int:
    """Delete what integrations remember of lanes in which nothing was told since a time; return how much that was."""
    return connection.execute(delete(lane_memories).where(lane_memories.c.updated_at < to_text(before))).rowcount
