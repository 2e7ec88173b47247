"""Registrations as people see them: with what is attached to them, what waits, and what they speak as."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.api.integrations import Registration
from chainloop_ci.api.words import DeliveryState
from server.model.forged_statuses import SHOWN
from server.model.integrations import StoredRegistration
from server.store import app_installations, deliveries, forged_statuses, registrations


def describe(connection: Connection, registration: StoredRegistration, now: datetime) -> Registration:
    """Return a registration on the wire."""
    return describe_all(connection, [registration], now)[0]


def describe_all(
    connection: Connection, found: Sequence[StoredRegistration], now: datetime
) -> tuple[Registration, ...]:
    """Return registrations of one organization with what is attached to them, and what waits for them."""
    if not found:
        return ()
    organization_id, ids = found[0].organization_id, [item.id for item in found]
    attached = registrations.count_attachments(connection, organization_id, ids)
    unusual = deliveries.count_unusual(connection, organization_id, ids)
    forged = forged_statuses.count_of_repositories(connection, organization_id, now - SHOWN)
    bound = {(item.host, item.installation_id): item for item in app_installations.list_of(connection, organization_id)}
    return tuple(
        item.api(
            attachments=attached.get(item.id, 0),
            waiting=unusual.get((item.id, DeliveryState.PENDING.value), 0),
            dead=unusual.get((item.id, DeliveryState.DEAD.value), 0),
            installation=bound.get((item.host, item.installation_id or "")),
            forged_statuses=sum(forged.get((each.host, each.repository_id), 0) for each in item.repositories),
        )
        for item in found
    )
