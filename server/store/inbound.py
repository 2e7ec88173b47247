"""Queries of webhooks that came in (R46)."""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Row,
    Select,
    bindparam,
    delete,
    literal_column,
    select,
    update,
)

from chainloop_ci.api.inbound import InboundOutcome
from server.model.inbound import ReceiverKind, StoredInbound
from server.store import waiting_owners
from server.store.inbound_tables import IS_WAITING, inbound_deliveries
from server.store.times import from_text, optional_text, optional_time, to_text

_PLAIN = (
    "id",
    "organization_id",
    "scope",
    "event",
    "body_digest",
    "body_bytes",
    "source_id",
    "delivery_id",
    "action",
    "address",
)
_CHANGING = ("reason", "facts", "replays")
_COLUMNS = [column for column in inbound_deliveries.c if column.name != "body"]
_WAITING: ColumnElement[bool] = literal_column(IS_WAITING.text)
"""In the words of the partial index, which the database finds only so."""
_SELECT: Select[Any] = select(*_COLUMNS, inbound_deliveries.c.body.is_not(None).label("has_body"))


def find_same(connection: Connection, scope: str, delivery_id: str | None, body_digest: str) -> list[StoredInbound]:
    """Return those of the scope, at most two, that have the delivery id or the body of one that comes (R46)."""
    columns = inbound_deliveries.c
    queries = [_SELECT.where(columns.scope == scope, columns.body_digest == body_digest)]
    if delivery_id is not None:
        queries.append(_SELECT.where(columns.scope == scope, columns.delivery_id == delivery_id))
    rows = [connection.execute(query).first() for query in queries]
    return [_record(row) for row in rows if row]


def add(connection: Connection, delivery: StoredInbound, body: bytes | None) -> bool:
    """Insert one; tell whether nobody else has written it meanwhile. `body` is compressed."""
    values = {
        **{name: getattr(delivery, name) for name in _PLAIN},
        **_changed(delivery),
        "receiver": delivery.receiver.value,
        "headers": json.dumps(delivery.headers, sort_keys=True),
        "received_at": to_text(delivery.received_at),
        "body": body,
    }
    # By what is returned: how many rows were written one of the drivers does not say. All of it is read, since the
    # statement may be a transaction by itself, and ends then only (`Database.write_one`).
    return bool(connection.execute(_insert(connection.dialect.name), values).all())


def save(connection: Connection, delivery: StoredInbound) -> None:
    """Write what may change of one."""
    key = {"delivery": delivery.id, "organization": delivery.organization_id}
    connection.execute(_save(), {**key, **_changed(delivery)})


def list_owners(connection: Connection, after: str, limit: int) -> list[str]:
    """Return ids of organizations of which a webhook waits, in their order, those after `after`."""
    return waiting_owners.list_owners(connection, _owners(), after, limit)


def list_waiting(connection: Connection, organization_id: str, *, limit: int) -> list[StoredInbound]:
    """Return those of the organization whose news were not written down yet, the oldest first."""
    own = inbound_deliveries.c.organization_id == organization_id
    query = _SELECT.where(_WAITING, own).order_by(inbound_deliveries.c.sequence).limit(limit)
    return [_record(row) for row in connection.execute(query)]


@cache
def _owners() -> Select[Any]:
    return waiting_owners.owners_of(inbound_deliveries, _WAITING)


def find(connection: Connection, organization_id: str, delivery_id: str) -> StoredInbound | None:
    """Return one of the organization by our own id, or None."""
    own = (inbound_deliveries.c.organization_id == organization_id, inbound_deliveries.c.id == delivery_id)
    row = connection.execute(_SELECT.where(*own)).first()
    return _record(row) if row else None


def find_body(connection: Connection, delivery: StoredInbound) -> bytes | None:
    """Return the compressed body of one, or None when it is not kept."""
    return connection.execute(select(inbound_deliveries.c.body).where(*_is(delivery))).scalar()


def list_page(
    connection: Connection,
    organization_id: str,
    *,
    before: int | None,
    limit: int,
    source_id: str | None = None,
    event: str | None = None,
    outcome: InboundOutcome | None = None,
) -> list[tuple[StoredInbound, int]]:
    """Return those of the organization, newest first, each with its place in the order."""
    columns = inbound_deliveries.c
    query = _SELECT.where(columns.organization_id == organization_id)
    if source_id is not None:
        query = query.where(columns.source_id == source_id)
    if event is not None:
        query = query.where(columns.event == event)
    if outcome is not None:
        query = query.where(columns.outcome == outcome.value)
    if before is not None:
        query = query.where(columns.sequence < before)
    rows = connection.execute(query.order_by(columns.sequence.desc()).limit(limit))
    return [(_record(row), row.sequence) for row in rows]


def has_older(connection: Connection, before: datetime) -> bool:
    """Tell whether one of any organization came before `before`; they are stored in the order of their coming."""
    first = select(inbound_deliveries.c.received_at).order_by(inbound_deliveries.c.sequence).limit(1)
    oldest = connection.execute(first).scalar()
    return oldest is not None and oldest < to_text(before)


def remove_old(connection: Connection, before: datetime, *, limit: int) -> int:
    """Delete the oldest of all organizations that came before `before`, and return how many."""
    columns = inbound_deliveries.c
    first = select(columns.sequence, columns.received_at).order_by(columns.sequence).limit(limit)
    found = [row.sequence for row in connection.execute(first) if row.received_at < to_text(before)]
    if found:
        connection.execute(delete(inbound_deliveries).where(columns.sequence.in_(found)))
    return len(found)


@cache
def _insert(dialect: str) -> Executable:
    """Return the statement, made once: both engines have the clause, and SQLAlchemy has a word of its own for each.

    The dialect that is not used would only be memory.
    """
    if dialect == "postgresql":
        from sqlalchemy.dialects import postgresql

        made = postgresql.insert(inbound_deliveries).on_conflict_do_nothing()
        return made.returning(inbound_deliveries.c.id)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(inbound_deliveries).on_conflict_do_nothing().returning(inbound_deliveries.c.id)


@cache
def _save() -> Executable:
    """Return the statement; made once, since the dispatcher writes every webhook by it."""
    columns = inbound_deliveries.c
    own = (columns.id == bindparam("delivery"), columns.organization_id == bindparam("organization"))
    changing = (*_CHANGING, "outcome", "handled_at")
    return update(inbound_deliveries).where(*own).values({name: bindparam(name) for name in changing})


def _is(delivery: StoredInbound) -> tuple[Any, ...]:
    columns = inbound_deliveries.c
    return (columns.id == delivery.id, columns.organization_id == delivery.organization_id)


def _changed(delivery: StoredInbound) -> dict[str, Any]:
    return {
        **{name: getattr(delivery, name) for name in _CHANGING},
        "outcome": delivery.outcome.value,
        "handled_at": optional_text(delivery.handled_at),
    }


def _record(row: Row[Any]) -> StoredInbound:
    return StoredInbound(
        **{name: getattr(row, name) for name in (*_PLAIN, *_CHANGING)},
        receiver=ReceiverKind(row.receiver),
        headers=json.loads(row.headers),
        outcome=InboundOutcome(row.outcome),
        received_at=from_text(row.received_at),
        handled_at=optional_time(row.handled_at),
        has_body=bool(row.has_body),
    )
