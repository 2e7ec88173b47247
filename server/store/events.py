"""Queries of events: written with what happened, read by the dispatcher until each was told."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Update, bindparam, insert, literal_column, select, update

from server.model.events import Event, EventKind
from server.store.event_tables import IS_NEW, events
from server.store.times import from_text, to_text

_PLAIN = ("id", "organization_id", "subject", "project_id", "workflow_id", "run_id", "only_registration_id")
_INSERT = insert(events)
_NEW: ColumnElement[bool] = literal_column(IS_NEW.text)
"""In the words of the partial index, which the database finds only so."""


def add(connection: Connection, *happened: Event) -> None:
    """Write events in the transaction of what happened: all of it is there, or nothing."""
    connection.execute(_INSERT, [_values(event) for event in happened])


def has_new(connection: Connection, aside: Collection[str] = ()) -> bool:
    """Tell whether an event waits to be told, of an organization that is not set aside."""
    return connection.execute(select(events.c.sequence).where(*_new(aside)).limit(1)).first() is not None


def list_new(connection: Connection, *, limit: int, aside: Collection[str] = ()) -> list[Event]:
    """Return the oldest events that wait to be told, in their order; none of organizations that are set aside."""
    query = select(events).where(*_new(aside)).order_by(events.c.sequence).limit(limit)
    return [to_event(row) for row in connection.execute(query)]


def mark_told(connection: Connection, sequences: Sequence[int], now: datetime) -> None:
    """Write down that deliveries were made of these events."""
    connection.execute(_mark_told(), {"told": list(sequences), "now": to_text(now)})


def list_page(
    connection: Connection,
    organization_id: str,
    *,
    before: int | None,
    limit: int,
    run_id: str | None = None,
    kind: str | None = None,
    project_id: str | None = None,
    workflow_id: str | None = None,
) -> list[Event]:
    """Return events of the organization, newest first."""
    query = select(events).where(events.c.organization_id == organization_id)
    wanted = {"run_id": run_id, "kind": kind, "project_id": project_id, "workflow_id": workflow_id}
    for name, value in wanted.items():
        if value is not None:
            query = query.where(events.c[name] == value)
    if before is not None:
        query = query.where(events.c.sequence < before)
    return [to_event(row) for row in connection.execute(query.order_by(events.c.sequence.desc()).limit(limit))]


def _new(aside: Collection[str]) -> tuple[ColumnElement[bool], ...]:
    return (_NEW, events.c.organization_id.not_in(aside)) if aside else (_NEW,)


@cache
def _mark_told() -> Update:
    """Return the statement; made once, since the dispatcher writes all the time by it."""
    told = events.c.sequence.in_(bindparam("told", expanding=True))
    return update(events).where(told).values(fanned_out_at=bindparam("now"))


def _values(event: Event) -> dict[str, Any]:
    return {
        **{name: getattr(event, name) for name in _PLAIN},
        "kind": event.kind.value,
        "at": to_text(event.at),
        "facts": json.dumps(event.facts, sort_keys=True),
    }


def to_event(row: Row[Any]) -> Event:
    """Return the record of a row of `events`."""
    return Event(
        **{name: getattr(row, name) for name in _PLAIN},
        kind=EventKind(row.kind),
        at=from_text(row.at),
        facts=json.loads(row.facts),
        sequence=row.sequence,
    )
