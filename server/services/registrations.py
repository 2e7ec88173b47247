"""Registered integrations: an administrator says whom the organization tells things, and with which credential (R44).

The third party is asked before anything is written, outside of every transaction: nobody waits for it but the
administrator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy import Connection

from chainloop_ci.api.integrations import (
    AvailableIntegration,
    Registration,
    RegistrationChange,
    RegistrationRequest,
)
from chainloop_ci.api.paging import Page
from chainloop_ci.api.source_address import forge_key
from chainloop_ci.errors import ConflictError, Finding, LimitExceededError, NotFoundError, RequestInvalidError
from server.errors import SecretUnreadableError
from server.integrations.types import Checked, Integration, Tools, target_of
from server.model.audit import AuditAction, audit_of
from server.model.deliveries import Breaker
from server.model.events import EventKind
from server.model.integrations import MAX_REGISTRATIONS, RegistrationState, StoredRegistration
from server.model.paging import Paging, bind
from server.model.principal import Principal
from server.model.roll_up import ROLL_UP_CONTEXT
from server.services.app_installations import bind_installation, bind_installation_if_free, release_installations
from server.services.credentials import Credentials
from server.services.inventories import forget_repositories_of
from server.services.registration_rules import (
    read_host,
    require_credentials,
    require_integration,
    require_known,
    require_settings,
)
from server.services.registration_views import describe, describe_all
from server.services.run_events import tell
from server.services.source_settings import learn_visibility
from server.services.sources import learn_of_registration
from server.store import audit, deliveries, inventories, registrations, speakers
from server.store.database import Database
from server.store.times import to_text

REMOVED = "registration-removed"
"""What a delivery ends with that nobody is left for."""


class Registrations:
    """Use cases of registrations."""

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        *,
        integrations: Mapping[str, Integration],
        credentials: Credentials,
        tools: Tools,
    ) -> None:
        self._database = database
        self._now = now
        self._new_id = new_id
        self._integrations = integrations
        self._credentials = credentials
        self._tools = tools

    def available(self) -> Page[AvailableIntegration]:
        """Return the integrations that this server knows."""
        return Page(tuple(_available(item) for _, item in sorted(self._integrations.items())))

    def register(self, principal: Principal, request: RegistrationRequest) -> Registration:
        """Register an integration after its third party has taken settings and credentials.

        Raises:
            RequestInvalidError: settings, credentials or address do not fit, or the third party does not take them.
            EgressError: it does not answer, or is not one that this server speaks to.
            ConflictError: the name is taken, or another organization has one of the repositories or the installation.
        """
        principal.require_reach(project_id=None)
        integration = require_integration(self._integrations, request.kind)
        require_settings(integration.settings_schema, request.settings)
        require_known(integration, request.credentials, "/credentials")
        require_credentials(integration, request.credentials)
        with self._database.read() as connection:
            _require_new(connection, principal, request.name)
        draft = StoredRegistration(
            id=self._new_id(),
            organization_id=principal.organization_id,
            kind=request.kind.value,
            name=request.name,
            created_at=self._now(),
            created_by=principal.token_id,
            host=read_host(integration, request.url, self._tools),
            settings=request.settings,
        )
        checked = self._ask(integration, draft, request.credentials)
        with self._database.write() as connection:
            _require_new(connection, principal, request.name)
            known = _with_answer(draft, checked, self._now())
            # First what may be refused: with the first credential a key is made.
            _require_speaker(connection, known)
            registration = self._credentials.seal(connection, known, request.credentials)
            registrations.add(connection, registration)
            bind_installation(connection, registration, checked.installation, principal, self._now())
            learn_of_registration(connection, registration)
            learn_visibility(connection, registration, checked.visibility, self._now())
            self._note(connection, principal, AuditAction.INTEGRATION_REGISTERED, registration, _facts(registration))
            return describe(connection, registration, self._now())

    def change(self, principal: Principal, registration_id: str, change: RegistrationChange) -> Registration:
        """Change a registration; the third party is asked again, and what waited for it goes on.

        Raises:
            RequestInvalidError: as `register`; another address without all credentials anew (R44).
            NotFoundError: there is none of that id.
        """
        with self._database.read() as connection:
            before = _get_own(connection, principal, registration_id)
        integration = require_integration(self._integrations, before.kind)
        host = before.host if change.url is None else read_host(integration, change.url, self._tools)
        draft = replace(before, host=host, settings=before.settings if change.settings is None else change.settings)
        require_settings(integration.settings_schema, draft.settings)
        credentials = self._changed_credentials(integration, before, draft, change)
        checked = self._ask(integration, draft, credentials)
        with self._database.write() as connection:
            # Somebody else may have paused or removed it meanwhile.
            found = _get_own(connection, principal, registration_id)
            known = _with_answer(draft, checked, self._now())
            after = replace(known, state=found.state, paused_reason=found.paused_reason)
            _require_speaker(connection, after)
            after = self._credentials.seal(connection, after, credentials)
            forget_repositories_of(connection, before, after)
            self._resume(connection, principal, after)
            release_installations(connection, principal, self._now())
            bind_installation(connection, after, checked.installation, principal, self._now())
            learn_of_registration(connection, after)
            learn_visibility(connection, after, checked.visibility, self._now())
            detail = {
                **_facts(after),
                "credentials_changed": sorted({*change.credentials, *change.dropped_credentials}),
            }
            self._note(connection, principal, AuditAction.INTEGRATION_CHANGED, after, detail)
            return describe(connection, _get_own(connection, principal, registration_id), self._now())

    def check(self, principal: Principal, registration_id: str) -> Registration:
        """Ask the third party again and write down what it says; an App's installation that is free is bound (R42)."""
        with self._database.read() as connection:
            found = _get_own(connection, principal, registration_id)
        integration = require_integration(self._integrations, found.kind)
        checked = integration.check(target_of(found, self._credentials.open(found)), self._tools)
        with self._database.write() as connection:
            note_check(connection, found, checked, self._now(), principal)
            return describe(connection, _get_own(connection, principal, registration_id), self._now())

    def pause(self, principal: Principal, registration_id: str) -> Registration:
        """Send nothing until it is resumed; what is due waits."""
        with self._database.write() as connection:
            found = _get_own(connection, principal, registration_id)
            reason = f"paused by {principal.token_name}"
            if registrations.pause(connection, found.id, reason):
                self._note(connection, principal, AuditAction.INTEGRATION_PAUSED, found, {})
                self._tell(connection, principal, EventKind.INTEGRATION_PAUSED, found, reason=reason)
            return describe(connection, _get_own(connection, principal, registration_id), self._now())

    def resume(self, principal: Principal, registration_id: str) -> Registration:
        """Go on, with what waited first."""
        with self._database.write() as connection:
            found = _get_own(connection, principal, registration_id)
            if found.state is RegistrationState.PAUSED:
                self._note(connection, principal, AuditAction.INTEGRATION_RESUMED, found, {})
            self._resume(connection, principal, found)
            return describe(connection, _get_own(connection, principal, registration_id), self._now())

    def remove(self, principal: Principal, registration_id: str) -> None:
        """Forget the credentials, end the attachments and what waits; what was told stays listed."""
        now = self._now()
        with self._database.write() as connection:
            found = _get_own(connection, principal, registration_id)
            for attachment in registrations.list_attachments(
                connection, principal.organization_id, registration_id=found.id
            ):
                registrations.save_attachment(connection, replace(attachment, removed_at=now))
            deliveries.end_waiting(connection, found.id, REMOVED, now)
            inventories.forget(connection, found)
            gone = replace(found, sealed=None, credential_names=(), repositories=(), removed_at=now)
            registrations.save(connection, gone)
            release_installations(connection, principal, now)
            self._note(connection, principal, AuditAction.INTEGRATION_REMOVED, found, {})

    def list(self, principal: Principal, paging: Paging) -> Page[Registration]:
        """Return the registrations, newest first."""
        principal.require_reach(project_id=None)
        binding = bind("registrations", principal.organization_id)
        after = paging.after(binding, ("", ""))
        with self._database.read() as connection:
            found = registrations.list_page(connection, principal.organization_id, after=after, limit=paging.limit + 1)
            page = paging.page(found, binding, lambda item: (to_text(item.created_at), item.id))
            return Page(describe_all(connection, page.items, self._now()), page.next_cursor)

    def get(self, principal: Principal, registration_id: str) -> Registration:
        """Return a registration.

        Raises:
            NotFoundError: there is none of that id, or it was removed.
        """
        with self._database.read() as connection:
            return describe(connection, _get_own(connection, principal, registration_id), self._now())

    def _changed_credentials(
        self,
        integration: Integration,
        before: StoredRegistration,
        draft: StoredRegistration,
        change: RegistrationChange,
    ) -> Mapping[str, str]:
        require_known(integration, change.credentials, "/credentials")
        require_known(integration, change.dropped_credentials, "/droppedCredentials")
        credentials = dict(change.credentials)
        if draft.host == before.host:
            kept = self._kept_credentials(before, change)
            for name, place in integration.kept_credentials.items():
                if name in kept and change.credentials.get(name, kept[name]) != kept[name]:
                    kept[place] = kept[name]
            credentials = {**kept, **credentials}
        for name in change.dropped_credentials:
            credentials.pop(name, None)
        try:
            require_credentials(integration, credentials)
        except RequestInvalidError as error:
            if draft.host != before.host:
                error.hint = "another address needs the credentials again: whoever may change it need not know them"
            raise
        return credentials

    def _kept_credentials(self, before: StoredRegistration, change: RegistrationChange) -> dict[str, str]:
        try:
            return dict(self._credentials.open(before))
        except SecretUnreadableError as error:
            # With the key lost, whoever enters the credential anew must not need the one that nobody can open.
            # What was moved to another host is no such case: the credential would be sent there.
            if not (error.key_is_missing and change.credentials):
                raise
            return {}

    def _ask(self, integration: Integration, draft: StoredRegistration, credentials: Mapping[str, str]) -> Checked:
        checked = integration.check(target_of(draft, credentials), self._tools)
        _require_taken(integration, checked)
        return checked

    def _resume(self, connection: Connection, principal: Principal, registration: StoredRegistration) -> None:
        was_paused = registration.state is RegistrationState.PAUSED
        active = replace(registration, state=RegistrationState.ACTIVE, paused_reason="", breaker=Breaker())
        registrations.save(connection, active)
        waiting = deliveries.make_due(connection, registration.id, self._now())
        if was_paused:
            self._tell(connection, principal, EventKind.INTEGRATION_RESUMED, registration, waiting=waiting)

    def _tell(
        self,
        connection: Connection,
        principal: Principal,
        kind: EventKind,
        registration: StoredRegistration,
        **facts: object,
    ) -> None:
        told = {"registration": registration.name, **facts}
        tell(connection, principal, kind, self._now(), self._new_id, subject=registration.id, facts=told)

    def _note(
        self,
        connection: Connection,
        principal: Principal,
        action: AuditAction,
        registration: StoredRegistration,
        detail: Mapping[str, object],
    ) -> None:
        facts = {"name": registration.name, "kind": registration.kind, **detail}
        audit.add(connection, audit_of(principal, self._now(), action, registration.id, facts))


