"""Queries of which organization an installation of a GitHub App is bound to (R42)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from server.model.app_installations import BoundInstallation
from server.store.inbound_tables import app_installations
from server.store.times import from_text, to_text

_COLUMNS = app_installations.c


def find_owner(connection: Connection, host: str, installation_id: str) -> str | None:
    """Return the organization that an installation at a forge is bound to, or None."""
    own = (_COLUMNS.host == host, _COLUMNS.installation_id == installation_id)
    return connection.execute(select(_COLUMNS.organization_id).where(*own)).scalar()


def add(connection: Connection, bound: BoundInstallation) -> bool:
    """Bind an installation to an organization; False: it is bound already, to this one or to another."""
    if find_owner(connection, bound.host, bound.installation_id) is not None:
        return False
    plain = ("host", "installation_id", "organization_id", "account", "bound_by")
    values = {name: getattr(bound, name) for name in plain}
    connection.execute(insert(app_installations).values(**values, bound_at=to_text(bound.bound_at)))
    return True


def remove(connection: Connection, bound: BoundInstallation) -> None:
    """End a binding."""
    connection.execute(
        delete(app_installations).where(
            _COLUMNS.host == bound.host,
            _COLUMNS.installation_id == bound.installation_id,
            _COLUMNS.organization_id == bound.organization_id,
        )
    )


def list_of(connection: Connection, organization_id: str) -> list[BoundInstallation]:
    """Return the installations of an organization, the first bound first."""
    own = select(app_installations).where(_COLUMNS.organization_id == organization_id)
    ordered = own.order_by(_COLUMNS.bound_at, _COLUMNS.host, _COLUMNS.installation_id)
    return [_record(row) for row in connection.execute(ordered)]


def _record(row: Row[Any]) -> BoundInstallation:
    return BoundInstallation(
        host=row.host,
        installation_id=row.installation_id,
        organization_id=row.organization_id,
        account=row.account,
        bound_by=row.bound_by,
        bound_at=from_text(row.bound_at),
    )
