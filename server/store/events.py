"""Queries of events: written with what happened, read by the dispatcher until each was told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Update, bindparam, insert, literal_column, select, update

from server.model.events import Event, EventKind
from server.store import waiting_owners
from server.store.event_tables import IS_NEW, events
from server.store.times import from_text, to_text

_PLAIN = ("id", "organization_id", "subject", "project_id", "workflow_id", "run_id", "only_registration_id")
_INSERT = insert(events)
_NEW: ColumnElement[bool] = literal_column(IS_NEW.text)
"""In the words of the partial index, which the database finds only so."""


def add(connection: Connection, *happened: Event) -> None:
    """Write events in the transaction of what happened: all of it is there, or nothing."""
    connection.execute(_INSERT, [_values(event) for event in happened])


def list_owners(connection: Connection, after: str, limit: int) -> list[str]:
    """Return ids of organizations of which an event waits to be told, in their order, those after `after`."""
    return waiting_owners.list_owners(connection, _owners(), after, limit)


def list_new(connection: Connection, organization_id: str, *, limit: int) -> list[Event]:
    """Return the oldest events of the organization that wait to be told, in their order."""
    place = {"organization": organization_id, "most": limit}
    return [to_event(row) for row in connection.execute(_list_new(), place)]


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


# Made once, since the dispatcher asks and writes all the time by them.
@cache
def _owners() -> Select[Any]:
    return waiting_owners.owners_of(events, _NEW)


@cache
def _list_new() -> Select[Any]:
    own = events.c.organization_id == bindparam("organization")
    return select(events).where(_NEW, own).order_by(events.c.sequence).limit(bindparam("most"))


@cache
def _mark_told() -> Update:
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
