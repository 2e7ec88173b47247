"""Queries of what has drifted: each kind has its own, in an order that an index has, so that pages cost the same."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, case, exists, func, or_, select, tuple_

from chainloop_ci.api.source_address import SourceAddress, SourceKind
from server.model.drift import REMEMBERED, DriftingWorkflow, DriftKind, UnattestedCommit
from server.model.overrides import StoredOverride
from server.model.paging import Key
from server.model.principal import Reach
from server.model.verdict_kinds import VerdictKind
from server.store import overrides
from server.store.forge_tables import commit_verdicts, heads
from server.store.last_runs import has_ended, is_success, last_ended, last_success
from server.store.overrides import OverrideFilter
from server.store.reach import within
from server.store.source_tables import sources, workflow_sources
from server.store.tables import contract_revisions, projects, workflow_runs, workflows
from server.store.times import from_text, optional_time, to_text

_RUNS = workflow_runs.alias("last_run")
"""The run that a kind is about."""


def list_workflows(
    connection: Connection, kind: DriftKind, reach: Reach, now: datetime, *, after: Key | None, limit: int
) -> list[DriftingWorkflow]:
    """Return workflows within reach that drift so, by the time at which they were made; `after`: that and the id."""
    order = (workflows.c.created_at, workflows.c.id)
    query = _select_workflows(connection, kind, reach, now)
    if after:
        query = query.where(tuple_(*order) > tuple_(*after))
    return [_workflow(kind, row) for row in connection.execute(query.order_by(*order).limit(limit))]


def list_commits(
    connection: Connection, reach: Reach, now: datetime, *, after: Key | None, limit: int
) -> list[UnattestedCommit]:
    """Return commits within reach whose attestation is missing, newest first; `after`: since when, and the verdict."""
    order = (commit_verdicts.c.changed_at, commit_verdicts.c.id)
    query = _select_commits(reach, now)
    if after:
        query = query.where(tuple_(*order) < tuple_(*after))
    rows = connection.execute(query.order_by(*(column.desc() for column in order)).limit(limit))
    return [_commit(row) for row in rows]


def list_overrides(
    connection: Connection, reach: Reach, now: datetime, *, after: Key | None, limit: int
) -> list[StoredOverride]:
    """Return what operators decided and is in force, newest first; `after`: since when, and the id."""
    return overrides.list_page(connection, reach, OverrideFilter(in_force_at=now), after=after, limit=limit)


def count(connection: Connection, kind: DriftKind, reach: Reach, now: datetime, *, limit: int) -> int:
    """Return how many entries of a kind there are, but at most `limit`."""
    if kind is DriftKind.OVERRIDE:
        return len(list_overrides(connection, reach, now, after=None, limit=limit))
    query = _select_commits(reach, now) if kind is DriftKind.UNATTESTED else None
    found = query if query is not None else _select_workflows(connection, kind, reach, now)
    ids = found.with_only_columns(found.selected_columns.id).limit(limit).subquery()
    return int(connection.execute(select(func.count()).select_from(ids)).scalar_one())


def _select_workflows(connection: Connection, kind: DriftKind, reach: Reach, now: datetime) -> Select[Any]:
    query = (
        select(
            workflows.c.id,
            workflows.c.name,
            workflows.c.team,
            workflows.c.created_at,
            projects.c.name.label("project"),
        )
        .join(projects, projects.c.id == workflows.c.project_id)
        .where(*within(reach, workflows.c.organization_id, workflows.c.project_id, workflows.c.id))
    )
    if kind is DriftKind.NEVER_SEEN:
        return query.where(workflows.c.last_run_id.is_(None))
    if kind is DriftKind.FAILING:
        return _failing(query, now)
    if kind is DriftKind.OLD_REVISION:
        return _on_old_revision(query, now)
    return _stopped(query, _read_cadences(connection, reach.organization_id), now)


def _failing(query: Select[Any], now: datetime) -> Select[Any]:
    streak = workflow_runs.alias()
    since = (
        select(func.min(streak.c.created_at))
        .where(
            streak.c.workflow_id == workflows.c.id,
            streak.c.sequence > func.coalesce(last_success(), 0),
            has_ended(now, streak),
        )
        .correlate(workflows)
        .scalar_subquery()
    )
    return (
        query.add_columns(_RUNS.c.id.label("run_id"), _RUNS.c.state, _RUNS.c.reason, _RUNS.c.distrusted_at)
        .add_columns(since.label("since"))
        .join(_RUNS, _RUNS.c.sequence == last_ended(now))
        .where(~is_success(_RUNS))
    )


def _stopped(query: Select[Any], cadences: list[int], now: datetime) -> Select[Any]:
    """Keep to workflows whose last success is longer ago than their cadence; those that are new have time."""
    cadence = workflow_sources.c.cadence_seconds
    attested = func.coalesce(_RUNS.c.finished_at, workflow_sources.c.created_at)
    # Few different ones are in use, and no database adds seconds to a text.
    overdue = [
        and_(cadence == seconds, attested < to_text(now - timedelta(seconds=seconds)))
        for seconds in cadences
        if seconds < now.timestamp()
    ]
    return (
        query.add_columns(cadence, workflow_sources.c.created_at.label("bound_at"), _RUNS.c.finished_at)
        .add_columns(_RUNS.c.id.label("run_id"))
        .join(workflow_sources, workflow_sources.c.workflow_id == workflows.c.id)
        .outerjoin(_RUNS, _RUNS.c.sequence == last_success())
        # Of one that never ran that is said already.
        .where(workflows.c.last_run_id.is_not(None), or_(False, *overdue))
    )


def _read_cadences(connection: Connection, organization_id: str) -> list[int]:
    own = (workflow_sources.c.organization_id == organization_id, workflow_sources.c.cadence_seconds.is_not(None))
    query = select(workflow_sources.c.cadence_seconds).where(*own).distinct()
    return sorted(connection.execute(query).scalars())


def _on_old_revision(query: Select[Any], now: datetime) -> Select[Any]:
    in_force = contract_revisions.alias("in_force")
    newest = (
        select(contract_revisions.c.revision)
        .where(
            contract_revisions.c.contract_id == workflows.c.contract_id,
            contract_revisions.c.enforced_from <= to_text(now),
        )
        .order_by(contract_revisions.c.revision.desc())
        .limit(1)
        .correlate(workflows)
        .scalar_subquery()
    )
    # R19: an operator may have made a later one the minimum.
    raised = workflows.c.minimum_revision > in_force.c.revision
    enforced = case((raised, workflows.c.minimum_revision), else_=in_force.c.revision)
    since = case((raised, workflows.c.minimum_revision_since), else_=in_force.c.enforced_from)
    return (
        query.add_columns(_RUNS.c.id.label("run_id"), _RUNS.c.contract_revision)
        .add_columns(enforced.label("enforced"), since.label("since"))
        .join(in_force, and_(in_force.c.contract_id == workflows.c.contract_id, in_force.c.revision == newest))
        .join(_RUNS, _RUNS.c.sequence == last_success())
        # One that is held to another contract since says something when it runs again.
        .where(_RUNS.c.contract_id == workflows.c.contract_id, _RUNS.c.contract_revision < enforced)
    )


def _select_commits(reach: Reach, now: datetime) -> Select[Any]:
    said = commit_verdicts.c
    # A change that was given up, or a branch that is gone, waits for nothing.
    is_open = exists().where(heads.c.source_id == said.source_id, heads.c.sha == said.sha, heads.c.is_open)
    return (
        select(said.id, said.workflow_id, said.sha, said.description, said.changed_at)
        .add_columns(sources.c.kind.label("source_kind"), sources.c.host, sources.c.repository)
        .add_columns(workflows.c.name, workflows.c.team, projects.c.name.label("project"))
        .join(sources, sources.c.id == said.source_id)
        .join(workflows, workflows.c.id == said.workflow_id)
        .join(projects, projects.c.id == workflows.c.project_id)
        .where(
            *within(reach, said.organization_id, workflows.c.project_id, workflows.c.id),
            said.kind == VerdictKind.MISSING.value,
            said.changed_at >= to_text(now - REMEMBERED),
            is_open,
        )
    )


def _workflow(kind: DriftKind, row: Row[Any]) -> DriftingWorkflow:
    base = {name: getattr(row, name) for name in ("id", "name", "project", "team")}
    created_at = from_text(row.created_at)
    if kind is DriftKind.NEVER_SEEN:
        return DriftingWorkflow(**base, created_at=created_at, since=created_at)
    if kind is DriftKind.FAILING:
        state = "distrusted" if row.distrusted_at else row.state
        since = from_text(row.since)
        return DriftingWorkflow(
            **base, created_at=created_at, since=since, run_id=row.run_id, state=state, reason=row.reason
        )
    if kind is DriftKind.OLD_REVISION:
        return DriftingWorkflow(
            **base,
            created_at=created_at,
            since=from_text(row.since),
            run_id=row.run_id,
            revision=row.contract_revision,
            enforced_revision=row.enforced,
        )
    attested_at = optional_time(row.finished_at)
    begun = attested_at or from_text(row.bound_at)
    return DriftingWorkflow(
        **base,
        created_at=created_at,
        since=begun + timedelta(seconds=row.cadence_seconds),
        run_id=row.run_id,
        cadence_seconds=row.cadence_seconds,
        attested_at=attested_at,
    )


def _commit(row: Row[Any]) -> UnattestedCommit:
    return UnattestedCommit(
        verdict_id=row.id,
        workflow_id=row.workflow_id,
        workflow=row.name,
        project=row.project,
        team=row.team,
        source=str(SourceAddress(SourceKind(row.source_kind), row.host, row.repository)),
        commit=row.sha,
        description=row.description,
        since=from_text(row.changed_at),
    )
