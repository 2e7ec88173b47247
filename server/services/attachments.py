"""Attachments: which registration is told what happens in the organization, in a project, in a workflow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.api.integrations import Attachment, AttachmentRequest
from chainloop_ci.api.paging import Page
from chainloop_ci.errors import ConflictError, Finding, LimitExceededError, NotFoundError, RequestInvalidError
from server.integrations.types import Integration
from server.model.audit import AuditAction, audit_of
from server.model.events import EventKind
from server.model.integrations import MAX_ATTACHMENTS, StoredAttachment, matches
from server.model.paging import Paging, bind
from server.model.principal import Principal
from server.services.registration_rules import require_integration, require_settings
from server.services.registrations import find_named
from server.store import audit, projects, registrations, workflows
from server.store.database import Database
from server.store.times import to_text


class Attachments:
    """Use cases of attachments."""

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        *,
        integrations: Mapping[str, Integration],
    ) -> None:
        self._database = database
        self._now = now
        self._new_id = new_id
        self._integrations = integrations

    def attach(self, principal: Principal, request: AttachmentRequest) -> Attachment:
        """Let a registration be told what happens from now on.

        Raises:
            NotFoundError: there is no such registration, project or workflow.
            NotAllowedError: the place lies outside the token's scope.
            RequestInvalidError: a filter that no event fits, or settings that do not fit the integration.
            ConflictError: it is attached in just this way already.
        """
        _require_events(request.events)
        with self._database.write() as connection:
            # Where before who: a token of a part of the organization is told nothing of what lies beside it.
            project_id, workflow_id = _place(connection, principal, request)
            principal.require_reach(project_id=project_id, workflow_id=workflow_id)
            registration = find_named(connection, principal, request.registration)
            integration = require_integration(self._integrations, registration.kind)
            require_settings(integration.attachment_schema, request.settings)
            counted = registrations.count_attachments(connection, principal.organization_id, [registration.id])
            if counted.get(registration.id, 0) >= MAX_ATTACHMENTS:
                raise LimitExceededError(f"a registration may have {MAX_ATTACHMENTS} attachments, and has them")
            attachment = StoredAttachment(
                id=self._new_id(),
                organization_id=principal.organization_id,
                registration_id=registration.id,
                kind=registration.kind,
                created_at=self._now(),
                created_by=principal.token_id,
                project_id=project_id,
                workflow_id=workflow_id,
                events=tuple(dict.fromkeys(request.events)),
                settings=request.settings,
                project=request.project,
                workflow=request.workflow,
                registration=registration.name,
            )
            _require_new(connection, attachment)
            registrations.add_attachment(connection, attachment)
            self._note(connection, principal, AuditAction.INTEGRATION_ATTACHED, attachment)
        return attachment.api()

    def list(self, principal: Principal, registration: str | None, paging: Paging) -> Page[Attachment]:
        """Return the attachments that say something of what the token reaches, oldest first."""
        binding = bind("attachments", principal.organization_id, project=principal.project_id, of=registration)
        after = paging.after(binding, ("", ""))
        with self._database.read() as connection:
            found = registrations.list_attachments(connection, principal.organization_id)
        reached = [
            item
            for item in found
            if principal.reaches(project_id=item.project_id, workflow_id=item.workflow_id)
            and registration in (None, item.registration, item.registration_id)
            and (after is None or _key(item) > after)
        ]
        page = paging.page(reached[: paging.limit + 1], binding, _key)
        return Page(tuple(item.api() for item in page.items), page.next_cursor)

    def detach(self, principal: Principal, attachment_id: str) -> None:
        """Tell it nothing more; what waits already is still delivered.

        Raises:
            NotFoundError: there is none of that id, or it was removed.
        """
        with self._database.write() as connection:
            found = registrations.find_attachment(connection, principal.organization_id, attachment_id)
            if found is None or found.removed_at is not None:
                raise NotFoundError(
                    f"there is no attachment {attachment_id}", hint="`chainloop integration attached list` shows ids"
                )
            principal.require_reach(project_id=found.project_id, workflow_id=found.workflow_id)
            registrations.save_attachment(connection, replace(found, removed_at=self._now()))
            self._note(connection, principal, AuditAction.INTEGRATION_DETACHED, found)

    def _note(
        self, connection: Connection, principal: Principal, action: AuditAction, attachment: StoredAttachment
    ) -> None:
        facts = {
            "registration": attachment.registration,
            "project": attachment.project,
            "workflow": attachment.workflow,
            "events": list(attachment.events),
        }
        audit.add(connection, audit_of(principal, self._now(), action, attachment.id, facts))


def _key(attachment: StoredAttachment) -> tuple[str, str]:
    return to_text(attachment.created_at), attachment.id


def _require_new(connection: Connection, attachment: StoredAttachment) -> None:
    """Refuse what is attached in just this way already: it would be told everything twice."""
    told = (attachment.project_id, attachment.workflow_id, set(attachment.events), attachment.settings)
    for one in registrations.list_attachments(
        connection, attachment.organization_id, registration_id=attachment.registration_id
    ):
        if (one.project_id, one.workflow_id, set(one.events), one.settings) == told:
            raise ConflictError(
                f"{attachment.registration} is attached there already, with the same events and settings: {one.id}",
                hint="nothing is left to do; `chainloop integration attached list` shows them",
            )


def _require_events(patterns: tuple[str, ...]) -> None:
    """Refuse a pattern that no kind of event fits: who wrote it waits for something that never comes."""
    findings = [
        Finding("unknown-event", f"no kind of event is called {pattern!r}", path=f"/events/{index}")
        for index, pattern in enumerate(patterns)
        if not any(matches(kind, pattern) for kind in EventKind)
    ]
    if findings:
        kinds = ", ".join(sorted(EventKind))
        raise RequestInvalidError(
            "; ".join(item.message for item in findings), hint=f"there are: {kinds}", findings=findings
        )


def _place(connection: Connection, principal: Principal, request: AttachmentRequest) -> tuple[str | None, str | None]:
    """Return the ids of project and workflow that a request names."""
    if request.workflow is not None and request.project is None:
        message = "a workflow is named together with its project"
        raise RequestInvalidError(message, findings=[Finding("project-missing", message, path="/project")])
    if request.project is None:
        return None, None
    project = projects.find_by_name(connection, principal.organization_id, request.project)
    if project is None:
        raise NotFoundError(f"there is no project {request.project}", hint="`chainloop workflow list` names projects")
    if request.workflow is None:
        return project.id, None
    workflow = workflows.find_by_name(connection, principal.organization_id, request.project, request.workflow)
    if workflow is None:
        raise NotFoundError(
            f"project {request.project} has no workflow {request.workflow}", hint="`chainloop workflow list` names them"
        )
    return project.id, workflow.id
