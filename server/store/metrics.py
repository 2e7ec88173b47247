"""What a metrics request reads: counters and last runs, never all runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, or_, select, text

from chainloop_ci.api.runs import RunState
from server.model.durations import Bucket
from server.model.principal import Reach
from server.store.expiry import is_overdue
from server.store.reach import within
from server.store.tables import (
    artifacts,
    counters,
    organizations,
    projects,
    run_durations,
    workflow_runs,
    workflows,
)
from server.store.times import from_text


@dataclass(frozen=True, slots=True)
class LastRun:
    """How a workflow's last ended run ended."""

    project: str
    workflow: str
    runner_type: str
    succeeded: bool


@dataclass(frozen=True, slots=True)
class DurationBucket:
    """One counter of `run_durations` with the names of its labels."""

    project: str
    workflow: str
    state: str
    runner_type: str
    bucket: Bucket


@dataclass(frozen=True, slots=True)
class OverdueRun:
    """A run that is expired, though nobody has written that down yet (R15)."""

    project: str
    workflow: str
    runner_type: str
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class CounterValue:
    """A row of `counters` with the name of its organization."""

    organization: str
    name: str
    label: str
    value: int


@dataclass(frozen=True, slots=True)
class StoreUse:
    """How much an organization stores."""

    organization: str
    used_bytes: int
    quota_bytes: int
    """0: no limit."""


@dataclass(frozen=True, slots=True)
class Unreferenced:
    """Uploads that no attestation was found to refer to (R8)."""

    uploads: int
    size_bytes: int


def list_counters(connection: Connection, organization_id: str | None) -> list[CounterValue]:
    """Return the counters of an organization; None: of all."""
    query = (
        select(organizations.c.name.label("organization"), counters.c.name, counters.c.label, counters.c.value)
        .join(organizations, organizations.c.id == counters.c.organization_id)
        .order_by(organizations.c.name, counters.c.name, counters.c.label)
    )
    if organization_id is not None:
        query = query.where(counters.c.organization_id == organization_id)
    return [CounterValue(row.organization, row.name, row.label, row.value) for row in connection.execute(query)]


def list_store_use(connection: Connection, organization_id: str | None) -> list[StoreUse]:
    """Return what an organization stores; None: all, those that store most first."""
    own = organizations.c
    query = select(own.name, own.used_bytes, own.quota_bytes).order_by(own.used_bytes.desc(), own.name)
    if organization_id is not None:
        query = query.where(own.id == organization_id)
    return [StoreUse(row.name, row.used_bytes, row.quota_bytes) for row in connection.execute(query)]


def count_unreferenced(connection: Connection, *, limit: int) -> Unreferenced:
    """Count the uploads that no sweep has found in an attestation yet, but no more than `limit` of them."""
    some = (
        select(artifacts.c.size_bytes)
        # As literal text: only so does SQLite see that the partial index fits.
        .where(text("artifacts.referenced_at IS NULL"))
        .order_by(artifacts.c.last_uploaded_at)
        .limit(limit)
        .subquery()
    )
    total = func.coalesce(func.sum(some.c.size_bytes), 0)
    uploads, size_bytes = connection.execute(select(func.count(), total).select_from(some)).one()
    return Unreferenced(int(uploads), int(size_bytes))


def list_last_runs(connection: Connection, reach: Reach, *, now: datetime, limit: int) -> list[LastRun]:
    """Return the last ended run of each workflow within reach, those that ran last first."""
    other = workflow_runs.alias()
    last = (
        select(func.max(other.c.sequence))
        .where(
            other.c.workflow_id == workflows.c.id,
            or_(other.c.state != RunState.INITIALIZED.value, is_overdue(now, other)),
        )
        .correlate(workflows)
        .scalar_subquery()
    )
    query = (
        select(
            projects.c.name.label("project"),
            workflows.c.name.label("workflow"),
            workflow_runs.c.runner_type,
            workflow_runs.c.state,
            workflow_runs.c.distrusted_at,
        )
        .select_from(
            workflows.join(projects, projects.c.id == workflows.c.project_id).join(
                workflow_runs, workflow_runs.c.sequence == last
            )
        )
        .where(*within(reach, workflows.c.organization_id, workflows.c.project_id, workflows.c.id))
        .order_by(workflow_runs.c.sequence.desc())
        .limit(limit)
    )
    return [LastRun(row.project, row.workflow, row.runner_type, _counts(row)) for row in connection.execute(query)]


def _counts(row: Any) -> bool:
    """Tell whether a run counts as a success: one that is distrusted does not (R39)."""
    return row.state == RunState.SUCCESS.value and row.distrusted_at is None


def list_durations(connection: Connection, reach: Reach) -> list[DurationBucket]:
    """Return the duration counters within reach, by their labels."""
    table = run_durations.c
    query = _named(select(run_durations), run_durations, reach).order_by(
        projects.c.name, workflows.c.name, table.state, table.runner_type, table.bucket_seconds
    )
    return [
        DurationBucket(
            row.project,
            row.workflow,
            row.state,
            row.runner_type,
            Bucket(row.bucket_seconds, row.runs, row.sum_milliseconds),
        )
        for row in connection.execute(query)
    ]


def list_overdue(connection: Connection, reach: Reach, *, now: datetime, limit: int) -> list[OverdueRun]:
    """Return the overdue runs within reach, the longest overdue first."""
    runs = workflow_runs.c
    query = (
        _named(select(runs.runner_type, runs.created_at, runs.expires_at), workflow_runs, reach)
        .where(runs.state == RunState.INITIALIZED.value, is_overdue(now))
        .order_by(runs.expires_at)
        .limit(limit)
    )
    return [
        OverdueRun(row.project, row.workflow, row.runner_type, from_text(row.created_at), from_text(row.expires_at))
        for row in connection.execute(query)
    ]


def _named(query: Select[Any], table: Any, reach: Reach) -> Select[Any]:
    """Add the names of project and workflow, and keep to what is within reach."""
    return (
        query.add_columns(projects.c.name.label("project"), workflows.c.name.label("workflow"))
        .select_from(table.join(workflows, workflows.c.id == table.c.workflow_id).join(projects))
        .where(*within(reach, table.c.organization_id, workflows.c.project_id, workflows.c.id))
    )
