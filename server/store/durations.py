"""Counters of how long finished runs took, one row per bucket: a metrics request never counts runs."""

from __future__ import annotations

from datetime import timedelta
from functools import cache

from sqlalchemy import Connection, Update, bindparam, insert, update

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
    of_key = {f"its_{name}": value for name, value in key.items()}
    # The caller's write transaction keeps everybody else out between the two statements.
    if not connection.execute(_add(), {**of_key, "lasted": lasted}).rowcount:
        connection.execute(insert(run_durations), {**key, "runs": 1, "sum_milliseconds": lasted})


@cache
def _add() -> Update:
    table = run_durations.c
    names = ("organization_id", "workflow_id", "state", "runner_type", "bucket_seconds")
    matches = (table[name] == bindparam(f"its_{name}") for name in names)
    values = {"runs": table.runs + 1, "sum_milliseconds": table.sum_milliseconds + bindparam("lasted")}
    return update(run_durations).where(*matches).values(values)
