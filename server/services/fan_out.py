"""Make deliveries of events: who wants to be told of what, in the order in which things happened."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection

from server.integrations.types import Integration, Part
from server.model.deliveries import Delivery
from server.model.events import Event
from server.model.integrations import StoredAttachment
from server.store import deliveries, events, registrations
from server.store.database import Database

BATCH = 50
"""Events of one transaction: others wait for the database meanwhile."""

Follow = Callable[[Connection, Event], None]
"""Draws conclusions of an event in the transaction that tells it; what it adds as events is told next."""


class FanOut:
    """The use case of the dispatcher. Only one at a time does it, so that events keep their order."""

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        *,
        integrations: Mapping[str, Integration],
        follow: tuple[Follow, ...] = (),
        batch: int = BATCH,
    ) -> None:
        self._database = database
        self._now = now
        self._new_id = new_id
        self._integrations = integrations
        self._follow = follow
        self._batch = batch

    def tell_some(self) -> int:
        """Make the deliveries of at most one batch of events, and return how many events there were."""
        with self._database.read() as connection:
            # Most often nothing has happened: that must not hold up writers.
            if not events.has_new(connection):
                return 0
        with self._database.write() as connection:
            events.keep_order(connection)
            new = events.list_new(connection, limit=self._batch)
            known: dict[str, list[StoredAttachment]] = {}
            for event in new:
                for conclude in self._follow:
                    conclude(connection, event)
                self._tell(connection, event, _attachments(connection, event, known))
            if new:
                events.mark_told(connection, [event.sequence for event in new], self._now())
        return len(new)

    def _tell(self, connection: Connection, event: Event, attachments: Iterable[StoredAttachment]) -> None:
        for attachment in self._listeners(event, attachments):
            for part in self._integrations[attachment.kind].parts(event, attachment):
                self._add(connection, event, attachment, part)

    def _listeners(self, event: Event, attachments: Iterable[StoredAttachment]) -> list[StoredAttachment]:
        """Return who is told; of those that put verdicts on commits only the narrowest one of each kind (R40)."""
        wanting = [item for item in attachments if self._wants(item, event)]
        told = [item for item in wanting if not self._integrations[item.kind].answers_verdicts]
        authors: dict[str, StoredAttachment] = {}
        for item in wanting:
            if self._integrations[item.kind].answers_verdicts:
                before = authors.get(item.kind)
                if before is None or item.breadth < before.breadth:
                    authors[item.kind] = item
        return [*told, *authors.values()]

    def _wants(self, attachment: StoredAttachment, event: Event) -> bool:
        # An older server may meet the registration of an integration that only a newer one knows.
        integration = self._integrations.get(attachment.kind)
        if integration is None or not attachment.covers(event):
            return False
        return event.only_registration_id is not None or attachment.wants(event.kind, integration.events)

    def _add(self, connection: Connection, event: Event, attachment: StoredAttachment, part: Part) -> None:
        now = self._now()
        if part.replaces_older:
            deliveries.supersede_older(connection, attachment.registration_id, part.lane, now)
        deliveries.add(
            connection,
            Delivery(
                id=self._new_id(),
                organization_id=event.organization_id,
                event_sequence=event.sequence,
                registration_id=attachment.registration_id,
                attachment_id=attachment.id,
                part=part.name,
                lane=part.lane,
                content=part.content,
                replaces_older=part.replaces_older,
                created_at=now,
                next_attempt_at=now,
            ),
        )


def _attachments(
    connection: Connection, event: Event, known: dict[str, list[StoredAttachment]]
) -> list[StoredAttachment]:
    """Return the organization's attachments, read once for a batch."""
    if event.organization_id not in known:
        known[event.organization_id] = registrations.list_attachments(connection, event.organization_id)
    return known[event.organization_id]
