"""Which runs are open and which are overdue, in SQL; `model.runs.shown_state` says it of one run (R15)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, FromClause, literal_column

from server.store.tables import workflow_runs
from server.store.times import to_text

IS_OPEN: ColumnElement[bool] = literal_column("workflow_runs.state = 'initialized'")
"""In the words of the partial index, which the database finds only so; a run that is overdue may be one of these."""


def is_overdue(now: datetime, runs: FromClause = workflow_runs) -> ColumnElement[bool]:
    """Return the condition that the time of an open run is over; `runs` is the table or an alias of it."""
    return runs.c.expires_at <= to_text(now)
