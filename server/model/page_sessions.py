"""Sessions of people who look at pages with a token's rights to read (R47)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

SESSION_LIFE = timedelta(hours=8)
"""From the login on, whatever is looked at meanwhile."""
SESSION_BYTES = 32
"""Randomness of a session's id."""
MAX_SESSIONS = 20
"""Of one token; a further login ends the oldest."""


@dataclass(frozen=True, slots=True)
class PageSession:
    """A row of `page_sessions`."""

    id_sha256: str
    """Of the random id in the browser's cookie: who reads the database cannot take a session over."""
    organization_id: str
    token_id: str
    secret_sha256: str
    """Of the secret that was typed: the session ends when that secret does, by revocation, expiry or rotation."""
    created_at: datetime
    expires_at: datetime
