"""Webhooks that came in, and the secrets that their senders sign with, on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from chainloop_ci.api.record import about
from chainloop_ci.digests import DIGEST_PATTERN
from chainloop_ci.records import record

MAX_SECRET_OVERLAP_SECONDS = 7 * 86400
DEFAULT_SECRET_OVERLAP_SECONDS = 86400


class InboundOutcome(StrEnum):
    """What became of a webhook that was verified."""

    RECEIVED = "received"
    """Stored, and not handled yet."""
    HANDLED = "handled"
    IGNORED = "ignored"
    """It is of no concern to us."""
    FAILED = "failed"
    """What it says could not be written down."""


@record
class InboundDelivery:
    """A webhook that came in and was verified."""

    id: str
    receiver: Annotated[str, about("`github`, `gitlab`, `generic` or `github-app`.")]
    event: Annotated[str, about("As the sender names it: `workflow_run`, `Pipeline Hook`.")]
    outcome: InboundOutcome
    received_at: datetime
    body_digest: Annotated[str, about("`sha256:` of the bytes that came.", pattern=DIGEST_PATTERN)]
    body_bytes: int
    source_id: str | None = None
    source: Annotated[str | None, about("`github:acme/app`; None: it is of no single repository.")] = None
    delivery_id: Annotated[str | None, about("The sender's own id; None: it sent none.")] = None
    action: str | None = None
    reason: Annotated[str, about("Why it was ignored or failed.")] = ""
    headers: Annotated[Mapping[str, str], about("Those of its headers that are no secret.")] = field(
        default_factory=dict
    )
    address: Annotated[str, about("Where the request came from.")] = ""
    handled_at: datetime | None = None
    duration_milliseconds: Annotated[int | None, about("From its coming until it was handled.")] = None
    replays: Annotated[int, about("How often an operator had it handled again.")] = 0
    can_be_replayed: Annotated[bool, about("False: its body is not kept any more.")] = True


@record
class InboundAnswer:
    """What the sender of a webhook is told."""

    status: Annotated[str, about("`accepted`, `ignored` or `repeated`.")]
    id: str | None = None
    outcome: Annotated[InboundOutcome | None, about("Of one that came before: what became of it.")] = None
    reason: str = ""


@record
class SecretRotation:
    """Give a source's webhook another secret."""

    overlap_seconds: Annotated[
        int,
        about("The one before is accepted so long.", minimum=0, maximum=MAX_SECRET_OVERLAP_SECONDS),
    ] = DEFAULT_SECRET_OVERLAP_SECONDS


@record
class HookSecret:
    """The secret of a source's webhook, shown once, and where the webhook is to be sent."""

    source_id: str
    source: str
    url: Annotated[str, about("The address that the forge sends to.")]
    secret: str
    previous_until: Annotated[datetime | None, about("Until when the one before is accepted too.")] = None
