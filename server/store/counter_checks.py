"""Queries of the operator's `doctor`: does every counter say what the rows say that it counts?

Counters are written in the transaction of what they count, and the checks of one call see one moment of the database.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Select, func, select

from server.model.runs import MAX_REFUSALS
from server.store.tables import (
    artifacts,
    counters,
    organizations,
    refused_stores,
    run_artifacts,
    run_durations,
    workflow_runs,
    workflows,
)


def check_counters(connection: Connection) -> Iterator[str]:
    """Return every counter that differs from its rows."""
    yield from _used_bytes(connection)
    yield from _runs_counts(connection)
    yield from _durations(connection)
    yield from _stored_bytes(connection)
    yield from _refusals(connection)
    yield from _negative(connection)


def check_quotas(connection: Connection) -> Iterator[str]:
    """Return the organizations that use more than their quota: it was lowered, and takes no more uploads."""
    own = organizations.c
    over = (own.quota_bytes > 0) & (own.used_bytes > own.quota_bytes)
    query = select(own.name, own.used_bytes, own.quota_bytes).where(over).order_by(own.name)
    for name, used, quota in connection.execute(query):
        yield f"organization {name} uses {used} bytes of a quota of {quota}"


def _used_bytes(connection: Connection) -> Iterator[str]:
    sizes = select(artifacts.c.organization_id, func.sum(artifacts.c.size_bytes)).group_by(artifacts.c.organization_id)
    counted = select(organizations.c.id, organizations.c.used_bytes)
    yield from _differences(connection, counted, sizes, "organization {}: used_bytes")


def _runs_counts(connection: Connection) -> Iterator[str]:
    rows = select(workflow_runs.c.workflow_id, func.count()).group_by(workflow_runs.c.workflow_id)
    counted = select(workflows.c.id, workflows.c.runs_count)
    yield from _differences(connection, counted, rows, "workflow {}: runs_count")


def _durations(connection: Connection) -> Iterator[str]:
    runs, buckets = workflow_runs.c, run_durations.c
    key = (runs.workflow_id, runs.state, runs.runner_type)
    rows = select(*key, func.count()).where(runs.finished_at.is_not(None)).group_by(*key)
    own = (buckets.workflow_id, buckets.state, buckets.runner_type)
    counted = select(*own, func.sum(buckets.runs)).group_by(*own)
    yield from _differences(connection, counted, rows, "run_durations of workflow {}, {} on {}: runs")


def _stored_bytes(connection: Connection) -> Iterator[str]:
    """Only too little is wrong: a sweep may have removed what a run uploaded, which stays counted on that run."""
    runs = workflow_runs.c
    same = (artifacts.c.digest == run_artifacts.c.digest) & (
        artifacts.c.organization_id == run_artifacts.c.organization_id
    )
    uploaded = (
        select(run_artifacts.c.run_id, func.sum(artifacts.c.size_bytes).label("size_bytes"))
        .select_from(run_artifacts.join(artifacts, same))
        .where(run_artifacts.c.uploaded)
        .group_by(run_artifacts.c.run_id)
        .subquery()
    )
    joined = workflow_runs.join(uploaded, uploaded.c.run_id == runs.id)
    low = select(runs.id, runs.stored_bytes, uploaded.c.size_bytes).select_from(joined)
    for run_id, found, expected in connection.execute(low.where(runs.stored_bytes < uploaded.c.size_bytes)):
        yield f"workflow run {run_id}: stored_bytes: expected {expected} or more, found {found}"


def _refusals(connection: Connection) -> Iterator[str]:
    runs = workflow_runs.c
    rows = select(refused_stores.c.run_id, func.count().label("kept")).group_by(refused_stores.c.run_id).subquery()
    kept = func.coalesce(rows.c.kept, 0)
    joined = workflow_runs.outerjoin(rows, rows.c.run_id == runs.id)
    differ = (runs.refusals < kept) | ((runs.refusals > kept) & (kept < MAX_REFUSALS))
    query = select(runs.id, runs.refusals, kept).select_from(joined).where(differ)
    for run_id, found, expected in connection.execute(query):
        yield f"workflow run {run_id}: refusals: expected {expected}, found {found}"


def _negative(connection: Connection) -> Iterator[str]:
    for row in connection.execute(select(counters).where(counters.c.value < 0)):
        what = f"counters {row.name} {row.label} of organization {row.organization_id}"
        yield f"{what}: expected 0 or more, found {row.value}"


def _differences(connection: Connection, counted: Select[Any], rows: Select[Any], name: str) -> Iterator[str]:
    """Return where the last column of the two queries differs for the same key; a key that is absent counts 0."""
    found, expected = _by_key(connection, counted), _by_key(connection, rows)
    for key in sorted(found.keys() | expected.keys()):
        if found.get(key, 0) != expected.get(key, 0):
            yield f"{name.format(*key)}: expected {expected.get(key, 0)}, found {found.get(key, 0)}"


def _by_key(connection: Connection, query: Select[Any]) -> Mapping[tuple[str, ...], int]:
    return {tuple(row[:-1]): int(row[-1] or 0) for row in connection.execute(query)}
