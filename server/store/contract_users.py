"""Which workflows use a contract, with the last run of each that counts as a success."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, ScalarSelect, select, tuple_

from chainloop_ci.api.runs import RunState
from server.model.impacts import ContractUser
from server.model.paging import Key
from server.model.principal import Reach
from server.store.reach import tested, within
from server.store.tables import projects, workflow_runs, workflows


def list_page(
    connection: Connection, reach: Reach, contract_id: str, *, after: Key | None, limit: int
) -> list[ContractUser]:
    """Return the workflows within reach that use the contract, by project and name; `after` are those of the last."""
    order = (projects.c.name, workflows.c.name)
    query = (
        select(
            workflows.c.id,
            workflows.c.name,
            workflows.c.team,
            workflows.c.project_id,
            projects.c.name.label("project"),
            _last_success().label("last_success"),
        )
        .join(projects, projects.c.id == workflows.c.project_id)
        .where(
            *within(reach, workflows.c.organization_id, workflows.c.project_id, workflows.c.id),
            workflows.c.contract_id == contract_id,
        )
        .order_by(*order)
        .limit(limit)
    )
    if after:
        query = query.where(tuple_(*order) > tuple_(*after))
    return [
        ContractUser(row.id, row.name, row.project_id, row.project, row.team, row.last_success)
        for row in connection.execute(query)
    ]


def _last_success() -> ScalarSelect[Any]:
    """Return the subquery of a workflow's last success: it walks the workflow's own runs back to the first that is."""
    runs = workflow_runs.c
    counts = (runs.state == RunState.SUCCESS.value, runs.distrusted_at.is_(None))
    of_workflow = select(runs.sequence).where(runs.workflow_id == workflows.c.id, *tested(counts))
    return of_workflow.order_by(runs.sequence.desc()).limit(1).correlate(workflows).scalar_subquery()
