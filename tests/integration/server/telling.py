"""A target of the tests: an integration that notes what it is told and answers as it is asked to."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from server.dispatcher.couriers import Couriers
from server.integrations.types import Checked, Integration, Message, Part, Target, Tools
from server.model.deliveries import Outcome, OutcomeKind
from server.model.events import Event
from server.model.integrations import BoundRepository, StoredAttachment, StoredRegistration
from server.services.delivery_queue import DeliveryQueue
from server.services.fan_out import FanOut
from server.store import registrations
from server.wiring import Services
from tests.integration.server.conftest import Tenant

TAKEN = Outcome(OutcomeKind.DELIVERED, "200")


@dataclass
class Sink:
    """What was told, and what is answered."""

    answer: Callable[[Target, Message], Outcome] = lambda target, message: TAKEN
    told: list[Message] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def deliver(self, target: Target, message: Message, tools: Tools) -> Outcome:
        outcome = self.answer(target, message)
        with self.lock:
            self.told.append(message)
        return outcome

    def kinds(self) -> list[str]:
        return [message.event_kind for message in self.told]


def integration(sink: Sink, **options: Any) -> Integration:
    """Return an entry for the registry whose lanes are runs."""

    def parts(event: Event, attachment: StoredAttachment) -> tuple[Part, ...]:
        lane = event.run_id or event.id
        return (Part("note", lane, {"kind": event.kind.value, "subject": event.subject}),)

    return Integration(
        **{
            "kind": "sink",
            "title": "A target of the tests",
            "events": ("run.*", "attestation.stored"),
            "settings_schema": {},
            "credential_names": (),
            "required_credentials": (),
            "attachment_schema": {},
            "parts": parts,
            "deliver": sink.deliver,
            "check": lambda target, tools: Checked(),
            **options,
        }
    )


def attach(
    services: Services,
    tenant: Tenant,
    name: str = "sink",
    repositories: tuple[BoundRepository, ...] = (),
    **options: Any,
) -> StoredRegistration:
    """Register a target for an organization and attach it; options are the attachment's."""
    now = services.world.now()
    registration = StoredRegistration(
        services.world.new_id(), tenant.id, "sink", name, now, "somebody", repositories=repositories
    )
    attachment = StoredAttachment(
        id=services.world.new_id(),
        organization_id=tenant.id,
        registration_id=registration.id,
        kind="sink",
        created_at=now,
        created_by="somebody",
        **options,
    )
    with services.database.write() as connection:
        registrations.add(connection, registration)
        registrations.add_attachment(connection, attachment)
    return registration


def couriers(
    services: Services, *integrations: Integration, holder: str = "one", follow: tuple[Any, ...] = (), **options: Any
) -> Couriers:
    """Return couriers over the database of `services`."""
    known = {item.kind: item for item in integrations}
    world = services.world
    return Couriers(
        FanOut(services.database, world.now, world.new_id, integrations=known, follow=follow, monotonic=lambda: 0.0),
        DeliveryQueue(services.database, world.now, world.new_id, lambda: 0.5),
        integrations=known,
        open_credentials=lambda registration: {},
        tools=Tools(services.transport, world.now, "https://chainloop.test"),
        holder=holder,
        now=world.now,
        **options,
    )
