"""Pages of runs, newest first in the server's order, and what the words of their filters stand for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import Column, Connection, select

from server.model.run_filters import RunFilter
from server.model.runs import Run
from server.store.run_queries import find_window, run_queries
from server.store.runs import select_runs, to_run
from server.store.tables import workflow_runs

_FULL_COMMITS = (40, 64)


def list_page(
    connection: Connection, organization_id: str, wanted: RunFilter, *, before: int | None, limit: int, now: datetime
) -> list[Run]:
    """Return at most `limit` runs whose sequence is below `before`."""
    found: set[int] = set()
    window = find_window(connection, organization_id, since=wanted.since, until=wanted.until, before=before)
    for query in run_queries(organization_id, wanted, window, now):
        found.update(connection.execute(query.limit(limit)).scalars())
    return load(connection, organization_id, sorted(found, reverse=True)[:limit])


def load(connection: Connection, organization_id: str, sequences: Sequence[int]) -> list[Run]:
    """Return the organization's runs of these sequences, newest first.

    Apart from the query that finds them: with the names joined to it, a database may begin at the names.
    """
    if not sequences:
        return []
    own = workflow_runs.c.organization_id == organization_id
    rows = connection.execute(select_runs().where(workflow_runs.c.sequence.in_(sequences), own))
    return sorted(map(to_run, rows), key=lambda run: run.sequence, reverse=True)


def find_commits(connection: Connection, organization_id: str, prefix: str, *, limit: int) -> tuple[str, ...]:
    """Return at most `limit` commits of the organization's runs that begin so; a whole hash stands for itself."""
    if len(prefix) in _FULL_COMMITS:
        return (prefix,)
    runs = workflow_runs.c
    found = {
        commit
        for column in (runs.ci_head_sha, runs.attested_commit)
        for commit in _walk(connection, organization_id, column, prefix, limit=limit)
    }
    return tuple(sorted(found)[:limit])


def _walk(
    connection: Connection, organization_id: str, column: Column[str], prefix: str, *, limit: int
) -> Iterator[str]:
    """Return the values of a column that begin so: one step of its index for each, however many runs it has."""
    within = (workflow_runs.c.organization_id == organization_id, column < prefix + "g")
    beyond = column >= prefix
    for _ in range(limit):
        value = connection.execute(select(column).where(*within, beyond).order_by(column).limit(1)).scalar()
        if value is None:
            return
        yield value
        beyond = column > value
