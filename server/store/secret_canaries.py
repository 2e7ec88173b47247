"""Queries of the canaries of keys; they are the server's own, and belong to no organization."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from server.store.operation_tables import secret_canaries
from server.store.times import to_text


def has(connection: Connection, key_id: str) -> bool:
    """Tell whether a key has one."""
    found = connection.execute(select(secret_canaries.c.key_id).where(secret_canaries.c.key_id == key_id)).first()
    return found is not None


def add(connection: Connection, key_id: str, sealed: str, made_at: datetime) -> None:
    """Keep the canary of a key; the first one stays."""
    try:
        with connection.begin_nested():
            values = {"key_id": key_id, "sealed": sealed, "made_at": to_text(made_at)}
            connection.execute(insert(secret_canaries).values(**values))
    except IntegrityError:
        # Another process sealed its first credential at the same moment.
        return


def forget_others(connection: Connection, key_ids: Collection[str]) -> tuple[str, ...]:
    """Delete the canaries of keys other than these, and return their names."""
    gone = tuple(name for name, _ in list_all(connection) if name not in key_ids)
    connection.execute(delete(secret_canaries).where(secret_canaries.c.key_id.in_(gone)))
    return gone


def list_all(connection: Connection) -> tuple[tuple[str, str], ...]:
    """Return the name of each key that ever sealed a credential, and its canary."""
    query = select(secret_canaries.c.key_id, secret_canaries.c.sealed).order_by(secret_canaries.c.key_id)
    return tuple((row.key_id, row.sealed) for row in connection.execute(query))
