"""Which workflows use a contract, with the last run of each that counts as a success."""

from __future__ import annotations

from sqlalchemy import Connection, select, tuple_

from server.model.impacts import ContractUser
from server.model.paging import Key
from server.model.principal import Reach
from server.store.last_runs import last_success
from server.store.reach import within
from server.store.tables import projects, workflows


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
            last_success().label("last_success"),
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
