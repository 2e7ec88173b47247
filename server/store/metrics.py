"""What a metrics request reads: counters and last runs, never all runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, or_, select

from chainloop_ci.api.runs import RunState
from server.model.durations import Bucket
from server.model.principal import Reach
from server.store.reach import within
from server.store.tables import projects, run_durations, workflow_runs, workflows
from server.store.times import from_text, to_text


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


def list_last_runs(connection: Connection, reach: Reach, *, now: datetime, limit: int) -> list[LastRun]:
    """Return the last ended run of each workflow within reach, those that ran last first."""
    other = workflow_runs.alias()
    overdue = other.c.expires_at <= to_text(now)
    last = (
        select(func.max(other.c.sequence))
        .where(other.c.workflow_id == workflows.c.id, or_(other.c.state != RunState.INITIALIZED.value, overdue))
        .correlate(workflows)
        .scalar_subquery()
    )
    query = (
        select(
            projects.c.name.label("project"),
            workflows.c.name.label("workflow"),
            workflow_runs.c.runner_type,
            workflow_runs.c.state,
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
    return [
        LastRun(row.project, row.workflow, row.runner_type, row.state == RunState.SUCCESS.value)
        for row in connection.execute(query)
    ]


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
        .where(runs.state == RunState.INITIALIZED.value, runs.expires_at <= to_text(now))
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
