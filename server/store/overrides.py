"""Queries of what operators decide against the rules (R39)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, insert, or_, select, tuple_, update

from server.model.overrides import OverrideKind, StoredOverride, target_of
from server.model.paging import Key
from server.model.principal import Reach
from server.store.reach import within_table
from server.store.tables import api_tokens, overrides, projects, workflow_runs, workflows
from server.store.times import from_text, optional_text, optional_time, to_text

_COLUMNS = overrides.c
_PLAIN = (
    "id",
    "organization_id",
    "project_id",
    "workflow_id",
    "reason",
    "set_by",
    "run_id",
    "ended_by",
    "ended_reason",
)


@dataclass(frozen=True, slots=True)
class OverrideFilter:
    """Which decisions a list shows; None does not matter."""

    kind: OverrideKind | None = None
    workflow_ids: tuple[str, ...] | None = None
    in_force_at: datetime | None = None


def in_force(
    connection: Connection, organization_id: str, workflow_ids: Sequence[str], commit: str | None, now: datetime
) -> list[StoredOverride]:
    """Return what counts at present for the verdict of a commit: blocks of these workflows, and what lets it pass.

    Runs that are distrusted say so themselves (`Run.distrusted_at`). `commit` None: blocks alone.
    """
    kinds = [OverrideKind.BLOCK, *([OverrideKind.OVERRIDE] if commit else [])]
    query = _select(organization_id).where(
        _COLUMNS.kind.in_([kind.value for kind in kinds]),
        _COLUMNS.target.in_(
            [target_of(kind, workflow_id=each, commit=commit) for kind in kinds for each in workflow_ids]
        ),
        *_counts_at(now),
    )
    return [_record(row) for row in connection.execute(query.order_by(_COLUMNS.set_at, _COLUMNS.id))]


def find(connection: Connection, organization_id: str, override_id: str) -> StoredOverride | None:
    """Return a decision, or None."""
    row = connection.execute(_select(organization_id).where(_COLUMNS.id == override_id)).first()
    return _record(row) if row else None


def find_unended(connection: Connection, like: StoredOverride) -> StoredOverride | None:
    """Return the decision of the same kind about the same thing that nobody has ended, or None."""
    same = (_COLUMNS.kind == like.kind.value, _COLUMNS.target == like.target, _COLUMNS.ended_at.is_(None))
    row = connection.execute(_select(like.organization_id).where(*same)).first()
    return _record(row) if row else None


def list_distrust(connection: Connection, organization_id: str, run_id: str) -> list[StoredOverride]:
    """Return why a run is not trusted at present."""
    same = (_COLUMNS.kind == OverrideKind.DISTRUST.value, _COLUMNS.target == run_id, _COLUMNS.ended_at.is_(None))
    return [_record(row) for row in connection.execute(_select(organization_id).where(*same))]


def list_page(
    connection: Connection, reach: Reach, wanted: OverrideFilter, *, after: Key | None, limit: int
) -> list[StoredOverride]:
    """Return the decisions within reach, newest first."""
    order = (_COLUMNS.set_at, _COLUMNS.id)
    query = _select(reach.organization_id).where(*within_table(reach, overrides))
    if wanted.kind is not None:
        query = query.where(_COLUMNS.kind == wanted.kind.value)
    if wanted.workflow_ids is not None:
        query = query.where(_COLUMNS.workflow_id.in_(wanted.workflow_ids))
    if wanted.in_force_at is not None:
        query = query.where(*_counts_at(wanted.in_force_at))
    if after:
        query = query.where(tuple_(*order) < tuple_(*after))
    rows = connection.execute(query.order_by(*(column.desc() for column in order)).limit(limit))
    return [_record(row) for row in rows]


def list_lapsed(connection: Connection, now: datetime, *, limit: int) -> list[StoredOverride]:
    """Return decisions of all organizations whose end has passed and that nobody has written down as ended."""
    passed = (_COLUMNS.ended_at.is_(None), _COLUMNS.until <= to_text(now))
    query = _named().where(*passed).order_by(_COLUMNS.until).limit(limit)
    return [_record(row) for row in connection.execute(query)]


def add(connection: Connection, override: StoredOverride) -> None:
    """Insert a decision; a run that is distrusted carries that itself."""
    connection.execute(
        insert(overrides).values(
            **{name: getattr(override, name) for name in _PLAIN},
            kind=override.kind.value,
            commit_sha=override.commit,
            target=override.target,
            set_at=to_text(override.set_at),
            until=optional_text(override.until),
            ended_at=optional_text(override.ended_at),
        )
    )
    _mark_run(connection, override, override.set_at)


def end(connection: Connection, override: StoredOverride) -> None:
    """Write a decision that has ended."""
    own = (_COLUMNS.organization_id == override.organization_id, _COLUMNS.id == override.id)
    ended = {
        "ended_at": optional_text(override.ended_at),
        "ended_by": override.ended_by,
        "ended_reason": override.ended_reason,
    }
    connection.execute(update(overrides).where(*own).values(**ended))
    _mark_run(connection, override, None)


def _mark_run(connection: Connection, override: StoredOverride, distrusted_at: datetime | None) -> None:
    if override.kind is not OverrideKind.DISTRUST:
        return
    runs = workflow_runs.c
    own = (runs.organization_id == override.organization_id, runs.id == override.run_id)
    connection.execute(update(workflow_runs).where(*own).values(distrusted_at=optional_text(distrusted_at)))


def _counts_at(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (_COLUMNS.ended_at.is_(None), or_(_COLUMNS.until.is_(None), _COLUMNS.until > to_text(now)))


def _select(organization_id: str) -> Select[Any]:
    return _named().where(_COLUMNS.organization_id == organization_id)


def _named() -> Select[Any]:
    return select(
        overrides,
        projects.c.name.label("project"),
        workflows.c.name.label("workflow"),
        api_tokens.c.name.label("set_by_name"),
    ).select_from(
        overrides.join(workflows, workflows.c.id == _COLUMNS.workflow_id)
        .join(projects, projects.c.id == _COLUMNS.project_id)
        .outerjoin(api_tokens, api_tokens.c.id == _COLUMNS.set_by)
    )


def _record(row: Row[Any]) -> StoredOverride:
    return StoredOverride(
        **{name: getattr(row, name) for name in _PLAIN},
        kind=OverrideKind(row.kind),
        commit=row.commit_sha,
        set_at=from_text(row.set_at),
        until=optional_time(row.until),
        ended_at=optional_time(row.ended_at),
        project=row.project,
        workflow=row.workflow,
        set_by_name=row.set_by_name or "",
    )
