"""What operators see of webhooks that came in, and how they have one handled again (3.5, rule 6)."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.api.inbound import InboundDelivery, InboundOutcome
from chainloop_ci.api.paging import Page
from chainloop_ci.errors import ConflictError, Finding, NotFoundError, RequestInvalidError
from server.inbound.receivers import RECEIVERS, Receiver, read
from server.model.audit import AuditAction, audit_of
from server.model.inbound import KEPT, StoredInbound
from server.model.inbound_facts import facts_to_text
from server.model.paging import Paging, bind
from server.model.principal import Principal
from server.store import audit, inbound, sources
from server.store.database import Database

BATCH = 500
"""Deliveries that are deleted in one transaction."""


@dataclass(frozen=True, slots=True)
class InboundQuery:
    """Which webhooks are listed; None: whatever it is."""

    source: str | None = None
    """Id of the source."""
    event: str | None = None
    outcome: str | None = None


class InboundLog:
    """Use cases of operators."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def list(self, principal: Principal, query: InboundQuery, paging: Paging) -> Page[InboundDelivery]:
        """Return the webhooks of the organization, newest first; none for a token of a part of it.

        Raises:
            RequestInvalidError: the filter or the cursor cannot be used.
        """
        outcome = _outcome(query.outcome)
        if not principal.reach.is_whole:
            # They are the organization's as a whole, since a source may be of several projects.
            return Page(())
        binding = bind("inbound", principal.organization_id, query=query)
        after = paging.after(binding, (0,))
        with self._database.read() as connection:
            found = inbound.list_page(
                connection,
                principal.organization_id,
                before=int(after[0]) if after else None,
                limit=paging.limit + 1,
                source_id=query.source,
                event=query.event,
                outcome=outcome,
            )
            page = paging.page(found, binding, lambda item: (item[1],))
            named = {delivery.source_id for delivery, _ in page.items if delivery.source_id}
            addresses = sources.list_addresses(connection, principal.organization_id, named)
        items = tuple(delivery.api(addresses.get(delivery.source_id or "")) for delivery, _ in page.items)
        return Page(items, page.next_cursor)

    def get(self, principal: Principal, delivery_id: str) -> InboundDelivery:
        """Return a webhook by our own id.

        Raises:
            NotFoundError: there is none of that id.
            NotAllowedError: the token does not reach the whole organization.
        """
        with self._database.read() as connection:
            return _shown(connection, _get(connection, principal, delivery_id))

    def replay(self, principal: Principal, delivery_id: str) -> InboundDelivery:
        """Have a webhook read and handled once more; what is newer than it stays.

        Raises:
            NotFoundError: there is none of that id.
            ConflictError: its body is not kept, or it waits to be handled anyway.
            WebhookInvalidError: this version cannot read it.
        """
        with self._database.write() as connection:
            delivery = _get(connection, principal, delivery_id)
            if delivery.is_waiting:
                raise ConflictError(f"webhook {delivery_id} was not handled yet; it will be")
            receiver = RECEIVERS[delivery.receiver]
            body = _unpacked(inbound.find_body(connection, delivery), receiver, delivery_id)
            payload = read(receiver, delivery.headers, _media_type(delivery), body)
            again = delivery.replayed(facts_to_text(payload.facts))
            inbound.save(connection, again)
            facts = {"event": delivery.event, "received_at": f"{delivery.received_at:%Y-%m-%dT%H:%M:%SZ}"}
            audit.add(connection, audit_of(principal, self._now(), AuditAction.INBOUND_REPLAYED, delivery_id, facts))
            return _shown(connection, again)

    def remove_old(self) -> int:
        """Delete at most one batch of those that are kept no longer, and return how many there were."""
        before = self._now() - KEPT
        with self._database.read() as connection:
            if not inbound.has_older(connection, before):
                return 0
        with self._database.write() as connection:
            return inbound.remove_old(connection, before, limit=BATCH)


def _get(connection: Connection, principal: Principal, delivery_id: str) -> StoredInbound:
    delivery = inbound.find(connection, principal.organization_id, delivery_id)
    if delivery is None:
        raise NotFoundError(
            f"there is no webhook {delivery_id}", hint="`chainloop integration inbound list` names those that are kept"
        )
    principal.require_reach(project_id=None)
    return delivery


def _shown(connection: Connection, delivery: StoredInbound) -> InboundDelivery:
    named = {delivery.source_id} if delivery.source_id else set()
    addresses = sources.list_addresses(connection, delivery.organization_id, named)
    return delivery.api(addresses.get(delivery.source_id or ""))


def _outcome(word: str | None) -> InboundOutcome | None:
    try:
        return InboundOutcome(word) if word else None
    except ValueError:
        message = f"expected one of {', '.join(InboundOutcome)}"
        raise RequestInvalidError(message, findings=[Finding("invalid-parameter", message, path="?outcome")]) from None


def _unpacked(body: bytes | None, receiver: Receiver, delivery_id: str) -> bytes:
    if body is None:
        raise ConflictError(
            f"the body of webhook {delivery_id} is not kept: it was of no concern, or too large",
            hint="have its sender send it again",
        )
    # It was no longer than this when it came.
    return zlib.decompressobj().decompress(body, receiver.max_body_bytes)


def _media_type(delivery: StoredInbound) -> str:
    return delivery.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
