"""Make deliveries of events: who wants to be told of what, in the order in which things happened."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import Connection

from server.integrations.types import Integration, Part
from server.model.deliveries import Delivery
from server.model.event_repository import repository_of
from server.model.events import Event
from server.model.integrations import StoredAttachment
from server.services.defects import DefectError, found_with
from server.services.rounds import Rounds, in_turns
from server.services.short_turns import for_one_turn
from server.store import deliveries, events, registrations
from server.store.database import Database

BATCH = 50
"""Events of one transaction, at most."""

Follow = Callable[[Connection, Event], None]
"""Draws conclusions of an event in the transaction that tells it; what it adds as events is told next."""


ASIDE = timedelta(minutes=1)
"""So long the events of an organization wait of which one could not be told; those of others go on."""

_log = structlog.get_logger("server.dispatcher")


class FanOut:
    """The use case of the dispatcher. One transaction writes at a time (ADR 0036), so that events keep their order."""

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        *,
        integrations: Mapping[str, Integration],
        follow: tuple[Follow, ...] = (),
        batch: int = BATCH,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._now = now
        self._new_id = new_id
        self._integrations = integrations
        self._follow = follow
        self._batch = batch
        self._monotonic = monotonic
        self._aside: dict[str, datetime] = {}
        self._rounds = Rounds()

    def tell_some(self) -> int:
        """Make the deliveries of as many events as one turn takes, and return how many there were.

        Of each organization in their order, and one of each before a second one.
        """
        aside = self._organizations_aside()
        with self._database.read() as connection:
            owners = self._rounds.choose(partial(events.list_owners, connection), aside)
        if not owners:
            # Most often nothing has happened: that must not hold up writers.
            return 0
        self._database.give_way()
        share = max(1, self._batch // len(owners))
        try:
            with self._database.write() as connection:
                new = in_turns(events.list_new(connection, owner, limit=share) for owner in owners)
                return self._tell_batch(connection, new)
        except DefectError as failed:
            event: Event = failed.item
            _log.error(
                "event-not-told",
                event_id=event.id,
                event_kind=event.kind.value,
                organization_id=event.organization_id,
                exc_info=failed.__cause__,
            )
            self._aside[event.organization_id] = self._now() + ASIDE
            return 1

    def _organizations_aside(self) -> frozenset[str]:
        """Return whose events wait: one of theirs could not be told, and they keep their order."""
        now = self._now()
        self._aside = {owner: until for owner, until in self._aside.items() if now < until}
        return frozenset(self._aside)

    def _tell_batch(self, connection: Connection, new: Sequence[Event]) -> int:
        known: dict[str, list[StoredAttachment]] = {}
        told = []
        for event in for_one_turn(new, self._monotonic, self._database.is_waited_for):
            with found_with(event):
                self._conclude(connection, event, known)
            told.append(event.sequence)
            self._rounds.end(event.organization_id)
        if told:
            events.mark_told(connection, told, self._now())
        return len(told)

    def _conclude(self, connection: Connection, event: Event, known: dict[str, list[StoredAttachment]]) -> None:
        for conclude in self._follow:
            conclude(connection, event)
        wanting = [item for item in _attachments(connection, event, known) if self._wants(item, event)]
        self._tell(connection, event, self._listeners(connection, event, wanting))

    def _tell(self, connection: Connection, event: Event, listeners: Iterable[StoredAttachment]) -> None:
        for attachment in listeners:
            for part in self._integrations[attachment.kind].parts(event, attachment):
                self._add(connection, event, attachment, part)

    def _listeners(
        self, connection: Connection, event: Event, wanting: Sequence[StoredAttachment]
    ) -> list[StoredAttachment]:
        """Return who is told; of those that put verdicts on commits one of each kind (R40)."""
        authors: dict[str, list[StoredAttachment]] = {}
        told = []
        for item in wanting:
            if self._integrations[item.kind].answers_verdicts:
                authors.setdefault(item.kind, []).append(item)
            else:
                told.append(item)
        return [*told, *(_author(connection, event, of_kind) for of_kind in authors.values())]

    def _wants(self, attachment: StoredAttachment, event: Event) -> bool:
        # An older server may meet the registration of an integration that only a newer one knows.
        integration = self._integrations.get(attachment.kind)
        if integration is None:
            return False
        is_asked = event.kind.value in integration.always
        if not attachment.covers(event) and not (is_asked and attachment.knows_of(event)):
            return False
        return event.only_registration_id is not None or is_asked or attachment.wants(event.kind, integration.events)

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


def _author(connection: Connection, event: Event, attachments: Sequence[StoredAttachment]) -> StoredAttachment:
    """Return the one that speaks: whose registration lists the event's repository (R44), of these the narrowest."""
    place = repository_of(event) if len(attachments) > 1 else None
    listed = registrations.list_speakers(connection, event.organization_id, place) if place else frozenset()
    return min(attachments, key=lambda item: (item.registration_id not in listed, item.breadth, item.id))


def _attachments(
    connection: Connection, event: Event, known: dict[str, list[StoredAttachment]]
) -> list[StoredAttachment]:
    """Return the organization's attachments, read once for a batch."""
    if event.organization_id not in known:
        known[event.organization_id] = registrations.list_attachments(connection, event.organization_id)
    return known[event.organization_id]
