"""Queries of what was said of commits: one row for each name of a status on a commit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, insert, literal_column, select, update

from chainloop_ci.api.source_address import SourceKind
from server.model.verdict_kinds import VerdictKind
from server.store.forge_tables import IS_WATCHED, commit_verdicts
from server.store.source_tables import sources
from server.store.times import from_text, optional_text, optional_time, to_text

_COLUMNS = commit_verdicts.c
_PLAIN = (
    "source_id",
    "organization_id",
    "sha",
    "context",
    "workflow_id",
    "id",
    "version",
    "description",
    "run_id",
)
_KEY = ("source_id", "sha", "context")
_WATCHED: ColumnElement[bool] = literal_column(IS_WATCHED.text)
"""In the words of the partial index, which the database finds only so."""


@dataclass(frozen=True, slots=True)
class CommitVerdict:
    """A row of `commit_verdicts`."""

    source_id: str
    organization_id: str
    sha: str
    context: str
    """Name of the status."""
    workflow_id: str | None
    """None: the roll-up."""
    id: str
    """Under which its page is found (R47)."""
    version: int
    """Counts the changes of what was said."""
    kind: VerdictKind
    description: str
    run_id: str | None
    judged_at: datetime
    changed_at: datetime
    holds_until: datetime | None
    """When time alone may change it; None: never."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit of a source."""

    source_id: str
    organization_id: str
    sha: str


def find(connection: Connection, source_id: str, sha: str, context: str) -> CommitVerdict | None:
    """Return what was said under a name on a commit, or None."""
    own = (_COLUMNS.source_id == source_id, _COLUMNS.sha == sha, _COLUMNS.context == context)
    row = connection.execute(select(commit_verdicts).where(*own)).first()
    return to_verdict(row) if row else None


def list_of_commit(connection: Connection, source_id: str, sha: str) -> list[CommitVerdict]:
    """Return everything that was said of a commit of a source, by name."""
    return [to_verdict(row) for row in connection.execute(_list_of_commit(), {"source": source_id, "commit": sha})]


def list_builds(connection: Connection, commit: Commit) -> list[Commit]:
    """Return a forge's commit for each of the organization's Jenkins jobs for which something is said of it."""
    query = (
        select(_COLUMNS.source_id)
        .join(sources, sources.c.id == _COLUMNS.source_id)
        .where(
            _COLUMNS.organization_id == commit.organization_id,
            _COLUMNS.sha == commit.sha,
            _COLUMNS.source_id != commit.source_id,
            sources.c.kind == SourceKind.JENKINS.value,
        )
        .distinct()
        .order_by(_COLUMNS.source_id)
    )
    return [replace(commit, source_id=source_id) for source_id in connection.execute(query).scalars()]


def save(connection: Connection, verdict: CommitVerdict, *, is_new: bool) -> None:
    """Write what is said of a commit."""
    values = {
        **{name: getattr(verdict, name) for name in _PLAIN},
        "kind": verdict.kind.value,
        "judged_at": to_text(verdict.judged_at),
        "changed_at": to_text(verdict.changed_at),
        "holds_until": optional_text(verdict.holds_until),
    }
    if is_new:
        connection.execute(insert(commit_verdicts).values(**values))
        return
    own = (_COLUMNS[name] == getattr(verdict, name) for name in _KEY)
    connection.execute(update(commit_verdicts).where(*own).values(**values))


def list_due(connection: Connection, now: datetime, *, limit: int) -> list[Commit]:
    """Return commits of all organizations whose verdict time alone may have changed, the longest due first."""
    query = select(_COLUMNS.source_id, _COLUMNS.organization_id, _COLUMNS.sha)
    due = query.where(_WATCHED, _COLUMNS.holds_until <= to_text(now)).order_by(_COLUMNS.holds_until).limit(limit)
    return list(dict.fromkeys(Commit(row.source_id, row.organization_id, row.sha) for row in connection.execute(due)))


def put_off(connection: Connection, commit: Commit, now: datetime, until: datetime) -> None:
    """Have what is due of a commit judged at another time."""
    own = (
        _COLUMNS.source_id == commit.source_id,
        _COLUMNS.organization_id == commit.organization_id,
        _COLUMNS.sha == commit.sha,
        _COLUMNS.holds_until <= to_text(now),
    )
    connection.execute(update(commit_verdicts).where(*own).values(holds_until=to_text(until)))


def make_due(
    connection: Connection, organization_id: str, workflow_ids: list[str], since: datetime, now: datetime
) -> int:
    """Have the verdicts of these workflows judged again that were judged since then; return how many there are."""
    own = (
        _COLUMNS.organization_id == organization_id,
        _COLUMNS.workflow_id.in_(workflow_ids),
        _COLUMNS.judged_at >= to_text(since),
    )
    return connection.execute(update(commit_verdicts).where(*own).values(holds_until=to_text(now))).rowcount


def make_commit_due(connection: Connection, organization_id: str, workflow_id: str, sha: str, now: datetime) -> None:
    """Have the verdict of a workflow on a commit judged again, where there is one."""
    own = (
        _COLUMNS.organization_id == organization_id,
        _COLUMNS.workflow_id == workflow_id,
        _COLUMNS.sha == sha,
    )
    connection.execute(update(commit_verdicts).where(*own).values(holds_until=to_text(now)))


def to_verdict(row: Row[Any]) -> CommitVerdict:
    """Return the record of a row of `commit_verdicts`."""
    return CommitVerdict(
        **{name: getattr(row, name) for name in _PLAIN},
        kind=VerdictKind(row.kind),
        judged_at=from_text(row.judged_at),
        changed_at=from_text(row.changed_at),
        holds_until=optional_time(row.holds_until),
    )


@cache
def _list_of_commit() -> Select[Any]:
    """Return the query; made once, since the dispatcher asks it for every event of a commit."""
    own = (_COLUMNS.source_id == bindparam("source"), _COLUMNS.sha == bindparam("commit"))
    return select(commit_verdicts).where(*own).order_by(_COLUMNS.context)
