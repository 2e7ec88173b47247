"""All that a job needs to begin, in one answer; nothing is created by asking (R2)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.api.limits import MAX_INLINE_BYTES
from chainloop_ci.api.runs import CasDescription, CraftingContext
from chainloop_ci.api.words import CasBackend
from chainloop_ci.errors import Finding, NotAllowedError, NotFoundError, RequestInvalidError
from server.model.organizations import StoredOrganization
from server.model.principal import Principal
from server.services.contract_documents import describe_revision
from server.services.revision_rules import get_pin, require_minimum, require_revision, require_unblocked
from server.services.upcoming import list_upcoming
from server.store import verification_keys, workflows
from server.store.database import Database


class Crafting:
    """The use case behind `attestation init`."""

    def __init__(self, database: Database, now: Callable[[], datetime], max_blob_bytes: int) -> None:
        self._database = database
        self._now = now
        self._max_blob_bytes = max_blob_bytes

    def context(
        self, principal: Principal, workflow: str | None, project: str | None, revision: int | None
    ) -> CraftingContext:
        """Return the workflow, the pinned contract revision, and what else a job must know.

        Names may be left out where the token's scope says them.

        Raises:
            NotFoundError: no such workflow, with the command that makes one (R2); or no such revision.
            NotAllowedError: the names are not those of the token's workflow.
            RequestInvalidError: no workflow is named, or the name is not unique.
            ContractNotMetError: the revision is older than the workflow takes (R19).
            WorkflowBlockedError: an operator has blocked the workflow (R39).
        """
        now = self._now()
        with self._database.read() as connection:
            workflow_id = _find_workflow(connection, principal, workflow, project)
            pin = get_pin(connection, principal, workflow_id, revision, now)
            require_unblocked(pin)
            pinned, found = require_revision(pin, revision), pin.workflow
            require_minimum(pin, pinned.revision)
            newer = list_upcoming(connection, pin, pinned, now)
            keys = verification_keys.list_for_workflow(connection, found.organization_id, found.project_id, found.id)
        return CraftingContext(
            organization=found.organization,
            workflow=found.api(now),
            contract=describe_revision(pinned),
            cas=self._cas(pin.organization),
            token_id=principal.token_id,
            role=principal.role,
            run_expiry_seconds=pin.run_life_seconds,
            has_verification_key=any(key.usable_at(now) for key in keys),
            upcoming=tuple(map(describe_revision, newer)),
        )

    def _cas(self, organization: StoredOrganization) -> CasDescription:
        inline = organization.cas_backend is CasBackend.INLINE
        limit = MAX_INLINE_BYTES if inline else self._max_blob_bytes
        return CasDescription(organization.cas_backend, organization.cas_backend, limit)


def _find_workflow(connection: Connection, principal: Principal, workflow: str | None, project: str | None) -> str:
    """Return the id of the workflow that is meant."""
    if principal.workflow_id is not None:
        _require_own_names(principal, workflow, project)
        return principal.workflow_id
    if workflow is None:
        message = "say which workflow: only a token bound to one leaves it out"
        hint = "add `--workflow` (and `--project`)"
        raise RequestInvalidError(message, hint=hint, findings=[Finding("missing-workflow", message, "?workflow")])
    project = project or principal.project
    if project is None:
        return _find_unique(connection, principal, workflow)
    found = workflows.find_by_name(connection, principal.organization_id, project, workflow)
    if found is None:
        _require_project(principal, project)
        raise _absent(workflow, project)
    return found.id


def _find_unique(connection: Connection, principal: Principal, workflow: str) -> str:
    found = workflows.list_named(connection, principal.organization_id, workflow, project_id=None, limit=10)
    if not found:
        raise _absent(workflow, "<project>")
    if len(found) > 1:
        names = ", ".join(item.project for item in found)
        message = f"several projects have a workflow {workflow}: {names}"
        findings = [Finding("missing-project", message, "?project")]
        raise RequestInvalidError(message, hint="add `--project`", findings=findings)
    return found[0].id


def _require_own_names(principal: Principal, workflow: str | None, project: str | None) -> None:
    given = f"{project or principal.project}/{workflow or principal.workflow}"
    own = f"{principal.project}/{principal.workflow}"
    if given != own:
        raise NotAllowedError(
            f"this token is bound to workflow {own}, the request names {given}",
            hint="leave `--workflow` and `--project` out, or use the token of that workflow",
        )


def _require_project(principal: Principal, project: str) -> None:
    """A token bound to a project learns nothing about the workflows of others."""
    if principal.project is not None and principal.project != project:
        principal.require_reach(project_id=None)


def _absent(workflow: str, project: str) -> NotFoundError:
    return NotFoundError(
        f"there is no workflow {project[:63]}/{workflow[:63]}",
        hint="`attestation init` makes none; an operator types "
        f"`chainloop workflow create --name {workflow[:63]} --project {project[:63]}`",
    )
