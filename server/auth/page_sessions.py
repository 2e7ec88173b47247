"""Logging in to pages with a token, and who looks at one (R47)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from chainloop_ci.api.access import Role
from chainloop_ci.errors import NotAllowedError, NotAuthenticatedError
from server.auth.authenticator import Authenticator
from server.auth.login_limit import LoginLimit
from server.auth.token_text import token_sha256
from server.errors import TooManyLoginsError
from server.model.page_sessions import MAX_SESSIONS, SESSION_BYTES, SESSION_LIFE, PageSession
from server.model.principal import READERS, Principal
from server.store import page_sessions
from server.store.database import Database


@dataclass(frozen=True, slots=True)
class Login:
    """A session that has just begun."""

    secret: str
    """What the browser's cookie holds; only its digest is kept."""
    principal: Principal


class PageSessions:
    """Sessions are looked up on every request: what ends the token ends them with the next one."""

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime],
        random_bytes: Callable[[int], bytes],
        authenticator: Authenticator,
    ) -> None:
        self._database = database
        self._now = now
        self._random_bytes = random_bytes
        self._authenticator = authenticator
        self._limit = LoginLimit()

    def log_in(self, token: str, address: str) -> Login:
        """Begin a session with a token that may read.

        Raises:
            TooManyLoginsError: too many logins from this address have failed.
            NotAuthenticatedError: no token, or one that is unknown, expired, revoked or replaced.
            NotAllowedError: it may not read, or belongs to no organization.
        """
        wait_seconds = self._limit.wait_seconds(address, self._now())
        if wait_seconds:
            raise TooManyLoginsError(wait_seconds)
        try:
            principal = self._authenticator.authenticate(f"Bearer {token.strip()}", None, address)
            _require_reader(principal)
        except (NotAuthenticatedError, NotAllowedError):
            self._limit.note_failure(address, self._now())
            raise
        return Login(self._begin(principal, token_sha256(token.strip())), principal)

    def find_reader(self, secret: str, address: str) -> Principal | None:
        """Return who looks with this cookie, with the rights to read and no others; None: nobody that is known."""
        if not secret:
            return None
        with self._database.read() as connection:
            session = page_sessions.find(connection, _digest(secret))
        if session is None or session.expires_at <= self._now():
            return None
        known = (session.organization_id, session.token_id, session.secret_sha256)
        principal = self._authenticator.find_still(*known, address)
        if principal is None or principal.role not in READERS:
            return None
        # Whoever takes a browser over cannot do more than read, whatever the token may.
        return replace(principal, role=Role.READ)

    def log_out(self, secret: str) -> None:
        """End a session; one that is not there is ended already."""
        with self._database.write() as connection:
            page_sessions.remove(connection, _digest(secret))

    def _begin(self, principal: Principal, secret_sha256: str) -> str:
        now = self._now()
        secret = base64.urlsafe_b64encode(self._random_bytes(SESSION_BYTES)).decode().rstrip("=")
        session = PageSession(
            id_sha256=_digest(secret),
            organization_id=principal.organization_id,
            token_id=principal.token_id,
            secret_sha256=secret_sha256,
            created_at=now,
            expires_at=now + SESSION_LIFE,
        )
        with self._database.write() as connection:
            # Only logins make rows: here they are cleared away, too.
            page_sessions.remove_expired(connection, now)
            page_sessions.add(connection, session)
            page_sessions.remove_oldest(connection, principal.organization_id, principal.token_id, keep=MAX_SESSIONS)
        return secret


def _require_reader(principal: Principal) -> None:
    if not principal.organization_id:
        raise NotAllowedError(
            "an instance token belongs to no organization, and pages show one",
            hint="log in with a token of the organization that has the role read",
        )
    principal.require_role(READERS)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
