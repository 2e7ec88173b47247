"""Pages of runs, newest first in the server's order. Every filter has an index that ends in that order."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import product

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from chainloop_ci.api.runs import RunState
from server.model.run_filters import RunFilter
from server.model.runs import Run
from server.store.runs import select_runs, to_run
from server.store.tables import api_tokens, projects, run_materials, workflow_runs, workflows
from server.store.times import to_text

CLOCK_SKEW = timedelta(minutes=1)
"""How far creation times may differ from the server's order: two processes read their clocks before they queue."""

_FULL_COMMITS = (40, 64)
_NEVER = 2**62
"""A sequence that no run reaches."""
_MAX_SEPARATE = 10
"""Workflows or tokens of one name that are asked for one by one."""
# An alias copies all columns of its table: made once, not for every request.
_OTHER = workflow_runs.alias()


def list_page(
    connection: Connection, organization_id: str, wanted: RunFilter, *, before: int | None, limit: int, now: datetime
) -> list[Run]:
    """Return at most `limit` runs whose sequence is below `before`."""
    conditions = [workflow_runs.c.organization_id == organization_id, *_conditions(organization_id, wanted)]
    if before is not None:
        conditions.append(workflow_runs.c.sequence < before)
    found: list[Run] = []
    tokens = None if wanted.token is None else _find_tokens(connection, organization_id, wanted.token)
    # One query for each alternative: a single one with OR or IN would leave the index and sort.
    for workflow, token, state in product(
        _each(workflow_runs.c.workflow_id, wanted.workflow_ids),
        _each(workflow_runs.c.token_id, tokens),
        _states(wanted.state, now),
    ):
        query = select_runs().where(*conditions, *workflow, *token, *state)
        rows = connection.execute(query.order_by(workflow_runs.c.sequence.desc()).limit(limit))
        found += [to_run(row) for row in rows]
    return sorted(found, key=lambda run: run.sequence, reverse=True)[:limit]


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


def _each(column: ColumnElement[str], ids: tuple[str, ...] | None) -> list[list[ColumnElement[bool]]]:
    """Return the alternatives of a column that must hold one of several ids; None: any."""
    if ids is None:
        return [[]]
    if len(ids) > _MAX_SEPARATE:
        return [[column.in_(ids)]]
    return [[column == value] for value in ids]


def _states(state: RunState | None, now: datetime) -> list[list[ColumnElement[bool]]]:
    if state is None:
        return [[]]
    stored = [workflow_runs.c.state == state.value]
    opened = workflow_runs.c.state == RunState.INITIALIZED.value
    if state is RunState.INITIALIZED:
        return [[*stored, workflow_runs.c.expires_at > to_text(now)]]
    if state is RunState.EXPIRED:
        return [stored, [opened, workflow_runs.c.expires_at <= to_text(now)]]
    return [stored]


def _conditions(organization_id: str, wanted: RunFilter) -> list[ColumnElement[bool]]:
    runs = workflow_runs.c
    conditions: list[ColumnElement[bool]] = []
    if wanted.project_id is not None:
        conditions.append(runs.project_id == wanted.project_id)
    if wanted.runner is not None:
        conditions.append(runs.runner_type == wanted.runner)
    if wanted.commit is not None:
        conditions.append(_commit(wanted.commit))
    if wanted.digest is not None:
        conditions.append(_digest(organization_id, wanted.digest))
    return [*conditions, *_times(organization_id, wanted)]


def _commit(commit: str) -> ColumnElement[bool]:
    column = workflow_runs.c.ci_head_sha
    if len(commit) in _FULL_COMMITS:
        return column == commit
    return and_(column >= commit, column < commit + "g")


def _digest(organization_id: str, digest: str) -> ColumnElement[bool]:
    own = run_materials.c.organization_id == organization_id
    holders = select(run_materials.c.run_id).where(own, run_materials.c.digest == digest)
    own_run = _OTHER.c.organization_id == organization_id
    named = select(_OTHER.c.id).where(own_run, _OTHER.c.attestation_digest == digest)
    return workflow_runs.c.id.in_(holders.union(named))


def _find_tokens(connection: Connection, organization_id: str, name_or_id: str) -> tuple[str, ...]:
    """Return the ids of the organization's and the server's tokens with that name or id."""
    columns = api_tokens.c
    mine = or_(columns.organization_id == organization_id, columns.organization_id.is_(None))
    query = select(columns.id).where(mine, or_(columns.id == name_or_id, columns.name == name_or_id))
    return tuple(connection.execute(query).scalars())


def _times(organization_id: str, wanted: RunFilter) -> list[ColumnElement[bool]]:
    """Return the bounds by creation time, each with one by sequence that keeps the database from walking the rest."""
    created, sequence = workflow_runs.c.created_at, workflow_runs.c.sequence
    other = _OTHER.c
    own = select(other.sequence).where(other.organization_id == organization_id).limit(1)
    conditions: list[ColumnElement[bool]] = []
    if wanted.since is not None:
        early = own.where(other.created_at >= to_text(wanted.since - CLOCK_SKEW)).order_by(other.created_at)
        conditions += [created >= to_text(wanted.since), sequence >= func.coalesce(early.scalar_subquery(), _NEVER)]
    if wanted.until is not None:
        late = own.where(other.created_at <= to_text(wanted.until + CLOCK_SKEW)).order_by(other.created_at.desc())
        conditions += [created <= to_text(wanted.until), sequence <= func.coalesce(late.scalar_subquery(), 0)]
    return conditions
