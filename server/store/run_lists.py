"""Pages of runs, newest first in the server's order, and what the words of their filters stand for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, or_, select

from server.model.run_filters import RunFilter
from server.model.runs import Run
from server.store.run_queries import find_window, run_queries
from server.store.runs import select_runs, to_run
from server.store.tables import api_tokens, projects, workflow_runs, workflows

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


def find_workflows(
    connection: Connection, organization_id: str, *, name_or_id: str | None, project: str | None
) -> list[tuple[str, str]]:
    """Return (project id, workflow id) of the organization's workflows with that name or id, in that project."""
    query = select(workflows.c.project_id, workflows.c.id).where(workflows.c.organization_id == organization_id)
    if name_or_id is not None:
        query = query.where(or_(workflows.c.id == name_or_id, workflows.c.name == name_or_id))
    if project is not None:
        own = projects.c.organization_id == organization_id
        query = query.where(workflows.c.project_id.in_(select(projects.c.id).where(own, projects.c.name == project)))
    return [(row.project_id, row.id) for row in connection.execute(query)]


def find_project(connection: Connection, organization_id: str, name: str) -> str | None:
    """Return the id of the organization's project of that name."""
    own = projects.c.organization_id == organization_id
    row = connection.execute(select(projects.c.id).where(own, projects.c.name == name)).first()
    return str(row.id) if row else None


def find_tokens(connection: Connection, organization_id: str, name_or_id: str) -> tuple[str, ...]:
    """Return the ids of the organization's and the server's tokens with that name or id."""
    columns = api_tokens.c
    mine = or_(columns.organization_id == organization_id, columns.organization_id.is_(None))
    query = select(columns.id).where(mine, or_(columns.id == name_or_id, columns.name == name_or_id))
    return tuple(connection.execute(query).scalars())


def find_commits(connection: Connection, organization_id: str, prefix: str, *, limit: int) -> tuple[str, ...]:
    """Return at most `limit` head commits of the organization's runs that begin so; a whole hash stands for itself."""
    if len(prefix) in _FULL_COMMITS:
        return (prefix,)
    column = workflow_runs.c.ci_head_sha
    within = (workflow_runs.c.organization_id == organization_id, column < prefix + "g")
    found: list[str] = []
    # One step of the index for each commit, however many runs it has.
    while len(found) < limit:
        beyond = column > found[-1] if found else column >= prefix
        row = connection.execute(select(column).where(*within, beyond).order_by(column).limit(1)).first()
        if row is None:
            break
        found.append(row.ci_head_sha)
    return tuple(found)
