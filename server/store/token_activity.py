"""What a token did, from the tables that know of it: each is read in the order of an index of its own.

Runs come in the server's order (R18), everything else by time. A page is merged from the newest of each; the next one
begins behind the last run and behind the last of the rest (`After`).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, select, tuple_

from chainloop_ci.api.runs import Refusal, RefusedInit
from server.model.audit import StoredAudit
from server.model.audit_filters import AuditFilter
from server.model.paging import Key
from server.model.runs import Run
from server.store import audit, run_lists
from server.store.refusals import to_refusal, to_refused_init
from server.store.run_queries import NEVER, find_window
from server.store.tables import (
    api_tokens,
    projects,
    refused_inits,
    refused_stores,
    run_artifacts,
    workflow_runs,
    workflows,
)
from server.store.times import to_text

_RUN, _STORE, _INIT, _AUDIT = "run", "store", "init", "audit"
"""Tables by what they hold; of the same moment, the later word comes first."""


@dataclass(frozen=True, slots=True)
class After:
    """Behind what a page begins."""

    sequence: int = 0
    """Of the last run; 0: none yet."""
    at: str = ""
    """Time, table and id of the last of the rest; empty: none yet."""
    table: str = ""
    id: str = ""

    @property
    def key(self) -> Key:
        """Return it as a cursor holds it."""
        return (self.sequence, self.at, self.table, self.id)


@dataclass(frozen=True, slots=True)
class BegunRun:
    """A run that the token began."""

    run: Run
    uploads: tuple[str, ...]
    """Digests of what was uploaded for it."""


@dataclass(frozen=True, slots=True)
class RefusedStore:
    """An attestation of the token that was refused."""

    run_id: str
    project: str
    workflow: str
    address: str
    refusal: Refusal


Done = BegunRun | RefusedStore | RefusedInit | StoredAudit
"""Something that a token did."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that the token did, and behind what the list goes on after it."""

    done: Done
    after: After


@dataclass(frozen=True, slots=True)
class _Found:
    at: str
    table: str
    id: str
    done: Done

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.at, self.table, self.id)


def list_page(
    connection: Connection, organization_id: str, wanted: AuditFilter, *, after: After, limit: int
) -> list[Entry]:
    """Return what the token of `wanted` did, newest first."""
    rest = (
        _list_runs(connection, organization_id, wanted, after, limit),
        _list_refused_stores(connection, organization_id, wanted, after, limit),
        _list_refused_inits(connection, organization_id, wanted, after, limit),
        _list_audit(connection, organization_id, wanted, after, limit),
    )
    merged = heapq.merge(*rest, key=lambda item: item.key, reverse=True)
    return list(_followed(merged, after, limit))


def _followed(merged: Iterator[_Found], after: After, limit: int) -> Iterator[Entry]:
    for item, _ in zip(merged, range(limit), strict=False):
        if item.table == _RUN:
            after = replace(after, sequence=int(item.id))
        else:
            after = replace(after, at=item.at, table=item.table, id=item.id)
        yield Entry(item.done, after)


# --- runs ------------------------------------------------------------------------------------------------------------


def _list_runs(
    connection: Connection, organization_id: str, wanted: AuditFilter, after: After, limit: int
) -> list[_Found]:
    runs = workflow_runs.c
    query = select(runs.sequence).where(runs.token_id == wanted.token_id)
    before = after.sequence or None
    window = find_window(connection, organization_id, since=wanted.since, until=wanted.until, before=before)
    sequences = (
        connection.execute(window.of(query, runs.sequence, [runs.organization_id == organization_id]).limit(limit))
        .scalars()
        .all()
    )
    found = run_lists.load(connection, organization_id, sequences)
    uploads = _list_uploads(connection, organization_id, [run.id for run in found])
    return [
        _Found(to_text(run.created_at), _RUN, str(run.sequence), BegunRun(run, tuple(uploads.get(run.id, ()))))
        for run in found
    ]


