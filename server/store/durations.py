"""Counters of how long finished runs took, one row per bucket: a metrics request never counts runs."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection, and_, insert, update

from server.model.durations import bucket_of, milliseconds
from server.model.runs import Run
from server.store.tables import run_durations


def count(connection: Connection, run: Run) -> None:
    """Count a run that has just ended."""
    if run.finished_at is None:
        raise ValueError(f"run {run.id} has not ended")
    lasted = milliseconds(run.created_at, run.finished_at)
    key = {
        "organization_id": run.organization_id,
        "workflow_id": run.workflow_id,
        "state": run.state.value,
        "runner_type": run.runner_type,
        "bucket_seconds": bucket_of(timedelta(milliseconds=lasted)),
    }
    table = run_durations.c
    matches = and_(*(table[name] == value for name, value in key.items()))
    added = update(run_durations).where(matches)
    values = {"runs": table.runs + 1, "sum_milliseconds": table.sum_milliseconds + lasted}
    # The caller's write transaction keeps everybody else out between the two statements.
    if not connection.execute(added.values(**values)).rowcount:
        connection.execute(insert(run_durations).values(**key, runs=1, sum_milliseconds=lasted))
