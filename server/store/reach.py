"""Keep a query to what a principal reaches; every list and look-up of a scoped token goes through it (R1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, case

from server.model.principal import Reach


def within(reach: Reach, organization: Any, project: Any, workflow: Any) -> list[ColumnElement[bool]]:
    """Return the conditions on the columns that hold the ids of organization, project and workflow."""
    conditions: list[ColumnElement[bool]] = [organization == reach.organization_id]
    if reach.project_id is not None:
        conditions.append(project == reach.project_id)
    if reach.workflow_id is not None:
        conditions.append(workflow == reach.workflow_id)
    return conditions


def within_table(reach: Reach, table: Any) -> list[ColumnElement[bool]]:
    """Return the conditions on a table whose columns have the usual names."""
    return within(reach, table.c.organization_id, table.c.project_id, table.c.workflow_id)


def tested(conditions: Sequence[ColumnElement[bool]]) -> list[ColumnElement[bool]]:
    """Return one condition that no index has: rows are compared with it, and it is never chosen as the way to them.

    One and not several: from many, a database concludes that few rows are left, and sorts them.
    """
    return [case((and_(*conditions), 1), else_=0) == 1] if conditions else []
