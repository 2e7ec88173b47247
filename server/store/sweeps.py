"""Queries of the dispatcher's sweeps: one row each, which is also the lease of who is at it."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from server.model.sweeps import SweepOutcome, SweepState
from server.store.operation_tables import sweeps
from server.store.times import from_text, optional_text, optional_time, to_text


def find(connection: Connection, name: str) -> SweepState | None:
    """Return what is known of a sweep, or None."""
    row = connection.execute(select(sweeps).where(sweeps.c.name == name)).first()
    return _record(row) if row else None


def list_all(connection: Connection) -> dict[str, SweepState]:
    """Return every sweep that was ever begun, by name."""
    return {row.name: _record(row) for row in connection.execute(select(sweeps).order_by(sweeps.c.name))}


def save(connection: Connection, state: SweepState) -> None:
    """Write a sweep, a new one too; the caller has held the write lock since it read it."""
    values = {
        "started_at": to_text(state.started_at),
        "finished_at": optional_text(state.finished_at),
        "outcome": state.outcome.value,
        "detail": json.dumps(state.detail),
        "succeeded_at": optional_text(state.succeeded_at),
        "holder": state.holder,
        "held_until": optional_text(state.held_until),
    }
    changed = connection.execute(update(sweeps).where(sweeps.c.name == state.name).values(**values))
    if not changed.rowcount:
        connection.execute(insert(sweeps).values(name=state.name, **values))


def _record(row: Row[Any]) -> SweepState:
    return SweepState(
        name=row.name,
        started_at=from_text(row.started_at),
        finished_at=optional_time(row.finished_at),
        outcome=SweepOutcome(row.outcome),
        detail=json.loads(row.detail),
        succeeded_at=optional_time(row.succeeded_at),
        holder=row.holder,
        held_until=optional_time(row.held_until),
    )
