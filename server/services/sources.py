"""Sources of workflows: registered by an operator, or taken over from what a first attestation claimed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.api.paging import Page
from chainloop_ci.api.source_address import SourceAddress, SourceKind, parse_source
from chainloop_ci.api.sources import Source, SourceChange, SourceRequest, WorkflowSource, check_source
from chainloop_ci.errors import ConflictError, LimitExceededError, NotFoundError, RequestInvalidError
from chainloop_ci.findings import Finding
from server.model.audit import AuditAction, audit_of
from server.model.events import EventKind
from server.model.integrations import StoredRegistration
from server.model.paging import Paging, bind
from server.model.principal import ADMINS, Principal
from server.model.sources import (
    MAX_SOURCES,
    StoredSource,
    StoredWorkflowSource,
    claimed_source,
    expected_runs,
    status_context,
)
from server.model.workflows import StoredWorkflow
from server.services.run_details import read_stored_statement
from server.services.run_events import tell
from server.services.source_settings import save_source
from server.services.workflow_access import get_reachable
from server.store import attestations, audit, forge_facts, runs, sources, speakers
from server.store.database import Database
from server.store.times import to_text


@dataclass(frozen=True, slots=True)
class PlacedSource:
    """A workflow's source after a request for it."""

    source: WorkflowSource
    is_new: bool = False
    """The workflow had none before."""
    is_changed: bool = False
    """It says something else than before."""


