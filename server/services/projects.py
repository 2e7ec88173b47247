"""Projects: groups of workflows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.api.paging import Page
from chainloop_ci.api.workflows import Project, ProjectRequest
from chainloop_ci.errors import ConflictError, LimitExceededError, NotFoundError
from server.model.audit import AuditAction, audit_of
from server.model.paging import Paging, bind
from server.model.principal import Principal
from server.model.workflows import MAX_PROJECTS
from server.store import audit, projects
from server.store.database import Database


class Projects:
    """Use cases of projects."""

    def __init__(self, database: Database, now: Callable[[], datetime], new_id: Callable[[], str]) -> None:
        self._database = database
        self._now = now
        self._new_id = new_id

    def create(self, principal: Principal, request: ProjectRequest) -> Project:
        """Create a project; only a token of the whole organization may.

        Raises:
            ConflictError: the name is taken.
        """
        with self._database.write() as connection:
            found = projects.find_by_name(connection, principal.organization_id, request.name)
            principal.require_reach(project_id=found.id if found else None)
            if found:
                raise ConflictError(f"there is already a project {request.name}", hint="choose another name")
            return self.create_in(connection, principal, request.name)

    def create_in(self, connection: Connection, principal: Principal, name: str) -> Project:
        """Create a project within the caller's write transaction.

        Raises:
            NotAllowedError: the token is bound to another project.
            LimitExceededError: the organization has as many as it may have.
        """
        principal.require_reach(project_id=None)
        if projects.count(connection, principal.organization_id) >= MAX_PROJECTS:
            raise LimitExceededError(f"an organization may have {MAX_PROJECTS} projects, and has them")
        project = Project(self._new_id(), name, self._now())
        projects.add(connection, principal.organization_id, project)
        made = audit_of(principal, project.created_at, AuditAction.PROJECT_CREATED, project.id, {"name": name})
        audit.add(connection, made)
        return project

    def list(self, principal: Principal, paging: Paging) -> Page[Project]:
        """Return the projects that the token reaches, by name."""
        binding = bind("projects", principal.organization_id, project=principal.project_id)
        after = paging.after(binding, ("",))
        with self._database.read() as connection:
            found = projects.list_page(
                connection,
                principal.organization_id,
                project_id=principal.project_id,
                after=after,
                limit=paging.limit + 1,
            )
        return paging.page(found, binding, lambda item: (item.name,))

    def get(self, principal: Principal, name: str) -> Project:
        """Return a project.

        Raises:
            NotFoundError: there is none of that name.
            NotAllowedError: it lies outside the token's scope.
        """
        with self._database.read() as connection:
            found = projects.find_by_name(connection, principal.organization_id, name)
        if found is None:
            raise NotFoundError(f"there is no project {name[:63]!r}", hint="`chainloop workflow list` names projects")
        principal.require_reach(project_id=found.id)
        return found
