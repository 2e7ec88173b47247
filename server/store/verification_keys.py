"""Queries of verification keys; there is no function that deletes one (R3)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import groupby
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
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
    return _first(connection, _KEYS.organization_id == organization_id, _KEYS.id == key_id)


def find_by_name(connection: Connection, organization_id: str, name: str) -> StoredKey | None:
    """Return the organization's key of that name, or None."""
    return _first(connection, _KEYS.organization_id == organization_id, _KEYS.name == name)


def list_page(
    connection: Connection, organization_id: str, *, project_id: str | None, after: Key | None, limit: int
) -> list[StoredKey]:
    """Return the organization's keys, newest first; with `project_id` those that verify something of that project."""
    order = (_KEYS.created_at, _KEYS.id)
    query = select(_KEYS.id).where(_KEYS.organization_id == organization_id)
    if project_id is not None:
        query = query.where(or_(_KEYS.organization_wide, _KEYS.id.in_(_bound_to(organization_id, project_id))))
    if after:
        query = query.where(tuple_(*order) < tuple_(*after))
    page = query.order_by(*(column.desc() for column in order)).limit(limit)
    own = (_KEYS.organization_id == organization_id, _KEYS.id.in_(page))
    return _records(connection.execute(_select().where(*own)))


def list_all(connection: Connection, organization_id: str) -> list[StoredKey]:
    """Return every key of the organization, ended ones too: the newest first."""
    return _records(connection.execute(_all(), {"organization": organization_id}))


def list_for_workflow(
    connection: Connection, organization_id: str, project_id: str, workflow_id: str
) -> list[StoredKey]:
    """Return every key that is bound to the workflow, ended ones too: the newest first."""
    rows = connection.execute(_of_project(), {"organization": organization_id, "project": project_id})
    return [key for key in _records(rows) if key.covers(project_id, workflow_id)]


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
def _all() -> Select[Any]:
    """Return the query of all keys; made once, every store asks it."""
    return _select().where(_KEYS.organization_id == bindparam("organization"))


@cache
def _of_project() -> Select[Any]:
    """Return the query of the keys that a project's workflows may use; made once, every init asks it."""
    organization: BindParameter[str] = bindparam("organization")
    bound = _bound_to(organization, bindparam("project"))
    own = _KEYS.organization_id == organization
    return _select().where(own, or_(_KEYS.organization_wide, _KEYS.id.in_(bound)))


def _bound_to(organization_id: str | BindParameter[str], project_id: str | BindParameter[str]) -> Any:
    own = (_SCOPES.organization_id == organization_id, _SCOPES.project_id == project_id)
    return select(_SCOPES.key_id).where(*own)


def _select() -> Select[Any]:
    """Return the query of keys, the newest first, with a row for each of their scopes; the caller adds conditions."""
    own = and_(_SCOPES.organization_id == _KEYS.organization_id, _SCOPES.key_id == _KEYS.id)
    return (
        select(
            verification_keys,
            _SCOPES.project_id,
            _SCOPES.workflow_id,
            projects.c.name.label("project"),
            workflows.c.name.label("workflow"),
        )
        .select_from(
            verification_keys.outerjoin(verification_key_scopes, own)
            .outerjoin(projects, projects.c.id == _SCOPES.project_id)
            .outerjoin(workflows, workflows.c.id == _SCOPES.workflow_id)
        )
        .order_by(_KEYS.created_at.desc(), _KEYS.id.desc(), projects.c.name, workflows.c.name)
    )


def _first(connection: Connection, *conditions: ColumnElement[bool]) -> StoredKey | None:
    return next(iter(_records(connection.execute(_select().where(*conditions)))), None)


def _records(rows: Iterable[Row[Any]]) -> list[StoredKey]:
    return [_record(list(of_key)) for _, of_key in groupby(rows, lambda row: row.id)]


def _record(rows: Sequence[Row[Any]]) -> StoredKey:
    """Return a key from its rows, one for each scope."""
    first = rows[0]
    scopes = (KeyScope(row.project_id, row.project, row.workflow_id, row.workflow) for row in rows if row.project_id)
    return StoredKey(
        id=Digest(first.id),
        organization_id=first.organization_id,
        name=first.name,
        algorithm=first.algorithm,
        public_key=first.public_key,
        created_at=from_text(first.created_at),
        created_by=first.created_by,
        valid_from=from_text(first.valid_from),
        organization_wide=first.organization_wide,
        scopes=tuple(scopes),
        retired_at=optional_time(first.retired_at),
        revoked_at=optional_time(first.revoked_at),
    )