class Sources:
    """Use cases of sources."""

    def __init__(self, database: Database, now: Callable[[], datetime], new_id: Callable[[], str]) -> None:
        self._database = database
        self._now = now
        self._new_id = new_id

    def list(self, principal: Principal, paging: Paging) -> Page[Source]:
        """Return the sources that workflows in the token's reach come from, newest first."""
        reach = principal.reach
        binding = bind("sources", reach.organization_id, project=reach.project_id, workflow=reach.workflow_id)
        after = paging.after(binding, ("", ""))
        with self._database.read() as connection:
            found = sources.list_page(connection, reach, after=after, limit=paging.limit + 1)
        page = paging.page(found, binding, lambda item: (to_text(item[0].created_at), item[0].id))
        return Page(tuple(source.api(workflows) for source, workflows in page.items), page.next_cursor)

    def get(self, principal: Principal, workflow_id: str) -> WorkflowSource:
        """Return the source of a workflow; where none is registered, the one that its first attestation claimed.

        Raises:
            NotFoundError: there is neither, or no such workflow.
            NotAllowedError: the workflow lies outside the token's scope.
        """
        with self._database.read() as connection:
            workflow = get_reachable(connection, principal, workflow_id)
            found = sources.find_of_workflow(connection, workflow.organization_id, workflow.id)
            shown = found.api() if found else _find_claimed(connection, workflow)
        if shown is None:
            raise NotFoundError(
                f"workflow {workflow.project}/{workflow.name} has no source, and no attestation that claims one",
                hint=f"register it: `chainloop workflow update {workflow.project}/{workflow.name} --source`",
            )
        return shown

    def change(self, principal: Principal, source_id: str, change: SourceChange) -> Source:
        """Change what holds for a repository, whichever workflow's token asks: it is the whole organization's.

        What may be named there is an operator's word; who passes a required check unattested, an administrator's (R35).

        Raises:
            NotFoundError: there is no such source.
            NotAllowedError: the token reaches a part of the organization only, or is no administrator's.
            RequestInvalidError: its forge knows no such thing.
        """
        with self._database.write() as connection:
            before = sources.find(connection, principal.organization_id, source_id)
            if before is None:
                raise NotFoundError(
                    f"there is no source {source_id}", hint="`chainloop workflow source list` names them"
                )
            principal.require_reach(project_id=None)
            if change.is_of_admins:
                principal.require_role(ADMINS)
            _require_possible(before, change)
            after = before.decided(change)
            if after != before:
                now, facts = self._now(), {"source": str(after.address), **after.settings}
                save_source(connection, before, after, now)
                audit.add(connection, audit_of(principal, now, AuditAction.SOURCE_SETTINGS_CHANGED, after.id, facts))
            return after.api(len(sources.names_from(connection, after)))

    def put(self, principal: Principal, workflow_id: str, request: SourceRequest) -> PlacedSource:
        """Register the source of a workflow; the same again changes nothing.

        Raises:
            RequestInvalidError: with everything that is wrong with it.
            ConflictError: a Jenkins job of another workflow (R46), or a status context that is taken (R44).
        """
        with self._database.write() as connection:
            return self.put_in(connection, principal, get_reachable(connection, principal, workflow_id), request)

    def put_in(
        self, connection: Connection, principal: Principal, workflow: StoredWorkflow, request: SourceRequest
    ) -> PlacedSource:
        """Register the source of a workflow within the caller's write transaction; raises what `put` does."""
        _require_valid(request)
        before = sources.find_of_workflow(connection, workflow.organization_id, workflow.id)
        source = self._source_at(connection, principal, parse_source(request.source))
        stays = before is not None and before.source.id == source.id
        since = before.created_at if before is not None and stays else self._now()
        bound = StoredWorkflowSource(workflow.id, source, expected_runs(request), since)
        if before is not None and stays and bound.expected == before.expected:
            return PlacedSource(bound.api())
        if before is not None and not stays:
            _leave(connection, workflow, before.source)
        _require_single(connection, source, workflow)
        if source.repository_id is not None:
            _require_own(connection, source, workflow.project, workflow.name)
        sources.bind(connection, bound)
        self._note(connection, principal, AuditAction.SOURCE_CHANGED, workflow, bound)
        return PlacedSource(bound.api(), is_new=before is None, is_changed=True)

    def remove(self, principal: Principal, workflow_id: str) -> None:
        """Take the source from a workflow; its commits get no verdict any more. One without a source stays so.

        Raises:
            NotFoundError: there is no such workflow.
            NotAllowedError: it lies outside the token's scope.
        """
        with self._database.write() as connection:
            workflow = get_reachable(connection, principal, workflow_id)
            found = self.remove_in(connection, workflow)
            if found is not None:
                self._note(connection, principal, AuditAction.SOURCE_REMOVED, workflow, found)

    def remove_in(self, connection: Connection, workflow: StoredWorkflow) -> StoredWorkflowSource | None:
        """Take the source from a workflow within the caller's write transaction; return what it had, or None."""
        found = sources.find_of_workflow(connection, workflow.organization_id, workflow.id)
        if found is not None:
            _leave(connection, workflow, found.source)
        return found

    def confirm(
        self, organization_id: str, source_id: str, *, repository_id: str, default_branch: str | None
    ) -> StoredSource:
        """Write down what the forge itself told of a source to a credential of the organization.

        Never what a webhook says: whoever registers a source also holds the secret that its webhooks are signed with,
        and could name the repository of another organization.

        Raises:
            NotFoundError: there is no such source.
            ConflictError: another organization owns a status context of one of its workflows there (R44).
        """
        with self._database.write() as connection:
            found = sources.find(connection, organization_id, source_id)
            if found is None:
                raise NotFoundError(f"there is no source {source_id}")
            told = replace(found, repository_id=repository_id, default_branch=default_branch)
            _learn(connection, found, told)
        return told

    def _source_at(self, connection: Connection, principal: Principal, address: SourceAddress) -> StoredSource:
        found = sources.find_by_address(connection, principal.organization_id, address)
        if found is not None:
            return _ask_registrations(connection, found)
        if sources.count(connection, principal.organization_id) >= MAX_SOURCES:
            raise LimitExceededError(f"an organization may have {MAX_SOURCES} sources, and has them")
        source = StoredSource(self._new_id(), principal.organization_id, address, self._now())
        sources.add(connection, source)
        return _ask_registrations(connection, source)

    def _note(
        self,
        connection: Connection,
        principal: Principal,
        action: AuditAction,
        workflow: StoredWorkflow,
        bound: StoredWorkflowSource,
    ) -> None:
        now, facts = self._now(), {"name": workflow.name, "project": workflow.project, **bound.facts()}
        audit.add(connection, audit_of(principal, now, action, workflow.id, facts))
        told = {
            "workflow": workflow.name,
            "project": workflow.project,
            "source": str(bound.source.address),
            "sourceId": bound.source.id,
            "removed": True if action is AuditAction.SOURCE_REMOVED else None,
        }
        place = {"project_id": workflow.project_id, "workflow_id": workflow.id}
        kind = EventKind.SOURCE_CHANGED
        tell(connection, principal, kind, now, self._new_id, subject=workflow.id, **place, facts=told)