def find_named(connection: Connection, principal: Principal, name_or_id: str) -> StoredRegistration:
    """Return a registration of the organization by its name or id.

    Raises:
        NotFoundError: there is none.
    """
    found = registrations.find_by_name(connection, principal.organization_id, name_or_id)
    return found or _get(connection, principal, name_or_id)


def note_check(
    connection: Connection,
    registration: StoredRegistration,
    checked: Checked,
    now: datetime,
    principal: Principal | None = None,
) -> None:
    """Write down what the third party said, of its repositories too, and bind what it has shown.

    Without a principal the server asked.
    """
    taken = bind_installation_if_free(connection, registration, checked.installation, principal, now)
    told = (*checked.findings, *checked.warnings, *taken)
    registrations.note_check(connection, registration, now, told, checked.credential_expires_at, checked.facts)
    learn_visibility(connection, registration, checked.visibility, now)


def _with_answer(draft: StoredRegistration, checked: Checked, now: datetime) -> StoredRegistration:
    """Return a registration with what the third party says of it."""
    return replace(
        draft,
        credential_expires_at=checked.credential_expires_at,
        checked_at=now,
        findings=checked.warnings,
        facts=checked.facts,
        repositories=checked.repositories,
    )


def _get_own(connection: Connection, principal: Principal, registration_id: str) -> StoredRegistration:
    """Return a registration; it belongs to the organization as a whole."""
    found = _get(connection, principal, registration_id)
    principal.require_reach(project_id=None)
    return found


