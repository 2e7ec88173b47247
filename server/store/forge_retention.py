"""What forges told long ago of commits that nobody attested, and what others asked and wrote on them: found, forgotten.

What a run's claims were confirmed by stays as long as the run: verdicts and gates follow from it (R30).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, exists, func, or_, select, tuple_

from server.store.forge_tables import ci_jobs, ci_runs, commit_verdicts, forged_statuses, heads
from server.store.gate_tables import gate_requests
from server.store.source_tables import sources
from server.store.tables import workflow_runs
from server.store.times import to_text

_PUSH = "push"


@dataclass(frozen=True, slots=True)
class Forgettable:
    """A table whose rows are forgotten."""

    name: str
    table: Table
    key: tuple[str, ...]
    is_old: Callable[[str], ColumnElement[bool]]
    """Which rows nothing follows from any more; takes the time before which they must have been written."""
    parts: Table | None = None
    """A table of parts of these rows under the same key."""


def list_old(connection: Connection, what: Forgettable, before: datetime, *, limit: int) -> Sequence[tuple[Any, ...]]:
    """Return the keys of rows of all organizations that can go."""
    query = select(*(what.table.c[name] for name in what.key)).where(what.is_old(to_text(before)))
    return [tuple(row) for row in connection.execute(query.limit(limit))]


def forget(connection: Connection, what: Forgettable, before: datetime, keys: Sequence[tuple[Any, ...]]) -> int:
    """Delete those of the rows that can go still, and return how many."""
    named = tuple_(*(what.table.c[name] for name in what.key))
    own = select(*(what.table.c[name] for name in what.key)).where(named.in_(keys), what.is_old(to_text(before)))
    found = [tuple(row) for row in connection.execute(own)]
    for table in (what.parts, what.table):
        if table is not None and found:
            connection.execute(delete(table).where(tuple_(*(table.c[name] for name in what.key)).in_(found)))
    return len(found)


def _is_old_head(before: str) -> ColumnElement[bool]:
    columns, said = heads.c, commit_verdicts.c
    # What is deployed was most often pushed there, and a gate may ask whether it concerns a workflow at all (R34).
    is_of_default = exists().where(
        sources.c.id == columns.source_id,
        columns.event == _PUSH,
        or_(sources.c.default_branch.is_(None), sources.c.default_branch == columns.branch),
    )
    is_watched = exists().where(
        said.source_id == columns.source_id, said.sha == columns.sha, said.holds_until.is_not(None)
    )
    has_run = _has_run(columns.organization_id, columns.sha)
    return and_(columns.told_at < before, ~columns.is_open, ~is_of_default, ~is_watched, ~has_run)


def _is_old_ci_run(before: str) -> ColumnElement[bool]:
    columns = ci_runs.c
    has_head = exists().where(heads.c.source_id == columns.source_id, heads.c.sha == columns.head_sha)
    # Of whatever commit: that the forge knows it not, or otherwise, is what contradicts a claim (R30).
    is_claimed = exists().where(
        workflow_runs.c.organization_id == columns.organization_id, workflow_runs.c.ci_run_id == columns.ci_run_id
    )
    has_run = _has_run(columns.organization_id, columns.head_sha)
    # One that the forge does not know is written down as told long ago.
    return and_(columns.told_at < before, columns.seen_at < before, ~has_head, ~is_claimed, ~has_run)


def _is_old_request(before: str) -> ColumnElement[bool]:
    return func.coalesce(gate_requests.c.answered_at, gate_requests.c.requested_at) < before


def _is_old_forgery(before: str) -> ColumnElement[bool]:
    return forged_statuses.c.at < before


def _has_run(organization_id: ColumnElement[str], sha: ColumnElement[str]) -> ColumnElement[bool]:
    own = workflow_runs.c
    by_job = exists().where(own.organization_id == organization_id, own.ci_head_sha == sha)
    return or_(by_job, exists().where(own.organization_id == organization_id, own.attested_commit == sha))


FORGETTABLE: tuple[Forgettable, ...] = (
    Forgettable("heads", heads, ("source_id", "sha", "event", "pull_request"), _is_old_head),
    # After the heads: a CI run stays as long as one.
    Forgettable("ci_runs", ci_runs, ("source_id", "ci_run_id", "attempt"), _is_old_ci_run, ci_jobs),
    Forgettable(
        "gate_requests",
        gate_requests,
        ("registration_id", "repository_id", "ci_run_id", "environment"),
        _is_old_request,
    ),
    Forgettable(
        "forged_statuses", forged_statuses, ("source_id", "sha", "context", "surface", "number"), _is_old_forgery
    ),
)
"""In the order in which they are forgotten."""
