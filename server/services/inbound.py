"""Take webhooks: whose they are, whether they are genuine, whether they came before; the rest is the dispatcher's.

What a payload says is read here, outside of any transaction, and written down by `inbound_follow` (ADR 0037, 0054).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.api.inbound import InboundAnswer, InboundOutcome
from chainloop_ci.api.source_address import SourceAddress, SourceKind
from chainloop_ci.digests import sha256_digest
from chainloop_ci.errors import NotFoundError
from server.errors import StoreBusyError, WebhookNotAuthenticError, WebhookReplayedError
from server.inbound.github import APP_EVENTS
from server.inbound.receivers import RECEIVERS, Payload, Receiver, Repository, kept_headers, read
from server.model.inbound import APP_SCOPE, MAX_KEPT_BODY, ReceiverKind, StoredInbound
from server.model.inbound_facts import facts_to_text
from server.model.sources import StoredSource
from server.services.inbound_limits import InboundLimits
from server.services.source_secrets import SourceSecrets
from server.store import app_installations, hook_secrets, inbound, sources
from server.store.database import Database

FAST = 1
"""Level of compression: bodies are kept for days, and a sender waits."""


@dataclass(frozen=True, slots=True)
class GitHubApp:
    """Our GitHub App as the server's operator configured it (R42)."""

    host: str
    """Base address of the GitHub that it is of, spelled as registrations have it."""
    webhook_secrets: tuple[str, ...] = ()
    """None: nothing is taken at its endpoint."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who says that it sends: looked up before anything of the body is read."""

    receiver: Receiver
    address: str
    source: StoredSource | None
    secrets: Sequence[str]
    """Those that count at present; none: it will be refused."""
    is_known: bool
    """False: there is no such source."""


