"""Queries of projects."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, select

from chainloop_ci.api.workflows import Project
from server.model.paging import Key
from server.store.tables import projects, workflows
from server.store.times import from_text, to_text


def find_by_name(connection: Connection, organization_id: str, name: str) -> Project | None:
    """Return the organization's project of that name, or None."""
    row = connection.execute(_select(organization_id).where(projects.c.name == name)).first()
    return _record(row) if row else None


def list_page(
    connection: Connection, organization_id: str, *, project_id: str | None, after: Key | None, limit: int
) -> list[Project]:
    """Return the organization's projects by name; with `project_id` that one only."""
    query = _select(organization_id).order_by(projects.c.name).limit(limit)
    if project_id is not None:
        query = query.where(projects.c.id == project_id)
    if after:
        query = query.where(projects.c.name > after[0])
    return [_record(row) for row in connection.execute(query)]


def count(connection: Connection, organization_id: str) -> int:
    """Return how many projects the organization has."""
    query = select(func.count()).select_from(projects).where(projects.c.organization_id == organization_id)
    return int(connection.execute(query).scalar_one())


def add(connection: Connection, organization_id: str, project: Project) -> None:
    """Insert a project."""
    values = {"id": project.id, "name": project.name, "created_at": to_text(project.created_at)}
    connection.execute(insert(projects).values(organization_id=organization_id, **values))


def _select(organization_id: str) -> Select[Any]:
    held = select(func.count()).select_from(workflows).where(workflows.c.project_id == projects.c.id)
    query = select(projects, held.scalar_subquery().label("workflows"))
    return query.where(projects.c.organization_id == organization_id)


def _record(row: Row[Any]) -> Project:
    return Project(row.id, row.name, from_text(row.created_at), row.workflows)
