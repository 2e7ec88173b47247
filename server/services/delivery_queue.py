"""Claim deliveries under a lease, and write down what came of each try."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from server.model.deliveries import LEASE, PAUSING, Attempt, Delivery, DeliveryState, Outcome, OutcomeKind
from server.model.events import Event, EventKind
from server.model.integrations import RegistrationState, StoredRegistration
from server.model.stored_text import storable
from server.store import deliveries, events, registrations
from server.store.database import Database

MAX_DETAIL = 500
"""Characters of an answer that are kept."""

_OF_DELIVERIES = (EventKind.DELIVERY_DEAD, EventKind.INTEGRATION_PAUSED, EventKind.INTEGRATION_TESTED)
"""Nobody is told that these could not be told: that would be told too, and so on."""

Learn = Callable[[Connection, Delivery, Mapping[str, object]], None]
"""Writes what was learned of a question, in the transaction that ends its delivery."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that is ours until its lease ends, with everything that a try needs."""

    delivery: Delivery
    registration: StoredRegistration
    attachment_settings: Mapping[str, object]
    memory: Mapping[str, object]


class DeliveryQueue:
    """The use cases of the dispatcher's couriers."""

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        jitter: Callable[[], float],
        *,
        learn: Mapping[str, Learn] | None = None,
    ) -> None:
        """`jitter` returns numbers from 0 to 1; `learn` has an entry for each part that is a question."""
        self._database = database
        self._now = now
        self._new_id = new_id
        self._jitter = jitter
        self._learn = learn or {}

    def list_targets(self) -> list[tuple[str, str]]:
        """Return the registrations for which something is due, each with its organization."""
        with self._database.read() as connection:
            return deliveries.list_targets(connection, self._now())

    def claim(self, registration_id: str, holder: str, *, limit: int) -> list[Claimed]:
        """Take due deliveries of a registration; of one whose target fails at present, at most one.

        Beside writers: rows that somebody else has locked are passed over, and no event is added.
        """
        with self._database.write_beside() as connection:
            registration = registrations.get_any(connection, registration_id)
            if registration.state is not RegistrationState.ACTIVE or registration.removed_at is not None:
                return []
            now = self._now()
            limit = min(limit, 1) if registration.breaker.is_suspect else limit
            taken = deliveries.claim(connection, registration_id, holder, now, now + LEASE, limit=limit)
            return [self._claimed(connection, registration, delivery) for delivery in taken]

    def finish(self, claimed: Claimed, outcome: Outcome, started_at: datetime, duration: timedelta) -> bool:
        """Write down a try; False: the lease had ended, and another dispatcher has the delivery."""
        delivery, now = claimed.delivery, self._now()
        outcome = replace(outcome, detail=storable(outcome.detail, MAX_DETAIL), code=storable(outcome.code, 64))
        after = delivery.after(outcome, now, self._jitter())
        attempt = Attempt(
            number=after.attempts,
            at=started_at,
            duration_milliseconds=round(duration / timedelta(milliseconds=1)),
            outcome=outcome.kind,
            code=outcome.code,
            detail=outcome.detail,
            holder=delivery.holder or "",
        )
        with self._database.write() as connection:
            if not deliveries.finish(connection, delivery, after):
                return False
            deliveries.add_attempt(connection, delivery, attempt)
            self._note_target(connection, claimed.registration, outcome, now)
            if outcome.remember is not None:
                deliveries.save_memory(connection, delivery, outcome.remember, now)
            if outcome.answer is not None and delivery.part in self._learn:
                self._learn[delivery.part](connection, delivery, outcome.answer)
            if after.state is DeliveryState.DEAD and delivery.event_kind not in _OF_DELIVERIES:
                self._tell(connection, claimed.registration, EventKind.DELIVERY_DEAD, now, delivery=after.id)
        return True

    def _claimed(self, connection: Connection, registration: StoredRegistration, delivery: Delivery) -> Claimed:
        attachment = registrations.find_attachment(connection, delivery.organization_id, delivery.attachment_id)
        return Claimed(
            delivery=delivery,
            registration=registration,
            attachment_settings=attachment.settings if attachment else {},
            memory=deliveries.find_memory(connection, registration.id, delivery.lane),
        )

    def _note_target(
        self, connection: Connection, registration: StoredRegistration, outcome: Outcome, now: datetime
    ) -> None:
        # Other tries have ended since this one was claimed.
        before = registrations.find_breaker(connection, registration.id)
        breaker = before.after(outcome, now)
        if breaker != before:
            registrations.save_breaker(connection, registration.id, breaker)
        if outcome.kind in PAUSING:
            gone = outcome.kind is OutcomeKind.GONE
            why = "it is not to be told anything any more" if gone else "the credential was not taken"
            reason = f"{why}: {outcome.code} {outcome.detail}".strip()
            if registrations.pause(connection, registration.id, reason):
                self._tell(connection, registration, EventKind.INTEGRATION_PAUSED, now, reason=reason)

    def _tell(
        self, connection: Connection, registration: StoredRegistration, kind: EventKind, now: datetime, **facts: object
    ) -> None:
        events.add(
            connection,
            Event(
                id=self._new_id(),
                organization_id=registration.organization_id,
                kind=kind,
                at=now,
                subject=registration.id,
                facts={"registration": registration.name, **facts},
            ),
        )
