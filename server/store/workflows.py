"""Queries of workflows."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    Row,
    Select,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from chainloop_ci.api.runs import RunState
from server.model.paging import Key
from server.model.workflows import LastRun, StoredWorkflow, WorkflowFilters
from server.store.tables import (
    contract_notices,
    contracts,
    organizations,
    overrides,
    projects,
    refused_inits,
    workflow_runs,
    workflows,
)
from server.store.times import from_text, optional_text, optional_time, to_text


def list_of_contract(connection: Connection, organization_id: str, contract_id: str) -> list[str]:
    """Return the ids of the workflows that use a contract."""
    own = (workflows.c.organization_id == organization_id, workflows.c.contract_id == contract_id)
    return list(connection.execute(select(workflows.c.id).where(*own).order_by(workflows.c.id)).scalars())


def find(connection: Connection, organization_id: str, workflow_id: str) -> StoredWorkflow | None:
    """Return a workflow of the organization, or None."""
    row = connection.execute(_find(), {"organization": organization_id, "workflow": workflow_id}).first()
    return to_workflow(row) if row else None


def find_by_name(connection: Connection, organization_id: str, project: str, name: str) -> StoredWorkflow | None:
    """Return the workflow of that name in the project of that name, or None."""
    wanted = {"organization": organization_id, "project": project, "workflow": name}
    row = connection.execute(_find_by_name(), wanted).first()
    return to_workflow(row) if row else None


def list_named(
    connection: Connection, organization_id: str, name: str, *, project_id: str | None, limit: int
) -> list[StoredWorkflow]:
    """Return the workflows of that name in all projects, or in the one of that id, by project."""
    query = select_workflows(organization_id).where(workflows.c.name == name).order_by(projects.c.name).limit(limit)
    if project_id is not None:
        query = query.where(workflows.c.project_id == project_id)
    return [to_workflow(row) for row in connection.execute(query)]


def find_ids(
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


def list_page(
    connection: Connection, organization_id: str, filters: WorkflowFilters, *, after: Key | None, limit: int
) -> list[StoredWorkflow]:
    """Return the organization's workflows, newest first."""
    order = (workflows.c.created_at, workflows.c.id)
    query = select_workflows(organization_id)
    for column, wanted in (
        (workflows.c.name, filters.name),
        (projects.c.name, filters.project),
        (contracts.c.name, filters.contract),
        (workflows.c.project_id, filters.project_id),
        (workflows.c.id, filters.workflow_id),
    ):
        if wanted is not None:
            query = query.where(column == wanted)
    if after:
        query = query.where(tuple_(*order) < tuple_(*after))
    query = query.order_by(*(column.desc() for column in order)).limit(limit)
    return [to_workflow(row) for row in connection.execute(query)]


def count(connection: Connection, organization_id: str) -> int:
    """Return how many workflows the organization has."""
    query = select(func.count()).select_from(workflows).where(workflows.c.organization_id == organization_id)
    return int(connection.execute(query).scalar_one())


def add(connection: Connection, workflow: StoredWorkflow) -> None:
    """Insert a workflow."""
    fixed = {name: getattr(workflow, name) for name in ("id", "organization_id", "project_id", "name")}
    created_at = to_text(workflow.created_at)
    connection.execute(insert(workflows).values(**fixed, created_at=created_at, **_changing(workflow)))


def save(connection: Connection, workflow: StoredWorkflow) -> None:
    """Write what may change of a workflow."""
    own = (workflows.c.id == workflow.id, workflows.c.organization_id == workflow.organization_id)
    connection.execute(update(workflows).where(*own).values(**_changing(workflow)))


def remove(connection: Connection, organization_id: str, workflow_id: str) -> None:
    """Delete a workflow that never had a run, and what stands of it elsewhere: refused inits, notices, overrides."""
    for table in (contract_notices, overrides):
        connection.execute(
            delete(table).where(table.c.organization_id == organization_id, table.c.workflow_id == workflow_id)
        )
    refused = (refused_inits.c.organization_id == organization_id, refused_inits.c.workflow_id == workflow_id)
    connection.execute(delete(refused_inits).where(*refused))
    own = (workflows.c.organization_id == organization_id, workflows.c.id == workflow_id)
    connection.execute(delete(workflows).where(*own))


@cache
def _find() -> Select[Any]:
    """Return the query of one workflow; made once, since every request of a job asks it."""
    return select_workflows(bindparam("organization")).where(workflows.c.id == bindparam("workflow"))


@cache
def _find_by_name() -> Select[Any]:
    named = (projects.c.name == bindparam("project"), workflows.c.name == bindparam("workflow"))
    return select_workflows(bindparam("organization")).where(*named)


def select_workflows(organization_id: str | BindParameter[str]) -> Select[Any]:
    """Return the query of an organization's workflows with the names that their ids stand for."""
    return (
        select(
            workflows,
            organizations.c.name.label("organization"),
            projects.c.name.label("project"),
            contracts.c.name.label("contract"),
            contracts.c.latest_revision.label("contract_revision"),
            workflow_runs.c.state.label("last_state"),
            workflow_runs.c.created_at.label("last_created_at"),
            workflow_runs.c.expires_at.label("last_expires_at"),
            workflow_runs.c.runner_type.label("last_runner_type"),
            workflow_runs.c.late.label("last_late"),
            workflow_runs.c.distrusted_at.label("last_distrusted_at"),
        )
        .join(organizations, organizations.c.id == workflows.c.organization_id)
        .join(projects, projects.c.id == workflows.c.project_id)
        .join(contracts, contracts.c.id == workflows.c.contract_id)
        .outerjoin(workflow_runs, workflow_runs.c.id == workflows.c.last_run_id)
        .where(workflows.c.organization_id == organization_id)
    )


def _changing(workflow: StoredWorkflow) -> dict[str, Any]:
    names = (
        "contract_id",
        "team",
        "description",
        "run_expiry_seconds",
        "minimum_revision",
        "public_contract_id",
        "public_verdict",
    )
    since = optional_text(workflow.minimum_revision_since)
    return {**{name: getattr(workflow, name) for name in names}, "minimum_revision_since": since}


_PLAIN = (
    "id",
    "organization_id",
    "organization",
    "project_id",
    "project",
    "contract_id",
    "contract",
    "contract_revision",
    "name",
    "team",
    "description",
    "run_expiry_seconds",
    "runs_count",
    "minimum_revision",
    "public_contract_id",
    "public_verdict",
)


def to_workflow(row: Row[Any]) -> StoredWorkflow:
    """Return the record of a row of `select_workflows`."""
    return StoredWorkflow(
        **{name: getattr(row, name) for name in _PLAIN},
        created_at=from_text(row.created_at),
        last_run=_last_run(row),
        minimum_revision_since=optional_time(row.minimum_revision_since),
    )


def _last_run(row: Row[Any]) -> LastRun | None:
    if row.last_state is None:
        return None
    return LastRun(
        id=row.last_run_id,
        state=RunState(row.last_state),
        created_at=from_text(row.last_created_at),
        expires_at=from_text(row.last_expires_at),
        runner_type=row.last_runner_type,
        late=row.last_late,
        distrusted=row.last_distrusted_at is not None,
    )
