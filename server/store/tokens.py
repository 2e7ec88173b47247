"""Queries of API tokens."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    Row,
    Select,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from chainloop_ci.api.access import Role
from server.model.paging import Key
from server.model.tokens import StoredToken
from server.store.tables import api_tokens, organizations, projects, workflows
from server.store.times import from_text, optional_text, optional_time, to_text

_COLUMNS = (
    "id",
    "name",
    "description",
    "organization_id",
    "project_id",
    "workflow_id",
    "secret_sha256",
    "previous_secret_sha256",
    "created_by",
    "last_used_address",
)


def find_by_secret(connection: Connection, secret_sha256: str) -> StoredToken | None:
    """Return the token whose present or previous secret has this digest, whatever its state.

    The only query without an organization: it is the one that finds out whose the request is.
    """
    row = connection.execute(_find_by_secret(), {"secret": secret_sha256}).first()
    return _record(row) if row else None


def find(connection: Connection, organization_id: str | None, token_id: str) -> StoredToken | None:
    """Return a token of the organization; None as organization: an instance token."""
    wanted = {"token": token_id}
    if organization_id is None:
        row = connection.execute(_find_of_instance(), wanted).first()
    else:
        row = connection.execute(_find(), wanted | {"organization": organization_id}).first()
    return _record(row) if row else None


def find_by_name(connection: Connection, organization_id: str | None, name: str) -> StoredToken | None:
    """Return the organization's token of that name, or None."""
    row = connection.execute(_select().where(api_tokens.c.name == name, _owned_by(organization_id))).first()
    return _record(row) if row else None


def find_named(connection: Connection, organization_id: str, name_or_id: str) -> tuple[str, ...]:
    """Return the ids of the organization's and the server's tokens with that name or id, its own first."""
    columns = api_tokens.c
    mine = or_(columns.organization_id == organization_id, columns.organization_id.is_(None))
    query = select(columns.id).where(mine, or_(columns.id == name_or_id, columns.name == name_or_id))
    query = query.order_by(columns.organization_id.is_(None), columns.id)
    return tuple(connection.execute(query).scalars())


def list_page(
    connection: Connection, organization_id: str | None, *, project_id: str | None, after: Key | None, limit: int
) -> list[StoredToken]:
    """Return the organization's tokens, newest first; with `project_id` those that are bound to that project.

    None as organization: the instance tokens.
    """
    order = (api_tokens.c.created_at, api_tokens.c.id)
    query = _select().where(_owned_by(organization_id))
    if project_id is not None:
        query = query.where(api_tokens.c.project_id == project_id)
    if after:
        query = query.where(tuple_(*order) < tuple_(*after))
    query = query.order_by(*(column.desc() for column in order)).limit(limit)
    return [_record(row) for row in connection.execute(query)]


def count_active(connection: Connection, organization_id: str, now: datetime) -> int:
    """Return how many tokens of the organization are neither revoked nor expired."""
    query = select(func.count()).select_from(api_tokens).where(*_active(organization_id, now))
    return int(connection.execute(query).scalar_one())


def names_of_workflow(connection: Connection, organization_id: str, workflow_id: str, now: datetime) -> list[str]:
    """Return the names of the tokens that are bound to a workflow and still work."""
    bound = (*_active(organization_id, now), api_tokens.c.workflow_id == workflow_id)
    return list(connection.execute(select(api_tokens.c.name).where(*bound).order_by(api_tokens.c.name)).scalars())


def remove_of_workflow(connection: Connection, organization_id: str, workflow_id: str) -> None:
    """Delete the tokens, all ended, of a workflow that is being deleted."""
    bound = (api_tokens.c.organization_id == organization_id, api_tokens.c.workflow_id == workflow_id)
    connection.execute(delete(api_tokens).where(*bound))


def add(connection: Connection, token: StoredToken) -> None:
    """Insert a token."""
    connection.execute(insert(api_tokens).values(id=token.id, **_values(token)))


def save(connection: Connection, token: StoredToken) -> None:
    """Write a changed token; its last use is left alone."""
    statement = update(api_tokens).where(api_tokens.c.id == token.id, _owned_by(token.organization_id))
    connection.execute(statement.values(**_values(token)))


def touch(connection: Connection, token_id: str, *, at: datetime, address: str, not_since: datetime) -> None:
    """Write a token's last use unless another request wrote one after `not_since`."""
    statement = update(api_tokens).where(
        api_tokens.c.id == token_id,
        or_(api_tokens.c.last_used_at.is_(None), api_tokens.c.last_used_at <= to_text(not_since)),
    )
    connection.execute(statement.values(last_used_at=to_text(at), last_used_address=address[:64]))


def _active(organization_id: str, now: datetime) -> tuple[Any, ...]:
    return (
        api_tokens.c.organization_id == organization_id,
        api_tokens.c.revoked_at.is_(None),
        or_(api_tokens.c.expires_at.is_(None), api_tokens.c.expires_at > to_text(now)),
    )


def _owned_by(organization_id: str | None) -> Any:
    column = api_tokens.c.organization_id
    return column.is_(None) if organization_id is None else column == organization_id


@cache
def _find_by_secret() -> Select[Any]:
    """Return the query that every request begins with; made once, since making it costs more than asking it."""
    columns = api_tokens.c
    secret: BindParameter[str] = bindparam("secret")
    return _select().where(or_(columns.secret_sha256 == secret, columns.previous_secret_sha256 == secret))


@cache
def _find() -> Select[Any]:
    owned = api_tokens.c.organization_id == bindparam("organization")
    return _select().where(api_tokens.c.id == bindparam("token"), owned)


@cache
def _find_of_instance() -> Select[Any]:
    return _select().where(api_tokens.c.id == bindparam("token"), api_tokens.c.organization_id.is_(None))


def _select() -> Select[Any]:
    return select(
        api_tokens,
        organizations.c.name.label("organization"),
        projects.c.name.label("project"),
        workflows.c.name.label("workflow"),
    ).select_from(
        # Explicit conditions: projects and workflows also refer to organizations.
        api_tokens.outerjoin(organizations, organizations.c.id == api_tokens.c.organization_id)
        .outerjoin(projects, projects.c.id == api_tokens.c.project_id)
        .outerjoin(workflows, workflows.c.id == api_tokens.c.workflow_id)
    )


def _values(token: StoredToken) -> dict[str, Any]:
    return {
        **{name: getattr(token, name) for name in _COLUMNS if name not in ("id", "last_used_address")},
        "role": token.role.value,
        "previous_expires_at": optional_text(token.previous_expires_at),
        "rotated_at": optional_text(token.rotated_at),
        "created_at": to_text(token.created_at),
        "expires_at": optional_text(token.expires_at),
        "revoked_at": optional_text(token.revoked_at),
    }


def _record(row: Row[Any]) -> StoredToken:
    return StoredToken(
        **{name: getattr(row, name) for name in (*_COLUMNS, "organization", "project", "workflow")},
        role=Role(row.role),
        created_at=from_text(row.created_at),
        previous_expires_at=optional_time(row.previous_expires_at),
        rotated_at=optional_time(row.rotated_at),
        expires_at=optional_time(row.expires_at),
        revoked_at=optional_time(row.revoked_at),
        last_used_at=optional_time(row.last_used_at),
    )
