"""Organizations and their settings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.api.access import Organization, OrganizationRequest, OrganizationSettings, Role
from chainloop_ci.api.paging import Page
from chainloop_ci.errors import ConflictError, LimitExceededError, NotFoundError
from server.model.audit import AuditAction, AuditRecord
from server.model.organizations import MAX_ORGANIZATIONS, StoredOrganization
from server.model.paging import Paging, bind
from server.model.principal import Principal
from server.store import audit, organizations
from server.store.database import Database


class Organizations:
    """Use cases of organizations."""

    def __init__(self, database: Database, now: Callable[[], datetime], new_id: Callable[[], str]) -> None:
        self._database = database
        self._now = now
        self._new_id = new_id

    def create(self, principal: Principal, request: OrganizationRequest) -> Organization:
        """Create an organization.

        Raises:
            ConflictError: the name is taken.
            LimitExceededError: the server has as many as it may have.
        """
        organization = StoredOrganization(self._new_id(), request.name, self._now())
        with self._database.write() as connection:
            if organizations.find_by_name(connection, request.name):
                raise ConflictError(f"there is already an organization {request.name}", hint="choose another name")
            if organizations.count(connection) >= MAX_ORGANIZATIONS:
                raise LimitExceededError(f"the server may have {MAX_ORGANIZATIONS} organizations and has them")
            organizations.add(connection, organization)
            self._note(
                connection, principal, AuditAction.ORGANIZATION_CREATED, organization, {"name": organization.name}
            )
        return organization.api()

    def list(self, principal: Principal, paging: Paging) -> Page[Organization]:
        """Return the token's own organization; all of them, by name, for an instance token."""
        binding = bind("organizations", principal.organization_id)
        after = paging.after(binding, ("",))
        with self._database.read() as connection:
            if principal.role is Role.INSTANCE:
                found = organizations.list_page(connection, after=after, limit=paging.limit + 1)
            else:
                found = [_require(organizations.find(connection, principal.organization_id), principal.organization)]
        page = paging.page(found, binding, lambda item: (item.name,))
        return Page(tuple(item.api() for item in page.items), page.next_cursor)

    def get(self, principal: Principal, name: str) -> Organization:
        """Return an organization; any other than the token's own is not found.

        Raises:
            NotFoundError: it does not exist or belongs to others.
        """
        with self._database.read() as connection:
            return _find(connection, principal, name).api()

    def change(self, principal: Principal, name: str, settings: OrganizationSettings) -> Organization:
        """Change settings; what changes is audited with its old and its new value.

        Raises:
            NotFoundError: it does not exist or belongs to others.
            NotAllowedError: the token is bound to a project or workflow.
        """
        with self._database.write() as connection:
            before = _find(connection, principal, name)
            principal.require_reach(project_id=None)
            after = before.changed(settings)
            if after != before:
                organizations.save_settings(connection, after)
                self._note(
                    connection, principal, AuditAction.ORGANIZATION_SETTINGS_CHANGED, after, _differences(before, after)
                )
        return after.api()

    def _note(
        self,
        connection: Connection,
        principal: Principal,
        action: AuditAction,
        organization: StoredOrganization,
        detail: dict[str, object],
    ) -> None:
        audit.add(
            connection,
            AuditRecord(
                organization.id,
                self._now(),
                principal.token_id,
                action,
                organization.id,
                detail,
                principal.address[:64],
            ),
        )


def _find(connection: Connection, principal: Principal, name: str) -> StoredOrganization:
    if principal.role is not Role.INSTANCE and name != principal.organization:
        return _require(None, name)
    return _require(organizations.find_by_name(connection, name), name)


def _require(found: StoredOrganization | None, name: str) -> StoredOrganization:
    if found is None:
        raise NotFoundError(
            f"there is no organization {name[:63]!r}", hint="`chainloop organization list` names those of this token"
        )
    return found


def _differences(before: StoredOrganization, after: StoredOrganization) -> dict[str, object]:
    names = ("accept_unsigned", "run_expiry_seconds", "quota_bytes", "cas_backend")
    return {
        name: {"from": getattr(before, name), "to": getattr(after, name)}
        for name in names
        if getattr(before, name) != getattr(after, name)
    }
