"""The control plane as commands of integrations see it: registrations, attachments, deliveries."""

from __future__ import annotations

from dataclasses import asdict

from chainloop_ci.api.integrations import (
    Attachment,
    AttachmentRequest,
    AvailableIntegration,
    Delivery,
    DeliveryDetail,
    EventRecord,
    Registration,
    RegistrationChange,
    RegistrationRequest,
)
from chainloop_ci.api.paging import Page
from chainloop_ci.api.record import to_dict
from chainloop_ci.api.source_hooks import HookMode, HookRequest, HooksAsked, SourceHook
from chainloop_ci.client.answers import read_record
from chainloop_ci.client.operator import Operator, Paging
from chainloop_ci.errors import NotFoundError
from chainloop_ci.records import record


@record
class DeliveryQuery:
    """Which deliveries; None is any. Names are the query's."""

    registration: str | None = None
    """Name or id."""
    state: str | None = None
    run: str | None = None
    event: str | None = None


class Integrations(Operator):
    """Requests of an operator or administrator about integrations."""

    def list_available(self) -> Page[AvailableIntegration]:
        """Return the integrations that the control plane knows."""
        return self._list(AvailableIntegration, "integrations", Paging())

    def find_available(self, kind: str) -> AvailableIntegration:
        """Return an integration.

        Raises:
            NotFoundError: the control plane does not know it.
        """
        known = self.list_available().items
        found = next((item for item in known if item.kind == kind), None)
        if found is None:
            raise NotFoundError(
                f"this control plane has no integration {kind[:63]!r}",
                hint=f"it has: {', '.join(item.kind for item in known)}",
            )
        return found

    def list_registrations(self, paging: Paging) -> Page[Registration]:
        """Return registrations, newest first, without credentials."""
        return self._list(Registration, "registrations", paging)

    def find_registration(self, name_or_id: str) -> Registration:
        """Return the registration with that id or name.

        Raises:
            NotFoundError: there is none.
        """
        for item in self._every(Registration, "registrations"):
            if name_or_id in (item.id, item.name):
                return item
        raise NotFoundError(
            f"there is no registration {name_or_id[:63]!r} here, or it belongs to another organization",
            hint="`chainloop integration registered list` shows those that there are",
        )

    def register(self, request: RegistrationRequest) -> Registration:
        """Register an integration; its third party is asked first."""
        return read_record(Registration, self.http.json("POST", "registrations", to_dict(request)))

    def change_registration(self, registration_id: str, change: RegistrationChange) -> Registration:
        """Change what `change` names; the third party is asked again."""
        return read_record(
            Registration, self.http.json("PATCH", f"registrations/{registration_id}", to_dict(change), repeat=True)
        )

    def check_registration(self, registration_id: str) -> Registration:
        """Let the third party be asked again."""
        return self._do(registration_id, "check")

    def pause_registration(self, registration_id: str) -> Registration:
        """Let nothing be sent."""
        return self._do(registration_id, "pause")

    def resume_registration(self, registration_id: str) -> Registration:
        """Let everything that waits be sent."""
        return self._do(registration_id, "resume")

    def remove_registration(self, registration_id: str) -> None:
        """Remove a registration with its credentials and attachments."""
        self.http.exchange("DELETE", f"registrations/{registration_id}", repeat=False)

    def list_attachments(self, registration: str | None, paging: Paging) -> Page[Attachment]:
        """Return attachments, oldest first."""
        return self._list(Attachment, "attachments", paging, registration=registration)

    def attach(self, request: AttachmentRequest) -> Attachment:
        """Attach a registration."""
        return read_record(Attachment, self.http.json("POST", "attachments", to_dict(request)))

    def detach(self, attachment_id: str) -> None:
        """Remove an attachment."""
        self.http.exchange("DELETE", f"attachments/{attachment_id}", repeat=False)

    def list_deliveries(self, wanted: DeliveryQuery, paging: Paging) -> Page[Delivery]:
        """Return deliveries, newest first."""
        return self._list(Delivery, "deliveries", paging, **asdict(wanted))

    def every_delivery(self, wanted: DeliveryQuery) -> list[Delivery]:
        """Return all of them, of every page."""
        return list(self._every(Delivery, "deliveries", **asdict(wanted)))

    def get_delivery(self, delivery_id: str) -> DeliveryDetail:
        """Return a delivery with its content and tries."""
        return read_record(DeliveryDetail, self.http.json("GET", f"deliveries/{delivery_id}"))

    def replay(self, delivery_id: str) -> Delivery:
        """Let it be told again."""
        return read_record(Delivery, self.http.json("POST", f"deliveries/{delivery_id}/replay", repeat=True))

    def list_events(self, event: str | None, run: str | None, paging: Paging) -> Page[EventRecord]:
        """Return what happened, newest first."""
        return self._list(EventRecord, "events", paging, event=event, run=run)

    def ask_hooks(self, mode: HookMode) -> HooksAsked:
        """Have our webhooks of all sources looked after."""
        return read_record(HooksAsked, self.http.json("POST", "source-hooks", to_dict(HookRequest(mode))))

    def list_hooks(self, paging: Paging) -> Page[SourceHook]:
        """Return our webhooks as they were found last, by source."""
        return self._list(SourceHook, "source-hooks", paging)

    def every_hook(self) -> list[SourceHook]:
        """Return all of them, of every page."""
        return list(self._every(SourceHook, "source-hooks"))

    def _do(self, registration_id: str, what: str) -> Registration:
        return read_record(Registration, self.http.json("POST", f"registrations/{registration_id}/{what}", repeat=True))