def _ask_registrations(connection: Connection, source: StoredSource) -> StoredSource:
    """Return a source with what a registration of the organization knows of it: whose repository it is, by its id."""
    if source.repository_id is not None:
        return source
    bound = sources.find_bound(connection, source.organization_id, source.address)
    if bound is None:
        return source
    known = replace(source, registration_id=bound[0], repository_id=bound[1])
    _learn(connection, source, known)
    return known


def learn_of_registration(connection: Connection, registration: StoredRegistration) -> None:
    """Let sources that were there first know their repository by its number, now that a registration lists it.

    Raises:
        ConflictError: another organization owns a status context of one of their workflows there (R44).
    """
    for item in registration.repositories:
        address = SourceAddress(SourceKind(registration.kind), item.host, item.name)
        found = sources.find_by_address(connection, registration.organization_id, address)
        if found is not None:
            _ask_registrations(connection, found)


def _learn(connection: Connection, before: StoredSource, told: StoredSource) -> None:
    """Write what is known of a source now, and take the contexts of its workflows on that repository."""
    names = sources.names_from(connection, before)
    if before.repository_id not in (None, told.repository_id):
        # Another repository under the old name: what was owned at the old one is of no concern any more.
        speakers.release_contexts(connection, before, [status_context(project, name) for _, project, name in names])
    for _, project, name in names:
        _require_own(connection, told, project, name)
    sources.save(connection, told)


def _leave(connection: Connection, workflow: StoredWorkflow, source: StoredSource) -> None:
    """Take a source from a workflow, with all that only this workflow needed of it."""
    sources.unbind(connection, workflow.organization_id, workflow.id)
    if source.repository_id is not None:
        speakers.release_contexts(connection, source, [status_context(workflow.project, workflow.name)])
    is_told_of = not source.is_untouched or forge_facts.has_news(connection, source.id)
    if not is_told_of and not sources.names_from(connection, source):
        sources.remove(connection, source)


def _require_possible(source: StoredSource, change: SourceChange) -> None:
    if change.token_is_protected and source.address.kind is not SourceKind.GITLAB:
        message = f"only GitLab has protected variables, and {source.address} is none of its projects"
        finding = Finding("invalid-field", message, path="/tokenIsProtected")
        raise RequestInvalidError(message, findings=[finding])


def _require_valid(request: SourceRequest) -> None:
    findings = check_source(request)
    if findings:
        message = "; ".join(finding.message for finding in findings[:5])
        raise RequestInvalidError(f"the source cannot be registered: {message}", findings=findings)


def _require_single(connection: Connection, source: StoredSource, workflow: StoredWorkflow) -> None:
    """Refuse a Jenkins job of another workflow: its signed word ends the runs of one (R46)."""
    if source.address.kind is not SourceKind.JENKINS:
        return
    if any(ident != workflow.id for ident, _, _ in sources.names_from(connection, source)):
        raise ConflictError(
            f"{source.address} is the source of another workflow; a Jenkins job is that of one",
            hint="take it from the other one first: `chainloop workflow source remove`",
        )


def _require_own(connection: Connection, source: StoredSource, project: str, name: str) -> None:
    context = status_context(project, name)
    if not speakers.claim_context(connection, source, context):
        raise ConflictError(
            f"statuses called {context} at {source.address} are posted for somebody else already",
            hint="give project or workflow another name, or ask the operator of this server",
        )


def _find_claimed(connection: Connection, workflow: StoredWorkflow) -> WorkflowSource | None:
    run_id = sources.find_first_claim(connection, workflow.organization_id, workflow.id)
    run = runs.find(connection, workflow.organization_id, run_id) if run_id else None
    if run is None:
        return None
    stored = attestations.find_of_run(connection, workflow.organization_id, run.id)
    file = read_stored_statement(stored).runner.workflow_file_path if stored else ""
    return claimed_source(workflow.id, run.id, run.ci, file)
