"""Queries of verification keys; there is no function that deletes one (R3)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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

from chainloop_ci.digests import Digest
from server.model.keys import KeyScope, StoredKey
from server.model.paging import Key
from server.store.tables import projects, verification_key_scopes, verification_keys, workflows
from server.store.times import from_text, optional_text, optional_time, to_text

_KEYS = verification_keys.c
_SCOPES = verification_key_scopes.c


def find(connection: Connection, organization_id: str, key_id: str) -> StoredKey | None:
    """Return a key of the organization, or None."""
    own = (_KEYS.organization_id == organization_id, _KEYS.id == key_id)
    return next(iter(_records(connection, connection.execute(select(verification_keys).where(*own)).all())), None)


def find_by_name(connection: Connection, organization_id: str, name: str) -> StoredKey | None:
    """Return the organization's key of that name, or None."""
    own = (_KEYS.organization_id == organization_id, _KEYS.name == name)
    return next(iter(_records(connection, connection.execute(select(verification_keys).where(*own)).all())), None)


def list_page(
    connection: Connection, organization_id: str, *, project_id: str | None, after: Key | None, limit: int
) -> list[StoredKey]:
    """Return the organization's keys, newest first; with `project_id` those that verify something of that project."""
    order = (_KEYS.created_at, _KEYS.id)
    query = select(verification_keys).where(_KEYS.organization_id == organization_id)
    if project_id is not None:
        query = query.where(or_(_KEYS.organization_wide, _KEYS.id.in_(_bound_to(organization_id, project_id))))
    if after:
        query = query.where(tuple_(*order) < tuple_(*after))
    query = query.order_by(*(column.desc() for column in order)).limit(limit)
    return _records(connection, connection.execute(query).all())


def list_for_workflow(
    connection: Connection, organization_id: str, project_id: str, workflow_id: str
) -> list[StoredKey]:
    """Return every key that is bound to the workflow, ended ones too: the newest first."""
    rows = connection.execute(_of_project(), {"organization": organization_id, "project": project_id}).all()
    found = _records(connection, rows)
    return [key for key in found if key.covers(project_id, workflow_id)]


def count(connection: Connection, organization_id: str) -> int:
    """Return how many keys the organization has, ended ones included."""
    query = select(func.count()).select_from(verification_keys).where(_KEYS.organization_id == organization_id)
    return int(connection.execute(query).scalar_one())


def add(connection: Connection, key: StoredKey) -> None:
    """Insert a key with its scopes."""
    names = ("id", "organization_id", "name", "algorithm", "public_key", "organization_wide", "created_by")
    values = {name: getattr(key, name) for name in names}
    times = {"created_at": to_text(key.created_at), "valid_from": to_text(key.valid_from)}
    connection.execute(insert(verification_keys).values(**values, **times))
    for scope in key.scopes:
        owner = {"organization_id": key.organization_id, "key_id": key.id}
        place = {"project_id": scope.project_id, "workflow_id": scope.workflow_id}
        connection.execute(insert(verification_key_scopes).values(**owner, **place))


def save_end(connection: Connection, key: StoredKey) -> None:
    """Write when a key was retired or revoked; nothing else of it ever changes."""
    own = (_KEYS.organization_id == key.organization_id, _KEYS.id == key.id)
    ends = {"retired_at": optional_text(key.retired_at), "revoked_at": optional_text(key.revoked_at)}
    connection.execute(update(verification_keys).where(*own).values(**ends))


def unbind_workflow(connection: Connection, organization_id: str, workflow_id: str) -> None:
    """Take a workflow that is being deleted out of the scopes of all keys."""
    own = (_SCOPES.organization_id == organization_id, _SCOPES.workflow_id == workflow_id)
    connection.execute(delete(verification_key_scopes).where(*own))


@cache
def _of_project() -> Select[Any]:
    """Return the query of the keys that a project's workflows may use; made once, every store asks it."""
    organization: BindParameter[str] = bindparam("organization")
    bound = _bound_to(organization, bindparam("project"))
    return (
        select(verification_keys)
        .where(_KEYS.organization_id == organization)
        .where(or_(_KEYS.organization_wide, _KEYS.id.in_(bound)))
        .order_by(_KEYS.created_at.desc(), _KEYS.id)
    )


@cache
def _scopes() -> Select[Any]:
    keys: BindParameter[str] = bindparam("keys", expanding=True)
    return (
        select(verification_key_scopes, projects.c.name.label("project"), workflows.c.name.label("workflow"))
        .join(projects, projects.c.id == _SCOPES.project_id)
        .outerjoin(workflows, workflows.c.id == _SCOPES.workflow_id)
        .where(_SCOPES.organization_id == bindparam("organization"), _SCOPES.key_id.in_(keys))
        .order_by(projects.c.name, workflows.c.name)
    )


def _bound_to(organization_id: str | BindParameter[str], project_id: str | BindParameter[str]) -> Any:
    own = (_SCOPES.organization_id == organization_id, _SCOPES.project_id == project_id)
    return select(_SCOPES.key_id).where(*own)


def _records(connection: Connection, rows: Sequence[Row[Any]]) -> list[StoredKey]:
    scopes = _scopes_of(connection, rows[0].organization_id, [row.id for row in rows]) if rows else {}
    return [_record(row, scopes.get(row.id, ())) for row in rows]


def _scopes_of(connection: Connection, organization_id: str, ids: Iterable[str]) -> dict[str, tuple[KeyScope, ...]]:
    found: dict[str, tuple[KeyScope, ...]] = {}
    for row in connection.execute(_scopes(), {"organization": organization_id, "keys": list(ids)}):
        scope = KeyScope(row.project_id, row.project, row.workflow_id, row.workflow)
        found[row.key_id] = (*found.get(row.key_id, ()), scope)
    return found


def _record(row: Row[Any], scopes: tuple[KeyScope, ...]) -> StoredKey:
    return StoredKey(
        id=Digest(row.id),
        organization_id=row.organization_id,
        name=row.name,
        algorithm=row.algorithm,
        public_key=row.public_key,
        created_at=from_text(row.created_at),
        created_by=row.created_by,
        valid_from=from_text(row.valid_from),
        organization_wide=row.organization_wide,
        scopes=scopes,
        retired_at=optional_time(row.retired_at),
        revoked_at=optional_time(row.revoked_at),
    )
