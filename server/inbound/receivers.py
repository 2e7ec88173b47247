"""Who may send webhooks, one record each: how they are verified and read, one visible table (3.4)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

from chainloop_ci.api.source_address import SourceKind
from server.errors import WebhookInvalidError
from server.inbound import generic, github, gitlab
from server.inbound.reading import ident, text
from server.inbound.signatures import is_from_github, is_from_gitlab, is_standard
from server.model.inbound import ReceiverKind
from server.model.inbound_facts import InboundFacts

Headers = Mapping[str, str]
"""Names in lower case."""

FORM = "application/x-www-form-urlencoded"
MAX_FORGE_BYTES = 25 * 1024 * 1024
"""GitHub sends no more (GitHub Docs, "Webhook events and payloads"); neither do GitLab's status checks."""
MAX_GITLAB_BYTES = 10 * 1024 * 1024
MAX_GENERIC_BYTES = 16 * 1024

MAX_CONTAINERS, MAX_VALUES = 250_000, 1_000_000
"""Objects with lists, and values, of a payload: each takes many times the memory of its few bytes. The largest genuine
ones have a tenth of that."""

_EVENT = re.compile(r"[A-Za-z0-9_. -]{1,64}\Z")
_DELIVERY = re.compile(r"[A-Za-z0-9_.:-]{1,64}\Z")


@dataclass(frozen=True, slots=True)
class Repository:
    """Where a payload says that it happened."""

    id: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Receiver:
    """One kind of sender. Each member of `ReceiverKind` has exactly one entry in `RECEIVERS`."""

    kind: ReceiverKind
    source_kind: SourceKind
    media_types: tuple[str, ...]
    max_body_bytes: int
    is_genuine: Callable[[Headers, bytes, Sequence[str], datetime], bool]
    """Of one of the secrets; False when there are none."""
    event: Callable[[Headers, object], str | None]
    delivery_id: Callable[[Headers], str | None]
    parse: Callable[[str, object], InboundFacts]
    repository: Callable[[object], Repository]
    kept_headers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Payload:
    """A verified webhook, read."""

    event: str
    action: str | None
    delivery_id: str | None
    facts: InboundFacts
    repository: Repository
    installation_id: str | None
    """Of our App; only the App's endpoint looks at it (R42)."""


def read(receiver: Receiver, headers: Headers, media_type: str, body: bytes) -> Payload:
    """Return what a verified webhook says.

    Raises:
        WebhookInvalidError: it is no JSON object, or its event has no name.
    """
    document = _document(media_type, body)
    event = receiver.event(headers, document)
    if event is None or not _EVENT.match(event):
        raise WebhookInvalidError("the webhook does not name its event", hint="send it with the headers of its sender")
    delivery_id = receiver.delivery_id(headers)
    return Payload(
        event=event,
        action=(text(document, "action") or text(document, "object_attributes", "action") or "")[:64] or None,
        delivery_id=delivery_id if delivery_id and _DELIVERY.match(delivery_id) else None,
        facts=receiver.parse(event, document),
        repository=receiver.repository(document),
        installation_id=ident(document, "installation", "id"),
    )


def kept_headers(receiver: Receiver, headers: Headers) -> dict[str, str]:
    """Return the headers that are stored: those that say something, and none that is or proves a secret."""
    names = (*receiver.kept_headers, "content-type", "user-agent")
    return {name: found for name in names if (found := text(headers, name))}


def _document(media_type: str, body: bytes) -> object:
    try:
        raw = _form_payload(body).encode("utf-8", "surrogatepass") if media_type == FORM else body
        if raw.count(b"{") + raw.count(b"[") > MAX_CONTAINERS or raw.count(b",") > MAX_VALUES:
            raise ValueError("too many values")
        document = json.loads(raw)
    # What is nested too deeply is no payload of a forge either.
    except (ValueError, RecursionError) as error:
        raise WebhookInvalidError("the body is no JSON document") from error
    if not isinstance(document, dict):
        raise WebhookInvalidError("expected a JSON object as payload")
    return document


def _form_payload(body: bytes) -> str:
    """Return the payload of GitHub's other content type (GitHub Docs, "Creating webhooks")."""
    fields = parse_qs(body.decode(), strict_parsing=True, max_num_fields=16)
    if len(fields.get("payload", [])) != 1:
        raise ValueError("no payload")
    return fields["payload"][0]


def _gitlab_event(headers: Headers, _payload: object) -> str | None:
    named = headers.get("x-gitlab-event")
    return gitlab.STATUS_CHECK if named is None and "x-gitlab-signature" in headers else named


def _gitlab_repository(payload: object) -> Repository:
    name = text(payload, "project", "path_with_namespace")
    if name is None:
        # Job events of older versions have only the address.
        name = _path_of(text(payload, "repository", "homepage") or "")
    return Repository(ident(payload, "project", "id") or ident(payload, "project_id"), name)


def _path_of(address: str) -> str | None:
    try:
        return urlsplit(address).path.strip("/") or None
    except ValueError:
        return None


def _github_repository(payload: object) -> Repository:
    return Repository(ident(payload, "repository", "id"), text(payload, "repository", "full_name"))


def _from_github(headers: Headers, body: bytes, secrets: Sequence[str], _now: datetime) -> bool:
    return is_from_github(headers, body, secrets)


_GITHUB_HEADERS = (
    "x-github-event",
    "x-github-delivery",
    "x-github-hook-id",
    "x-github-hook-installation-target-type",
    "x-github-enterprise-host",
)


def _github(kind: ReceiverKind) -> Receiver:
    return Receiver(
        kind=kind,
        source_kind=SourceKind.GITHUB,
        media_types=("application/json", FORM),
        max_body_bytes=MAX_FORGE_BYTES,
        is_genuine=_from_github,
        event=lambda headers, _payload: headers.get("x-github-event"),
        delivery_id=lambda headers: headers.get("x-github-delivery"),
        parse=github.parse,
        repository=_github_repository,
        kept_headers=_GITHUB_HEADERS,
    )


RECEIVERS: Mapping[ReceiverKind, Receiver] = {
    ReceiverKind.GITHUB: _github(ReceiverKind.GITHUB),
    ReceiverKind.GITHUB_APP: _github(ReceiverKind.GITHUB_APP),
    ReceiverKind.GITLAB: Receiver(
        kind=ReceiverKind.GITLAB,
        source_kind=SourceKind.GITLAB,
        media_types=("application/json",),
        max_body_bytes=MAX_GITLAB_BYTES,
        is_genuine=is_from_gitlab,
        event=_gitlab_event,
        # The event's own UUID is shared by all that one action causes: no id of a delivery.
        delivery_id=lambda headers: headers.get("webhook-id") or headers.get("idempotency-key"),
        parse=gitlab.parse,
        repository=_gitlab_repository,
        kept_headers=("x-gitlab-event", "x-gitlab-event-uuid", "x-gitlab-instance", "idempotency-key", "webhook-id"),
    ),
    ReceiverKind.GENERIC: Receiver(
        kind=ReceiverKind.GENERIC,
        source_kind=SourceKind.JENKINS,
        media_types=("application/json",),
        max_body_bytes=MAX_GENERIC_BYTES,
        is_genuine=is_standard,
        event=lambda _headers, payload: text(payload, "event"),
        delivery_id=lambda headers: headers.get("webhook-id"),
        parse=generic.parse,
        repository=lambda payload: Repository(None, text(payload, "job")),
        kept_headers=("webhook-id", "webhook-timestamp"),
    ),
}
