"""The secrets of a source's webhook: two at a time during a rotation, sealed (3.5, rule 7; R44)."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from server.model.sources import StoredSource

SECRET_BYTES = 32
PURPOSE = "hook-secret"
"""What the secrets are sealed as."""


@dataclass(frozen=True, slots=True)
class HookSecrets:
    """Sealed texts; what is older than its overlap counts no more."""

    current: str | None = None
    previous: str | None = None
    previous_until: datetime | None = None

    def counting(self, now: datetime) -> tuple[str, ...]:
        """Return those that a webhook may be signed with; none: everything is refused."""
        previous = self.previous if self.previous_until and now < self.previous_until else None
        return tuple(sealed for sealed in (self.current, previous) if sealed)

    def rotated(self, sealed: str, overlap: timedelta, now: datetime) -> HookSecrets:
        """Return them with a new secret, the present one being accepted for the overlap."""
        if not overlap:
            return HookSecrets(sealed)
        return replace(self, current=sealed, previous=self.current, previous_until=now + overlap)


@dataclass(frozen=True, slots=True)
class WatchedSource:
    """A source with the secrets of its webhook."""

    source: StoredSource
    secrets: HookSecrets


def render_secret(random: bytes) -> str:
    """Return a secret in the form of Standard Webhooks, which GitLab signs with; for GitHub it is a text like any."""
    return "whsec_" + base64.b64encode(random).decode()
