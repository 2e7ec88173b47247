"""Metrics of what is told to others: what waits, what was given up, which registrations do not get on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from prometheus_client.metrics_core import Metric
from sqlalchemy import Connection

from server.services.metrics_families import Families, single
from server.store import delivery_facts
from server.store.delivery_facts import DeliveryCounts, RegistrationFacts


@dataclass(frozen=True, slots=True)
class DeliveryUse:
    """What was read for one answer."""

    counts: DeliveryCounts
    registrations: Sequence[RegistrationFacts]


def read_use(connection: Connection) -> DeliveryUse:
    """Return what the families need."""
    return DeliveryUse(delivery_facts.count_deliveries(connection), delivery_facts.list_registrations(connection))


def delivery_families(families: Families, use: DeliveryUse) -> Iterator[Metric]:
    """Yield the metric families."""
    gauge, oldest = families.gauge, use.counts.oldest_pending_at
    yield gauge(
        "chainloop_deliveries",
        "Deliveries that wait, and those that were given up.",
        ("state",),
        [((state,), float(number)) for state, number in use.counts.by_state.items()],
    )
    yield gauge(
        "chainloop_delivery_oldest_pending_timestamp_seconds",
        "When the delivery was made that waits longest, of registrations that are not paused; 0: none waits.",
        (),
        single(oldest.timestamp() if oldest else 0.0),
    )
    known = use.registrations
    yield gauge(
        "chainloop_registration_paused",
        "1 for a registration to which nothing is sent until somebody changes it.",
        ("org", "registration", "kind"),
        [((item.organization, item.name, item.kind), float(item.is_paused)) for item in known],
    )
    yield gauge(
        "chainloop_registration_failing",
        "1 for a registration whose target has failed so often in a row that it is left alone for a while.",
        ("org", "registration", "kind"),
        [((item.organization, item.name, item.kind), float(item.open_until is not None)) for item in known],
    )
    yield gauge(
        "chainloop_credential_expiry_timestamp_seconds",
        "When the credential of a registration ends, where that is known.",
        ("org", "registration", "kind"),
        [
            ((item.organization, item.name, item.kind), item.credential_expires_at.timestamp())
            for item in known
            if item.credential_expires_at is not None
        ],
    )
