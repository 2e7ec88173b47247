"""Queries of organizations."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, func, insert, select, update

from chainloop_ci.api.words import CasBackend
from server.model.organizations import StoredOrganization
from server.model.paging import Key
from server.store.tables import organizations
from server.store.times import from_text, to_text


def find(connection: Connection, organization_id: str) -> StoredOrganization | None:
    """Return an organization by its id, or None."""
    row = connection.execute(_find(), {"organization": organization_id}).first()
    return _record(row) if row else None


def find_by_name(connection: Connection, name: str) -> StoredOrganization | None:
    """Return an organization by its name, or None."""
    row = connection.execute(select(organizations).where(organizations.c.name == name)).first()
    return _record(row) if row else None


def list_page(connection: Connection, *, after: Key | None, limit: int) -> list[StoredOrganization]:
    """Return all organizations by name; only an instance token may see them."""
    query = select(organizations).order_by(organizations.c.name).limit(limit)
    if after:
        query = query.where(organizations.c.name > after[0])
    return [_record(row) for row in connection.execute(query)]


def count(connection: Connection) -> int:
    """Return how many organizations the server has."""
    return int(connection.execute(select(func.count()).select_from(organizations)).scalar_one())


def add(connection: Connection, organization: StoredOrganization) -> None:
    """Insert an organization."""
    values = {"id": organization.id, "name": organization.name, "created_at": to_text(organization.created_at)}
    connection.execute(insert(organizations).values(**values, **_settings(organization)))


def save_settings(connection: Connection, organization: StoredOrganization) -> None:
    """Write an organization's settings; the used bytes are left alone."""
    statement = update(organizations).where(organizations.c.id == organization.id)
    connection.execute(statement.values(**_settings(organization)))


@cache
def _find() -> Select[Any]:
    return select(organizations).where(organizations.c.id == bindparam("organization"))


def _settings(organization: StoredOrganization) -> dict[str, Any]:
    names = ("accept_unsigned", "run_expiry_seconds", "quota_bytes", "cas_backend")
    return {name: getattr(organization, name) for name in names}


def _record(row: Row[Any]) -> StoredOrganization:
    read = {"created_at": from_text(row.created_at), "cas_backend": CasBackend(row.cas_backend)}
    return StoredOrganization(**{**row._mapping, **read})
