"""Queries of the sessions of pages."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from server.model.page_sessions import PageSession
from server.store.tables import page_sessions
from server.store.times import from_text, to_text

_COLUMNS = page_sessions.c
_PLAIN = ("id_sha256", "organization_id", "token_id", "secret_sha256")


def find(connection: Connection, id_sha256: str) -> PageSession | None:
    """Return the session whose random id has this digest, whosever it is and whether or not it has expired.

    Without an organization: it is what finds out whose the request is.
    """
    row = connection.execute(select(page_sessions).where(_COLUMNS.id_sha256 == id_sha256)).first()
    if row is None:
        return None
    plain = {name: getattr(row, name) for name in _PLAIN}
    return PageSession(**plain, created_at=from_text(row.created_at), expires_at=from_text(row.expires_at))


def add(connection: Connection, session: PageSession) -> None:
    """Insert a session."""
    values = {name: getattr(session, name) for name in _PLAIN}
    times = {"created_at": to_text(session.created_at), "expires_at": to_text(session.expires_at)}
    connection.execute(insert(page_sessions).values(**values, **times))


def remove(connection: Connection, id_sha256: str) -> None:
    """Delete a session; the same again changes nothing."""
    connection.execute(delete(page_sessions).where(_COLUMNS.id_sha256 == id_sha256))


def remove_expired(connection: Connection, now: datetime) -> None:
    """Delete the sessions of all organizations that have expired."""
    connection.execute(delete(page_sessions).where(_COLUMNS.expires_at <= to_text(now)))


def remove_oldest(connection: Connection, organization_id: str, token_id: str, *, keep: int) -> None:
    """Delete all sessions of a token but the newest `keep`."""
    own = (_COLUMNS.organization_id == organization_id, _COLUMNS.token_id == token_id)
    order = (_COLUMNS.created_at.desc(), _COLUMNS.id_sha256)
    query = select(_COLUMNS.id_sha256).where(*own).order_by(*order).offset(keep).limit(1000)
    found = list(connection.execute(query).scalars())
    if found:
        connection.execute(delete(page_sessions).where(*own, _COLUMNS.id_sha256.in_(found)))
