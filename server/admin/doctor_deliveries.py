"""What `doctor` says of registrations and deliveries: what was given up, what is paused, which credential ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection

from server.model.forged_statuses import SHOWN
from server.services.registration_checks import WARN_BEFORE
from server.store import delivery_facts, forged_statuses
from server.store.delivery_facts import RegistrationFacts

ADVICE = (
    "`chainloop integration registered describe NAME` says more; `registered update` takes a new credential, "
    "`delivery replay --all-dead` tells again what was given up"
)


def find_troubles(connection: Connection, now: datetime) -> Iterator[str]:
    """Say what does not reach third parties, or soon will not."""
    for organization, registration, number in delivery_facts.count_dead(connection):
        yield f"{organization}/{registration}: {number} deliveries were given up"
    for organization, repository, sha, context, by in forged_statuses.list_contested(connection, now - SHOWN):
        yield f"{organization}: {by} keeps overwriting {context} of {repository}@{sha[:12]}; it stays as it is"
    for item in delivery_facts.list_registrations(connection):
        yield from (f"{item.organization}/{item.name}: {text}" for text in _troubles(item, now))


def _troubles(item: RegistrationFacts, now: datetime) -> Iterator[str]:
    if item.is_paused:
        yield f"is paused: {item.paused_reason}"
    if item.open_until is not None:
        yield "its target fails; it is tried now and then"
    expires_at = item.credential_expires_at
    if expires_at is not None and expires_at - now <= WARN_BEFORE:
        ends = "has ended" if expires_at <= now else "ends"
        yield f"its credential {ends} at {expires_at:%Y-%m-%d %H:%M} UTC"
    yield from json.loads(item.findings)
