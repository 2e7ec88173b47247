"""Webhooks that came in, as they are stored: what was sent, and what became of it (R46)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chainloop_ci.api.inbound import InboundDelivery, InboundOutcome

APP_SCOPE = "github-app"
"""Scope of what comes to the App's endpoint; every other scope is the id of a source."""
KEPT = timedelta(days=7)
"""How long a delivery is kept: a repeated one is known for so long. GitHub sends again for three days."""
MAX_KEPT_BODY = 256 * 1024
"""Compressed bytes of a body that is kept after it was handled, so that it can be replayed."""


class ReceiverKind(StrEnum):
    """Who sends; the values are the last part of the addresses below `/webhooks`."""

    GITHUB = "github"
    GITLAB = "gitlab"
    GENERIC = "generic"
    """Our Jenkins step."""
    GITHUB_APP = "github-app"
    """GitHub, for all installations of our App (R42)."""


@dataclass(frozen=True, slots=True)
class StoredInbound:
    """A row of `inbound_deliveries`, without its body."""

    id: str
    organization_id: str
    scope: str
    """Within which delivery ids and bodies are the same one: the source, or `APP_SCOPE`."""
    receiver: ReceiverKind
    event: str
    body_digest: str
    """`sha256:` of the raw bytes."""
    body_bytes: int
    received_at: datetime
    source_id: str | None = None
    delivery_id: str | None = None
    """The sender's own; None: it names none."""
    action: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Those that say something and are no secret."""
    outcome: InboundOutcome = InboundOutcome.RECEIVED
    reason: str = ""
    """Why it was ignored or failed."""
    facts: str = "{}"
    """What it says, as `model.forge_facts` writes it."""
    address: str = ""
    """Where the request came from."""
    handled_at: datetime | None = None
    replays: int = 0
    has_body: bool = True

    def handled(self, now: datetime) -> StoredInbound:
        """Return it after everything that it says was written down."""
        return replace(self, outcome=InboundOutcome.HANDLED, handled_at=now, reason="")

    def failed(self, reason: str, now: datetime) -> StoredInbound:
        """Return it after it could not be handled."""
        return replace(self, outcome=InboundOutcome.FAILED, handled_at=now, reason=reason[:500])

    def replayed(self, facts: str) -> StoredInbound:
        """Return it as if it had just come, with what this version of the server reads in it."""
        again = {"outcome": InboundOutcome.RECEIVED, "handled_at": None, "reason": "", "replays": self.replays + 1}
        return replace(self, facts=facts, **again)  # type: ignore[arg-type]  # the names are the fields'

    @property
    def is_waiting(self) -> bool:
        """Tell whether what it says was not written down yet."""
        return self.outcome is InboundOutcome.RECEIVED

    @property
    def duration(self) -> timedelta | None:
        """Return how long it took from its coming until everything was written down."""
        return self.handled_at - self.received_at if self.handled_at else None

    def api(self, source: str | None) -> InboundDelivery:
        """Return the wire form; `source` is the address of its source."""
        took = self.duration
        return InboundDelivery(
            id=self.id,
            receiver=self.receiver.value,
            event=self.event,
            outcome=self.outcome,
            received_at=self.received_at,
            body_digest=self.body_digest,
            body_bytes=self.body_bytes,
            source_id=self.source_id,
            source=source,
            delivery_id=self.delivery_id,
            action=self.action,
            reason=self.reason,
            headers=dict(self.headers),
            address=self.address,
            handled_at=self.handled_at,
            duration_milliseconds=None if took is None else round(took / timedelta(milliseconds=1)),
            replays=self.replays,
            can_be_replayed=self.has_body,
        )
