"""Which workflow a request means, and whether its token reaches that one."""

from __future__ import annotations

from sqlalchemy import Connection

from chainloop_ci.errors import NotFoundError
from server.model.principal import Principal
from server.model.workflows import StoredWorkflow
from server.store import workflows


def get_reachable(connection: Connection, principal: Principal, workflow_id: str) -> StoredWorkflow:
    """Return a workflow of the token's organization and scope.

    Raises:
        NotFoundError: there is none of that id in the organization.
        NotAllowedError: it lies outside the token's scope.
    """
    found = workflows.find(connection, principal.organization_id, workflow_id)
    if found is None:
        raise NotFoundError(f"there is no workflow {workflow_id}", hint="`chainloop workflow list` names them")
    principal.require_reach(project_id=found.project_id, workflow_id=found.id)
    return found
