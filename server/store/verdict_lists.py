"""Queries of pages: a verdict by the random id of its page, what was said lately, and what was said before."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, literal_column, select, tuple_

from server.model.events import Event
from server.model.paging import Key
from server.model.principal import Reach
from server.model.verdict_kinds import VerdictKind
from server.store import events as stored_events
from server.store.commit_verdicts import CommitVerdict, to_verdict
from server.store.event_tables import IS_OF_VERDICT, events
from server.store.forge_tables import commit_verdicts
from server.store.reach import within
from server.store.source_tables import sources
from server.store.tables import projects, workflows

_COLUMNS = commit_verdicts.c
_OF_VERDICT: ColumnElement[bool] = literal_column(IS_OF_VERDICT.text)
"""In the words of the partial index, which the database finds only so."""


@dataclass(frozen=True, slots=True)
class VerdictFilter:
    """What a list of verdicts is narrowed to; None does not matter."""

    project: str | None = None
    workflow: str | None = None
    """Name."""
    kinds: frozenset[VerdictKind] | None = None


@dataclass(frozen=True, slots=True)
class ListedVerdict:
    """A verdict with the repository of its commit."""

    verdict: CommitVerdict
    repository: str


def find(connection: Connection, organization_id: str, verdict_id: str) -> CommitVerdict | None:
    """Return the organization's verdict whose page has this id, or None."""
    query = select(commit_verdicts).where(_COLUMNS.id == verdict_id, _COLUMNS.organization_id == organization_id)
    row = connection.execute(query).first()
    return to_verdict(row) if row else None


def find_anywhere(connection: Connection, verdict_id: str) -> CommitVerdict | None:
    """Return the verdict whose page has this id, whosever it is: whether it is public is still to be asked (R47)."""
    row = connection.execute(select(commit_verdicts).where(_COLUMNS.id == verdict_id)).first()
    return to_verdict(row) if row else None


def are_public(connection: Connection, organization_id: str, workflow_ids: Collection[str]) -> bool:
    """Tell whether there are such workflows, and the verdicts of each are public (R47)."""
    wanted = set(workflow_ids)
    own = (workflows.c.organization_id == organization_id, workflows.c.id.in_(wanted), workflows.c.public_verdict)
    found = connection.execute(select(func.count()).select_from(workflows).where(*own)).scalar_one()
    return bool(wanted) and found == len(wanted)


def list_recent(
    connection: Connection, reach: Reach, wanted: VerdictFilter, *, after: Key | None, limit: int
) -> list[ListedVerdict]:
    """Return what was said of commits in reach, the latest change first; the key is (changed_at, id).

    What was said of all workflows together is of the organization as a whole: only who reaches that sees it.
    """
    joined = commit_verdicts.join(sources, sources.c.id == _COLUMNS.source_id)
    is_whole = reach.is_whole and wanted.project is None and wanted.workflow is None
    conditions = [_COLUMNS.organization_id == reach.organization_id]
    if not is_whole:
        joined = joined.join(workflows, workflows.c.id == _COLUMNS.workflow_id)
        joined = joined.join(projects, projects.c.id == workflows.c.project_id)
        conditions += [*within(reach, _COLUMNS.organization_id, workflows.c.project_id, workflows.c.id)]
    conditions += _named(wanted)
    order = (_COLUMNS.changed_at, _COLUMNS.id)
    if after:
        conditions.append(tuple_(*order) < tuple_(*after))
    query = select(commit_verdicts, sources.c.repository).select_from(joined).where(*conditions)
    query = query.order_by(*(column.desc() for column in order)).limit(limit)
    return [ListedVerdict(to_verdict(row), row.repository) for row in connection.execute(query)]


def list_of_run(connection: Connection, organization_id: str, workflow_id: str, sha: str) -> list[CommitVerdict]:
    """Return what was said of a workflow on a commit, under every name and in every repository."""
    own = (_COLUMNS.organization_id == organization_id, _COLUMNS.sha == sha, _COLUMNS.workflow_id == workflow_id)
    query = select(commit_verdicts).where(*own).order_by(_COLUMNS.changed_at.desc())
    return [to_verdict(row) for row in connection.execute(query)]


def list_versions(connection: Connection, organization_id: str, verdict_id: str, *, limit: int) -> list[Event]:
    """Return the newest events in which a verdict changed, the newest first."""
    own = (_OF_VERDICT, events.c.subject == verdict_id, events.c.organization_id == organization_id)
    query = select(events).where(*own).order_by(events.c.sequence.desc()).limit(limit)
    return [stored_events.to_event(row) for row in connection.execute(query)]


def _named(wanted: VerdictFilter) -> list[Any]:
    conditions: list[Any] = []
    if wanted.project is not None:
        conditions.append(projects.c.name == wanted.project)
    if wanted.workflow is not None:
        conditions.append(workflows.c.name == wanted.workflow)
    if wanted.kinds is not None:
        conditions.append(_COLUMNS.kind.in_(sorted(kind.value for kind in wanted.kinds)))
    return conditions