class Inbound:
    """The use case of the webhook routes."""

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        *,
        secrets: SourceSecrets,
        limits: InboundLimits,
        app: GitHubApp,
        decoy: str,
    ) -> None:
        """`decoy` is a secret that nobody has: what names no source costs as much as what is signed wrongly."""
        self._database = database
        self._now = now
        self._new_id = new_id
        self._secrets = secrets
        self._limits = limits
        self._app = app
        self._decoy = decoy

    def admit(self, kind: ReceiverKind, source_id: str, address: str) -> Sender:
        """Return who sends, before its body is read; `source_id` is empty at the App's endpoint.

        Raises:
            TooManyRequestsError: it sends too much, or was refused too often.
        """
        receiver = RECEIVERS[kind]
        if kind is ReceiverKind.GITHUB_APP:
            self._limits.admit(address, APP_SCOPE)
            return Sender(receiver, address, None, self._app.webhook_secrets, is_known=True)
        with self._database.read() as connection:
            watched = hook_secrets.find_watched(connection, source_id, receiver.source_kind)
        self._limits.admit(address, watched.source.id if watched else None)
        if watched is None:
            return Sender(receiver, address, None, (), is_known=False)
        opened = self._secrets.open(watched.source, watched.secrets)
        return Sender(receiver, address, watched.source, opened, is_known=True)

    def take(self, sender: Sender, headers: Mapping[str, str], media_type: str, body: bytes) -> InboundAnswer:
        """Verify a webhook and write it down as one that waits; names of headers in lower case.

        Raises:
            NotFoundError: there is no such source.
            WebhookNotAuthenticError: no secret that counts was used.
            WebhookInvalidError: it cannot be read.
            WebhookReplayedError: its delivery id came before with another body (R46).
        """
        self._require_genuine(sender, headers, body)
        payload = read(sender.receiver, headers, media_type, body)
        place = self._place(sender, payload)
        if place.organization_id is None:
            # R42: whose it would be is not known, so that nothing is kept.
            return InboundAnswer("ignored", reason=place.why_ignored)
        delivery = StoredInbound(
            id=self._new_id(),
            organization_id=place.organization_id,
            scope=place.scope,
            receiver=sender.receiver.kind,
            event=payload.event,
            body_digest=sha256_digest(body),
            body_bytes=len(body),
            received_at=self._now(),
            source_id=place.source.id if place.source else None,
            delivery_id=payload.delivery_id,
            action=payload.action,
            headers=kept_headers(sender.receiver, headers),
            outcome=InboundOutcome.IGNORED if place.why_ignored else InboundOutcome.RECEIVED,
            reason=place.why_ignored,
            facts=facts_to_text(payload.facts),
            address=sender.address[:64],
        )
        return self._keep(delivery, body)

    def _require_genuine(self, sender: Sender, headers: Mapping[str, str], body: bytes) -> None:
        is_genuine = sender.receiver.is_genuine(headers, body, sender.secrets or (self._decoy,), self._now())
        if is_genuine and sender.secrets:
            return
        source_id = sender.source.id if sender.source else APP_SCOPE if sender.is_known else None
        self._limits.refused(sender.address, source_id)
        if not sender.is_known:
            raise NotFoundError(
                "there is no such source; nothing was done",
                hint="the address of its webhook is shown with its secret: `chainloop workflow source secret rotate`",
            )
        raise WebhookNotAuthenticError

    def _place(self, sender: Sender, payload: Payload) -> _Place:
        if sender.receiver.kind is ReceiverKind.GITHUB_APP:
            with self._database.read() as connection:
                return self._place_of_installation(connection, payload)
        source = sender.source
        if source is None:
            raise ValueError("only the App's endpoint has no source of its own")
        return _Place(source.organization_id, source.id, source, _why_ignored(source, sender.receiver, payload))

    def _place_of_installation(self, connection: Connection, payload: Payload) -> _Place:
        installation = payload.installation_id
        owner = app_installations.find_owner(connection, self._app.host, installation) if installation else None
        if owner is None:
            return _Place(None, APP_SCOPE, None, "this installation is bound to no organization")
        named = payload.repository
        source = None
        if named.name:
            address = SourceAddress(SourceKind.GITHUB, self._app.host, named.name)
            source = sources.find_by_repository(connection, owner, address, named.id)
        ignored = _UNINTERESTING if payload.facts.is_empty else ""
        if not ignored and source is None and payload.event not in APP_EVENTS:
            ignored = "no source of the organization is of this repository"
        return _Place(owner, APP_SCOPE, source, ignored)

    def _keep(self, delivery: StoredInbound, body: bytes) -> InboundAnswer:
        is_ignored = delivery.outcome is InboundOutcome.IGNORED
        compressed = None if is_ignored else zlib.compress(body, FAST)
        if compressed is not None and len(compressed) > MAX_KEPT_BODY:
            compressed = None
        with self._database.write_one() as connection:
            # First the attempt, which most often succeeds: whoever looks first holds up writers for longer.
            is_new = inbound.add(connection, delivery, compressed)
        if not is_new:
            known = self._get_same(delivery)
            return InboundAnswer("repeated", known.id, known.outcome, known.reason)
        return InboundAnswer("ignored" if is_ignored else "accepted", delivery.id, reason=delivery.reason)

    def _get_same(self, delivery: StoredInbound) -> StoredInbound:
        with self._database.read() as connection:
            found = inbound.find_same(connection, delivery.scope, delivery.delivery_id, delivery.body_digest)
        for each in found:
            has_id = delivery.delivery_id is not None and each.delivery_id == delivery.delivery_id
            if has_id and each.body_digest != delivery.body_digest:
                raise WebhookReplayedError
        if not found:
            # It was old, and forgotten in this moment: the sender's next try is a new one.
            raise StoreBusyError
        return found[0]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a webhook belongs."""

    organization_id: str | None
    scope: str
    source: StoredSource | None
    why_ignored: str


_UNINTERESTING = "nothing in it concerns us"


def _why_ignored(source: StoredSource, receiver: Receiver, payload: Payload) -> str:
    """Return why a source takes no notice of a genuine webhook; empty: it does."""
    if receiver.source_kind is SourceKind.GITHUB and payload.event in APP_EVENTS:
        return "such events are taken from the App's own endpoint only"
    if payload.facts.is_empty:
        return _UNINTERESTING
    return "" if _is_of(payload.repository, source) else "it is about another repository than that of the source"


def _is_of(named: Repository, source: StoredSource) -> bool:
    """Tell whether a payload is about the source's repository; what the secret of one opens is of no other (rule 8)."""
    if source.repository_id is not None and named.id is not None:
        return named.id == source.repository_id
    own, name = source.address.repository, named.name or ""
    if source.address.kind is SourceKind.JENKINS:
        return name == own or name.startswith(own + "/")
    return name.lower() == own.lower()
