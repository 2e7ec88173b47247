"""Whose an installation of a GitHub App is: who has shown the App's own key has it, and nobody else (R42)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.errors import ConflictError
from server.model.app_installations import ENDING_ACTIONS, BoundInstallation, Installation
from server.model.audit import SERVER_ACTOR, AuditAction, AuditRecord, audit_of
from server.model.events import Event, EventKind
from server.model.integrations import MAX_REGISTRATIONS, StoredRegistration
from server.model.principal import Principal
from server.model.stored_text import storable
from server.store import app_installations, audit, registrations

MAX_ACCOUNT = 255
"""Characters of an account's name that are kept."""


class AppInstallations:
    """What the dispatcher does when an account suspends the App or removes it."""

    def __init__(self, now: Callable[[], datetime], app_host: str) -> None:
        """`app_host`: the forge whose App has the one endpoint."""
        self._now = now
        self._app_host = app_host

    def follow(self, connection: Connection, event: Event) -> None:
        """End the binding that an event ends; other events are others' to follow."""
        if event.kind is not EventKind.INSTALLATION_CHANGED or event.facts.get("action") not in ENDING_ACTIONS:
            return
        for bound in app_installations.list_of(connection, event.organization_id):
            if (bound.host, bound.installation_id) == (self._app_host, event.subject):
                _release(connection, bound, None, self._now(), str(event.facts["action"]))


def bind_installation(
    connection: Connection,
    registration: StoredRegistration,
    installation: Installation | None,
    principal: Principal | None,
    now: datetime,
) -> None:
    """Bind the installation that a forge has shown to the registration's App key; None: it has shown none.

    `principal`: None where the server itself asked.

    Raises:
        ConflictError: another organization has it; which one is not said.
    """
    if installation is None:
        return
    bound = BoundInstallation(
        host=registration.host,
        installation_id=installation.id,
        organization_id=registration.organization_id,
        account=storable(installation.account, MAX_ACCOUNT),
        bound_by=principal.token_id if principal else SERVER_ACTOR,
        bound_at=now,
    )
    if app_installations.add(connection, bound):
        detail = {"registration": registration.name}
        _audit(connection, bound, principal, now, AuditAction.INSTALLATION_BOUND, detail)
    elif app_installations.find_owner(connection, bound.host, bound.installation_id) != bound.organization_id:
        raise ConflictError(
            f"another organization of this server has the App's installation {installation.id}",
            hint="an installation belongs to one organization; the server's operator knows which one it is",
        )


def bind_installation_if_free(
    connection: Connection,
    registration: StoredRegistration,
    installation: Installation | None,
    principal: Principal | None,
    now: datetime,
) -> tuple[str, ...]:
    """Bind as `bind_installation` does after a check of a registration, and return the finding that says why not."""
    found = registrations.find(connection, registration.organization_id, registration.id)
    # What was asked about may have been changed or removed while the forge was asked.
    if found is None or installation is None or _installation_of(found) != (registration.host, installation.id):
        return ()
    try:
        bind_installation(connection, found, installation, principal, now)
    except ConflictError as error:
        return (error.message,)
    return ()


def release_installations(connection: Connection, principal: Principal, now: datetime) -> None:
    """End the bindings of installations as which no registration of the principal's organization speaks any more."""
    kept = registrations.list_page(connection, principal.organization_id, after=None, limit=MAX_REGISTRATIONS)
    spoken = {_installation_of(item) for item in kept}
    for bound in app_installations.list_of(connection, principal.organization_id):
        if (bound.host, bound.installation_id) not in spoken:
            _release(connection, bound, principal, now, "no registration speaks as it")


def _installation_of(registration: StoredRegistration) -> tuple[str, str | None]:
    return registration.host, None if registration.removed_at else registration.installation_id


def _release(
    connection: Connection, bound: BoundInstallation, principal: Principal | None, now: datetime, reason: str
) -> None:
    app_installations.remove(connection, bound)
    _audit(connection, bound, principal, now, AuditAction.INSTALLATION_RELEASED, {"reason": reason})


def _audit(
    connection: Connection,
    bound: BoundInstallation,
    principal: Principal | None,
    now: datetime,
    action: AuditAction,
    detail: Mapping[str, object],
) -> None:
    facts = {"account": bound.account, "host": bound.host, **detail}
    if principal is None:
        record = AuditRecord(bound.organization_id, now, SERVER_ACTOR, action, bound.installation_id, facts)
    else:
        record = audit_of(principal, now, action, bound.installation_id, facts)
    audit.add(connection, record)
