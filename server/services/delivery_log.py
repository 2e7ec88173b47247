"""What happened and what was told to whom, as operators read it; and telling it again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.api import integrations as api
from chainloop_ci.api.paging import Page
from chainloop_ci.errors import ConflictError, NotFoundError
from server.model.audit import AuditAction, audit_of
from server.model.deliveries import Delivery, DeliveryFilter
from server.model.events import EventKind
from server.model.paging import Paging, bind
from server.model.principal import Principal
from server.services.registrations import find_named
from server.store import audit, deliveries, events, registrations
from server.store.database import Database


class DeliveryLog:
    """Use cases of deliveries and events."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def list(
        self, principal: Principal, wanted: DeliveryFilter, registration: str | None, paging: Paging
    ) -> Page[api.Delivery]:
        """Return deliveries of what the token reaches, newest first.

        Raises:
            NotFoundError: there is no registration of that name or id.
        """
        wanted = replace(wanted, project_id=principal.project_id, workflow_id=principal.workflow_id)
        binding = bind("deliveries", principal.organization_id, **{**asdict(wanted), "registration": registration})
        after = paging.after(binding, (0,))
        with self._database.read() as connection:
            if registration is not None:
                wanted = replace(wanted, registration_id=find_named(connection, principal, registration).id)
            before = None if after is None else int(after[0])
            found = deliveries.list_page(
                connection, principal.organization_id, wanted, before=before, limit=paging.limit + 1
            )
        page = paging.page(found, binding, lambda item: (item.sequence,))
        return Page(tuple(item.api() for item in page.items), page.next_cursor)

    def get(self, principal: Principal, delivery_id: str) -> api.DeliveryDetail:
        """Return a delivery with what it says and all of its tries.

        Raises:
            NotFoundError: there is none of that id.
            NotAllowedError: its event lies outside the token's scope.
        """
        with self._database.read() as connection:
            found = _get(connection, principal, delivery_id)
            tries = deliveries.list_attempts(connection, found)
        return api.DeliveryDetail(found.api(), found.content, tuple(item.api() for item in tries))

    def replay(self, principal: Principal, delivery_id: str) -> api.Delivery:
        """Tell it again with the same content; one that still waits is tried at once.

        Raises:
            ConflictError: its registration was removed, or a newer delivery says more.
        """
        with self._database.write() as connection:
            found = _get(connection, principal, delivery_id)
            registration = registrations.get_any(connection, found.registration_id)
            if registration.removed_at is not None:
                raise ConflictError(
                    f"the registration {registration.name} was removed",
                    hint="there is nobody to tell: register it anew, it is told what happens from then on",
                )
            if found.replaces_older and deliveries.has_newer(connection, found):
                # Told now, the older one would be what everybody sees.
                raise ConflictError(
                    "a newer delivery says more than this one",
                    hint="replay that one: `chainloop integration delivery list` shows it",
                )
            again = found if found.holder else found.replayed(self._now())
            deliveries.save(connection, again)
            facts = {"registration": registration.name, "event": found.event_kind, "was": found.state.value}
            audit.add(connection, audit_of(principal, self._now(), AuditAction.DELIVERY_REPLAYED, found.id, facts))
        return again.api()

    def list_events(
        self, principal: Principal, kind: EventKind | None, run_id: str | None, paging: Paging
    ) -> Page[api.EventRecord]:
        """Return what happened to what the token reaches, newest first."""
        binding = bind(
            "events", principal.organization_id, project=principal.project_id, workflow=principal.workflow_id,
            kind=kind, run=run_id,
        )  # fmt: skip
        after = paging.after(binding, (0,))
        with self._database.read() as connection:
            found = events.list_page(
                connection,
                principal.organization_id,
                before=None if after is None else int(after[0]),
                limit=paging.limit + 1,
                run_id=run_id,
                kind=kind,
                project_id=principal.project_id,
                workflow_id=principal.workflow_id,
            )
        page = paging.page(found, binding, lambda item: (item.sequence,))
        return Page(tuple(item.api() for item in page.items), page.next_cursor)


def _get(connection: Connection, principal: Principal, delivery_id: str) -> Delivery:
    found = deliveries.find(connection, principal.organization_id, delivery_id)
    if found is None:
        raise NotFoundError(
            f"there is no delivery {delivery_id}", hint="`chainloop integration delivery list` shows ids"
        )
    principal.require_reach(project_id=found.project_id, workflow_id=found.workflow_id)
    return found