def _get(connection: Connection, principal: Principal, registration_id: str) -> StoredRegistration:
    found = registrations.find(connection, principal.organization_id, registration_id)
    if found is None or found.removed_at is not None:
        raise NotFoundError(
            f"there is no registration {registration_id[:63]}",
            hint="`chainloop integration registered list` names them",
        )
    return found


def _require_new(connection: Connection, principal: Principal, name: str) -> None:
    if registrations.find_by_name(connection, principal.organization_id, name):
        raise ConflictError(
            f"there is already a registration {name}",
            hint="choose another name, or change it with `chainloop integration registered update`",
        )
    if registrations.count(connection, principal.organization_id) >= MAX_REGISTRATIONS:
        raise LimitExceededError(f"an organization may have {MAX_REGISTRATIONS} registrations, and has them")


def _require_speaker(connection: Connection, registration: StoredRegistration) -> None:
    """Refuse a repository that another organization speaks for; which one is not said (R44)."""
    for item in registration.repositories:
        # What a registration tells first is the roll-up: it has the same author as every other name.
        speaker = speakers.find_speaker(connection, forge_key(item.host), item.repository_id, ROLL_UP_CONTEXT)
        if speaker not in (None, registration.organization_id):
            raise ConflictError(
                f"another organization of this server already speaks for {item.name[:140]}",
                hint="a context of a commit has one author; the server's operator knows which organization it is",
            )


def _require_taken(integration: Integration, checked: Checked) -> None:
    if checked.findings:
        findings = [Finding("integration-check", message) for message in checked.findings]
        # Several stand in a list below the message.
        said = checked.findings[0] if len(findings) == 1 else f"{len(findings)} things are wrong"
        message = f"{integration.kind} was asked, and this will not do: {said}"
        raise RequestInvalidError(message, hint="correct it there or here, then repeat", findings=findings)


def _available(integration: Integration) -> AvailableIntegration:
    return AvailableIntegration(
        kind=integration.kind,
        title=integration.title,
        events=integration.events,
        settings_schema=dict(integration.settings_schema),
        attachment_schema=dict(integration.attachment_schema),
        credentials=integration.credential_names,
        required_credentials=tuple("+".join(names) for names in integration.required_credentials),
        usual_url=integration.usual_host,
    )


def _facts(registration: StoredRegistration) -> dict[str, object]:
    """Return what an audit record says; an address may hold a secret in its path or query."""
    return {
        "host": urlsplit(registration.host).netloc,
        "credentials": list(registration.credential_names),
        "repositories": [item.name for item in registration.repositories][:50],
        "expires_at": registration.credential_expires_at and to_text(registration.credential_expires_at),
    }
