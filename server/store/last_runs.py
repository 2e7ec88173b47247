"""Subqueries of a workflow's last run: each walks the workflow's own runs back to the first that fits."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, FromClause, ScalarSelect, or_, select

from chainloop_ci.api.runs import RunState
from server.store.expiry import is_overdue
from server.store.reach import tested
from server.store.tables import workflow_runs, workflows


def last_success() -> ScalarSelect[Any]:
    """Return the subquery of the sequence of a workflow's last run that counts as a success (R39)."""
    runs = workflow_runs.alias()
    return _last(runs, [is_success(runs)])


def last_ended(now: datetime) -> ScalarSelect[Any]:
    """Return the subquery of the sequence of a workflow's last run that has ended, or whose time is over."""
    runs = workflow_runs.alias()
    return _last(runs, [has_ended(now, runs)])


def is_success(runs: FromClause) -> ColumnElement[bool]:
    """Return the condition that a run counts as a success."""
    counts: ColumnElement[bool] = runs.c.state == RunState.SUCCESS.value
    return counts & runs.c.distrusted_at.is_(None)


def has_ended(now: datetime, runs: FromClause) -> ColumnElement[bool]:
    """Return the condition that a run has ended, or that its time is over."""
    return or_(runs.c.state != RunState.INITIALIZED.value, is_overdue(now, runs))


def _last(runs: FromClause, conditions: list[ColumnElement[bool]]) -> ScalarSelect[Any]:
    of_workflow = select(runs.c.sequence).where(runs.c.workflow_id == workflows.c.id, *tested(conditions))
    return of_workflow.order_by(runs.c.sequence.desc()).limit(1).correlate(workflows).scalar_subquery()
