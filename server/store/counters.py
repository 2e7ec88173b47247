"""Counters of an organization, for its metrics; each changes in the transaction of what it counts."""

from __future__ import annotations

from sqlalchemy import Connection, insert, update

from server.store.operation_tables import counters


def add(connection: Connection, organization_id: str, name: str, label: str = "", *, by: int = 1) -> None:
    """Count something; the caller's write transaction keeps everybody else out between the two statements."""
    key = {"organization_id": organization_id, "name": name, "label": label}
    matches = (counters.c[column] == value for column, value in key.items())
    counted = update(counters).where(*matches).values(value=counters.c.value + by)
    if not connection.execute(counted).rowcount:
        connection.execute(insert(counters).values(**key, value=by))
