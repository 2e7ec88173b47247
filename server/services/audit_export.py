"""Hand out everything that an auditor has to see, in pages that go on another day; nothing that is a secret."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from chainloop_ci.api.access import Role
from chainloop_ci.api.audit_export import (
    COMMIT_VERDICTS,
    DELIVERIES,
    INBOUND_DELIVERIES,
    KINDS,
    RUNS,
    ExportCatalogue,
    ExportKind,
    ExportPage,
    ExportRow,
    find_kind,
)
from chainloop_ci.errors import NotAllowedError, NotFoundError
from server.model.export_rules import ADMINS_ONLY, LATEST_CLOCK, ExportFilter, Position
from server.model.paging import Paging, bind, render_cursor
from server.model.principal import ADMINS, Principal
from server.model.run_filters import parse_moment
from server.store import audit_export, projects
from server.store.database import Database

_ENDING = frozenset({DELIVERIES.name, INBOUND_DELIVERIES.name})
"""Kinds that change until they end, without events."""
_TOLD = frozenset({RUNS.name, COMMIT_VERDICTS.name})
"""Kinds of which each change is told by an event."""


@dataclass(frozen=True, slots=True)
class ExportQuery:
    """The filters of an export, as they were written."""

    project: str | None = None
    since: str | None = None
    until: str | None = None


@dataclass(frozen=True, slots=True)
class _Part:
    """What a page has."""

    rows: list[Mapping[str, Any]]
    next: Position | None
    """Where it goes on, now or another day; None: from the beginning."""
    is_complete: bool


class AuditExport:
    """Use cases of the audit export."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def describe(self, principal: Principal) -> ExportCatalogue:
        """Return what this token may export.

        Raises:
            NotAllowedError: the token is bound to a project or workflow.
        """
        principal.require_reach(project_id=None)
        withheld = frozenset() if principal.role in ADMINS else ADMINS_ONLY
        names = [kind.name for kind in KINDS]
        return ExportCatalogue(
            organization=principal.organization,
            organization_id=principal.organization_id,
            at=self._now(),
            kinds=tuple(name for name in names if name not in withheld),
            withheld=tuple(name for name in names if name in withheld),
        )

    def read(self, principal: Principal, name: str, query: ExportQuery, paging: Paging) -> ExportPage:
        """Return a page of a kind.

        Raises:
            NotFoundError: there is no such kind or project.
            NotAllowedError: the kind is for administrators, or the token bound to a project or workflow.
            RequestInvalidError: a filter or the cursor cannot be used.
        """
        principal.require_reach(project_id=None)
        kind = _get_kind(name, principal.role)
        binding = bind(f"audit-export/{name}", principal.organization_id, query=astuple(query))
        position = Position.of(paging.after(binding, Position().key))
        with self._database.read() as connection:
            wanted = _filter(connection, principal.organization_id, query)
            found = self._step(connection, kind, wanted, position, paging.limit)
            parts = audit_export.list_parts(connection, kind, wanted, found.rows)
        listed = [(kind.root.name, row) for row in found.rows] + parts
        cursor = None if found.next is None else render_cursor(found.next.key, binding)
        rows = tuple(ExportRow(table, {key: _written(value) for key, value in row.items()}) for table, row in listed)
        return ExportPage(rows, found.is_complete, cursor)

    def _step(
        self, connection: Connection, kind: ExportKind, wanted: ExportFilter, position: Position, limit: int
    ) -> _Part:
        if kind.name in _TOLD:
            return _step_told(connection, kind, wanted, position, limit)
        if kind.name in _ENDING and not position.horizon:
            position = replace(position, horizon=int((self._now() - LATEST_CLOCK).timestamp()))
        rows, is_last = audit_export.list_next(connection, kind, wanted, position, limit)
        behind = _behind(kind, rows, position)
        if not is_last:
            return _Part(rows, behind, False)
        if kind.name in _ENDING:
            known = max(behind.number, position.settled)
            return _Part(rows, Position(settled=known, since=behind.horizon), True)
        return _Part(rows, behind if kind.goes_on else None, True)


def _step_told(connection: Connection, kind: ExportKind, wanted: ExportFilter, position: Position, limit: int) -> _Part:
    """Hand out all things once, and then those of which events tell since that began."""
    if position.follows_events:
        rows, last, is_last = audit_export.list_told(connection, kind, wanted, position, limit)
        return _Part(rows, replace(position, number=last), is_last)
    if position == Position():
        position = replace(position, horizon=audit_export.newest_event(connection, wanted.organization_id))
    rows, is_last = audit_export.list_next(connection, kind, wanted, position, limit)
    if is_last:
        return _Part(rows, Position(number=position.horizon, follows_events=True), False)
    return _Part(rows, _behind(kind, rows, position), False)


def _behind(kind: ExportKind, rows: list[Mapping[str, Any]], position: Position) -> Position:
    if not rows:
        return position
    text, number = audit_export.after(kind, rows[-1])
    return replace(position, text=text, number=number)


def _get_kind(name: str, role: Role) -> ExportKind:
    kind = find_kind(name)
    if kind is None:
        raise NotFoundError(f"there is no kind {name[:80]!r}", hint="`GET /audit-export` names the kinds")
    if name in ADMINS_ONLY and role not in ADMINS:
        raise NotAllowedError(
            f"{name} are exported for administrators only; this token has the role {role.value}",
            hint="leave them out, or ask an administrator of the organization for the export",
        )
    return kind


def _filter(connection: Connection, organization_id: str, query: ExportQuery) -> ExportFilter:
    project_id = None
    if query.project is not None:
        found = projects.find_by_name(connection, organization_id, query.project)
        if found is None:
            raise NotFoundError(f"there is no project {query.project[:80]!r}", hint="`GET /projects` lists them")
        project_id = found.id
    return ExportFilter(
        organization_id,
        project_id,
        parse_moment("since", query.since) if query.since else None,
        parse_moment("until", query.until) if query.until else None,
    )


def _written(value: Any) -> object:
    """Return a value as JSON has it."""
    if isinstance(value, bytes | memoryview):
        return b64encode(value).decode("ascii")
    return int(value) if isinstance(value, bool) else value
