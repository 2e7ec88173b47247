"""Workflows: what attests, against which contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.api.paging import Page
from chainloop_ci.api.record import camel
from chainloop_ci.api.workflows import Project, Workflow, WorkflowChange, WorkflowRequest
from chainloop_ci.contract.types import ContractFormat
from chainloop_ci.errors import ConflictError, LimitExceededError, NotFoundError
from server.model.audit import AuditAction, audit_of
from server.model.contracts import StoredContract
from server.model.events import EventKind
from server.model.paging import Paging, bind
from server.model.principal import Principal
from server.model.workflows import (
    EMPTY_CONTRACT,
    MAX_WORKFLOWS,
    StoredWorkflow,
    WorkflowFilters,
    automatic_contract_name,
)
from server.services.contract_documents import load_for_name
from server.services.contracts import Contracts, get_contract, get_readable
from server.services.projects import Projects
from server.services.run_events import tell
from server.services.sources import Sources
from server.services.workflow_access import get_reachable
from server.store import audit, contracts, projects, registrations, tokens, verification_keys, workflows
from server.store.database import Database
from server.store.times import to_text

MAX_NAME_ATTEMPTS = 100
"""Numbers that are tried for the name of an automatic contract."""


class Workflows:
    """Use cases of workflows."""

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        *,
        projects: Projects,
        contracts: Contracts,
        sources: Sources,
    ) -> None:
        self._database = database
        self._now = now
        self._new_id = new_id
        self._projects = projects
        self._contracts = contracts
        self._sources = sources

    def create(self, principal: Principal, request: WorkflowRequest) -> Workflow:
        """Create a workflow; a new project and an empty contract come with it where they are needed.

        Raises:
            ConflictError: the project has a workflow of that name.
            NotFoundError: the named contract does not exist.
            NotAllowedError: project or contract lies outside the token's scope.
        """
        with self._database.write() as connection:
            return self.create_in(connection, principal, request).api(self._now())

    def create_in(self, connection: Connection, principal: Principal, request: WorkflowRequest) -> StoredWorkflow:
        """Create a workflow within the caller's write transaction; raises what `create` does."""
        project = self._project(connection, principal, request.project)
        if workflows.find_by_name(connection, principal.organization_id, project.name, request.name):
            raise ConflictError(
                f"project {project.name} already has a workflow {request.name}",
                hint="choose another name, or change it with `chainloop workflow update`",
            )
        if workflows.count(connection, principal.organization_id) >= MAX_WORKFLOWS:
            raise LimitExceededError(f"an organization may have {MAX_WORKFLOWS} workflows, and has them")
        contract = self._contract(connection, principal, project, request)
        workflow = self._new(principal, project, contract, request)
        workflows.add(connection, workflow)
        self._note(connection, principal, AuditAction.WORKFLOW_CREATED, workflow, {"contract": workflow.contract})
        if request.source is not None:
            self._sources.put_in(connection, principal, workflow, request.source)
        return workflow

    def list(self, principal: Principal, filters: WorkflowFilters, paging: Paging) -> Page[Workflow]:
        """Return the workflows that the token reaches, newest first."""
        filters = replace(filters, project_id=principal.project_id, workflow_id=principal.workflow_id)
        binding = bind("workflows", principal.organization_id, **asdict(filters))
        after = paging.after(binding, ("", ""))
        with self._database.read() as connection:
            found = workflows.list_page(
                connection, principal.organization_id, filters, after=after, limit=paging.limit + 1
            )
        page = paging.page(found, binding, lambda item: (to_text(item.created_at), item.id))
        now = self._now()
        return Page(tuple(item.api(now) for item in page.items), page.next_cursor)

    def get(self, principal: Principal, workflow_id: str) -> Workflow:
        """Return a workflow.

        Raises:
            NotFoundError: there is none of that id.
            NotAllowedError: it lies outside the token's scope.
        """
        with self._database.read() as connection:
            return get_reachable(connection, principal, workflow_id).api(self._now())

    def change(self, principal: Principal, workflow_id: str, change: WorkflowChange) -> Workflow:
        """Change a workflow; what is left out stays.

        Raises:
            NotFoundError: the workflow, the named contract or the minimum revision does not exist.
        """
        with self._database.write() as connection:
            workflow = get_reachable(connection, principal, workflow_id)
            return self.change_in(connection, principal, workflow, change).api(self._now())

    def change_in(
        self, connection: Connection, principal: Principal, before: StoredWorkflow, change: WorkflowChange
    ) -> StoredWorkflow:
        """Change a workflow within the caller's write transaction; one that is as wanted is the same again."""
        workflow, now = before, self._now()
        if change.contract is not None:
            workflow = workflow.with_contract(get_readable(connection, principal, change.contract), now)
        if change.minimum_revision is not None:
            _require_revision(workflow, change.minimum_revision)
            workflow = workflow.with_minimum(change.minimum_revision, now)
        if change.public_contract is not None:
            workflow = workflow.with_public_contract(change.public_contract, self._new_id)
        workflow = replace(
            workflow,
            team=workflow.team if change.team is None else change.team,
            description=workflow.description if change.description is None else change.description,
            run_expiry_seconds=change.run_expiry_seconds or workflow.run_expiry_seconds,
            public_verdict=workflow.public_verdict if change.public_verdict is None else change.public_verdict,
        )
        workflows.save(connection, workflow)
        if workflow != before:
            changes = _differences(before, workflow)
            self._note(connection, principal, AuditAction.WORKFLOW_CHANGED, workflow, changes)
            self._tell(connection, principal, workflow, sorted(changes), now)
        return workflow

    def delete(self, principal: Principal, workflow_id: str) -> None:
        """Delete a workflow that never had a run; its ended tokens, its key bindings and its attachments go with it.

        Raises:
            ConflictError: it has runs, or tokens that still work.
        """
        with self._database.write() as connection:
            workflow = get_reachable(connection, principal, workflow_id)
            if workflow.runs_count:
                raise ConflictError(
                    f"workflow {workflow.project}/{workflow.name} has {workflow.runs_count} "
                    + ("run, which is kept" if workflow.runs_count == 1 else "runs, which are kept"),
                    hint="leave it: its runs need it. When its jobs' tokens are revoked (`chainloop organization "
                    "api-token revoke`) no run begins any more; a workflow in its place gets another name",
                )
            active = tokens.names_of_workflow(connection, principal.organization_id, workflow_id, self._now())
            if active:
                raise ConflictError(
                    f"workflow {workflow.project}/{workflow.name} has service accounts: {', '.join(active[:10])}",
                    hint="revoke them first: `chainloop organization api-token revoke`",
                )
            tokens.remove_of_workflow(connection, principal.organization_id, workflow_id)
            verification_keys.unbind_workflow(connection, principal.organization_id, workflow_id)
            self._sources.remove_in(connection, workflow)
            registrations.remove_attachments_of(connection, principal.organization_id, workflow_id)
            workflows.remove(connection, principal.organization_id, workflow_id)
            self._note(connection, principal, AuditAction.WORKFLOW_DELETED, workflow, {})

    def _note(
        self,
        connection: Connection,
        principal: Principal,
        action: AuditAction,
        workflow: StoredWorkflow,
        detail: Mapping[str, object],
    ) -> None:
        facts = {"name": workflow.name, "project": workflow.project, **detail}
        audit.add(connection, audit_of(principal, self._now(), action, workflow.id, facts))

    def _tell(
        self,
        connection: Connection,
        principal: Principal,
        workflow: StoredWorkflow,
        changed: Sequence[str],
        now: datetime,
    ) -> None:
        told = {"workflow": workflow.name, "project": workflow.project, "changed": [camel(name) for name in changed]}
        place = {"project_id": workflow.project_id, "workflow_id": workflow.id}
        kind = EventKind.WORKFLOW_CHANGED
        tell(connection, principal, kind, now, self._new_id, subject=workflow.id, **place, facts=told)

    def _project(self, connection: Connection, principal: Principal, name: str) -> Project:
        found = projects.find_by_name(connection, principal.organization_id, name)
        project = found or self._projects.create_in(connection, principal, name)
        principal.require_reach(project_id=project.id)
        return project

    def _contract(
        self, connection: Connection, principal: Principal, project: Project, request: WorkflowRequest
    ) -> StoredContract:
        if request.contract is not None:
            return get_readable(connection, principal, request.contract)
        for attempt in range(1, MAX_NAME_ATTEMPTS + 1):
            name = automatic_contract_name(project.name, request.name, attempt)
            if contracts.find_by_name(connection, principal.organization_id, name) is None:
                loaded = load_for_name(EMPTY_CONTRACT.format(name=name).encode(), ContractFormat.YAML, name)
                self._contracts.create_in(connection, principal, name, loaded, None)
                return get_contract(connection, principal, name)
        raise ConflictError(
            f"no name is free for the contract of workflow {project.name}/{request.name}",
            hint="name a contract: `--contract`",
        )

    def _new(
        self, principal: Principal, project: Project, contract: StoredContract, request: WorkflowRequest
    ) -> StoredWorkflow:
        return StoredWorkflow(
            id=self._new_id(),
            organization_id=principal.organization_id,
            organization=principal.organization,
            project_id=project.id,
            project=project.name,
            contract_id=contract.id,
            contract=contract.name,
            contract_revision=contract.latest_revision,
            name=request.name,
            created_at=self._now(),
            team=request.team,
            description=request.description,
            run_expiry_seconds=request.run_expiry_seconds,
        )


def _differences(before: StoredWorkflow, after: StoredWorkflow) -> dict[str, object]:
    names = (
        "contract",
        "team",
        "description",
        "run_expiry_seconds",
        "minimum_revision",
        "has_public_contract",
        "public_verdict",
    )
    return {
        name: {"from": getattr(before, name), "to": getattr(after, name)}
        for name in names
        if getattr(before, name) != getattr(after, name)
    }


def _require_revision(workflow: StoredWorkflow, revision: int) -> None:
    if revision > workflow.contract_revision:
        raise NotFoundError(
            f"contract {workflow.contract} has no revision {revision}; the newest is {workflow.contract_revision}",
            hint="a minimum revision is one that there is, or 0 for the enforced one",
        )