def _list_uploads(connection: Connection, organization_id: str, run_ids: Sequence[str]) -> dict[str, list[str]]:
    if not run_ids:
        return {}
    columns = run_artifacts.c
    query = select(columns.run_id, columns.digest).where(
        columns.run_id.in_(run_ids), columns.organization_id == organization_id, columns.uploaded
    )
    found: dict[str, list[str]] = {}
    for row in connection.execute(query.order_by(columns.run_id, columns.digest)):
        found.setdefault(row.run_id, []).append(row.digest)
    return found


# --- refusals and audit records --------------------------------------------------------------------------------------


def _list_refused_stores(
    connection: Connection, organization_id: str, wanted: AuditFilter, after: After, limit: int
) -> list[_Found]:
    query = (
        select(refused_stores, workflows.c.name.label("workflow"), projects.c.name.label("project"))
        .outerjoin(workflow_runs, workflow_runs.c.id == refused_stores.c.run_id)
        .outerjoin(workflows, workflows.c.id == workflow_runs.c.workflow_id)
        .outerjoin(projects, projects.c.id == workflow_runs.c.project_id)
    )
    rows = _rows(connection, query, refused_stores, _STORE, organization_id, wanted, after, limit)
    return [_Found(row.at, _STORE, row.id, _refused_store(row)) for row in rows]


def _refused_store(row: Any) -> RefusedStore:
    return RefusedStore(row.run_id, row.project or "", row.workflow or "", row.address, to_refusal(row))


def _list_refused_inits(
    connection: Connection, organization_id: str, wanted: AuditFilter, after: After, limit: int
) -> list[_Found]:
    query = (
        select(
            refused_inits,
            workflows.c.name.label("workflow"),
            projects.c.name.label("project"),
            api_tokens.c.name.label("token"),
        )
        .outerjoin(api_tokens, api_tokens.c.id == refused_inits.c.token_id)
        .outerjoin(workflows, workflows.c.id == refused_inits.c.workflow_id)
        .outerjoin(projects, projects.c.id == workflows.c.project_id)
    )
    rows = _rows(connection, query, refused_inits, _INIT, organization_id, wanted, after, limit)
    return [_Found(row.at, _INIT, row.id, to_refused_init(row)) for row in rows]


def _list_audit(
    connection: Connection, organization_id: str, wanted: AuditFilter, after: After, limit: int
) -> list[_Found]:
    begin: Key | None = None
    if after.at:
        # Of the same moment, what stands in the other tables comes first.
        begin = (after.at, _sequence(after.id) if after.table == _AUDIT else NEVER)
    found = audit.list_page(connection, organization_id, wanted, after=begin, limit=limit)
    return [_Found(to_text(entry.record.at), _AUDIT, f"{entry.sequence:019}", entry) for entry in found]


def _sequence(text: str) -> int:
    """Return the sequence that a cursor holds; whoever makes one up gets some page of this list."""
    return min(int(text), NEVER) if text.isdecimal() else NEVER


def _rows(
    connection: Connection,
    query: Any,
    table: Table,
    name: str,
    organization_id: str,
    wanted: AuditFilter,
    after: After,
    limit: int,
) -> list[Any]:
    columns = table.c
    query = query.where(columns.organization_id == organization_id, columns.token_id == wanted.token_id)
    if wanted.since is not None:
        query = query.where(columns.at >= to_text(wanted.since))
    if wanted.until is not None:
        query = query.where(columns.at <= to_text(wanted.until))
    if after.at:
        query = query.where(_behind(columns.at, columns.id, name, after))
    query = query.order_by(columns.at.desc(), columns.id.desc()).limit(limit)
    return list(connection.execute(query))


def _behind(at: ColumnElement[str], ident: ColumnElement[str], name: str, after: After) -> ColumnElement[bool]:
    if name == after.table:
        return tuple_(at, ident) < tuple_(after.at, after.id)
    return at <= after.at if name < after.table else at < after.at
