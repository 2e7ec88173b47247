"""From a bearer token to the principal of a request (R1, R6, design decision 7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from chainloop_ci.api.access import Role
from chainloop_ci.api.limits import ORGANIZATION_HEADER
from chainloop_ci.errors import NotAuthenticatedError, NotFoundError
from server.auth.token_text import token_sha256
from server.errors import StoreBusyError, StoreFullError, StoreUnusableError
from server.model.principal import Principal
from server.model.tokens import StoredToken
from server.store import organizations, tokens
from server.store.database import Database

LAST_USE_INTERVAL = timedelta(minutes=1)
"""A token's last use is written at most this often."""
NOTE_PATIENCE_SECONDS = 0.5
"""So long a request waits for other writers to note the use of its token: what it was sent for may have to wait too."""

_HINT = "set CHAINLOOP_TOKEN to a token of this server; an administrator makes one with " + (
    "`chainloop organization api-token create`"
)

_REPLACED_HINT = "set CHAINLOOP_TOKEN to the secret that the rotation showed; when nobody has it, " + (
    "`chainloop organization api-token rotate` shows another"
)


class Authenticator:
    """Looks tokens up, on every request: what is revoked is refused by the next one."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def authenticate(self, authorization: str, organization: str | None, address: str) -> Principal:
        """Return the principal of a request.

        Every text that stands where a token belongs is hashed and looked up alike: the time taken says nothing
        about it.

        Args:
            authorization: the header of that name.
            organization: the header `Chainloop-Organization`, by which an instance token names one.
            address: of the client.

        Raises:
            NotAuthenticatedError: no token, or one that is unknown, expired, revoked or replaced.
            NotFoundError: the header names an organization that is not there, or not the token's own.
        """
        scheme, _, secret = authorization.partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            raise NotAuthenticatedError("this needs a header `Authorization: Bearer <token>`", hint=_HINT)
        digest = token_sha256(secret.strip())
        now = self._now()
        with self._database.read() as connection:
            token = tokens.find_by_secret(connection, digest)
            if token is None:
                raise NotAuthenticatedError("this token is not known here", hint=_HINT)
            if why_not := token.why_not(digest, now):
                # Of a token that works, the secret was replaced.
                is_replaced = token.why_not(token.secret_sha256, now) is None
                raise NotAuthenticatedError(why_not, hint=_REPLACED_HINT if is_replaced else _HINT)
            principal = _in_organization(connection, token, organization, address)
        self._note_use(token, now, address)
        return principal

    def find_still(self, organization_id: str, token_id: str, secret_sha256: str, address: str) -> Principal | None:
        """Return the principal of a secret that was shown before, or None when it works no more (R47)."""
        now = self._now()
        with self._database.read() as connection:
            token = tokens.find(connection, organization_id, token_id)
        if token is None or token.why_not(secret_sha256, now) is not None:
            return None
        self._note_use(token, now, address)
        return token.principal(address)

    def _note_use(self, token: StoredToken, now: datetime, address: str) -> None:
        not_since = now - LAST_USE_INTERVAL
        if token.last_used_at is not None and token.last_used_at > not_since:
            return
        try:
            with self._database.write(NOTE_PATIENCE_SECONDS) as connection:
                tokens.touch(connection, token.id, at=now, address=address, not_since=not_since)
        except (StoreBusyError, StoreFullError, StoreUnusableError):
            # Reading goes on while nothing can be written (R8); the next request notes its use instead.
            return


def _in_organization(connection: Connection, token: StoredToken, name: str | None, address: str) -> Principal:
    principal = token.principal(address)
    if not name or name == principal.organization:
        return principal
    found = organizations.find_by_name(connection, name) if token.role is Role.INSTANCE else None
    if found is None:
        raise NotFoundError(
            f"there is no organization {name[:63]!r} for this token",
            hint="correct the name or leave it out: on the command line --org (CHAINLOOP_ORGANIZATION), in a request "
            f"the header {ORGANIZATION_HEADER}",
        )
    return replace(principal, organization_id=found.id, organization=found.name)
