"""Secrets of sources' webhooks: made here, shown once, sealed, two at a time during a rotation (3.5, R44)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Connection

from chainloop_ci.api.inbound import HookSecret
from chainloop_ci.api.source_address import SourceKind
from chainloop_ci.errors import ConflictError, NotFoundError
from server.model.audit import AuditAction, audit_of
from server.model.hook_secrets import PURPOSE, SECRET_BYTES, HookSecrets, WatchedSource, render_secret
from server.model.inbound import ReceiverKind
from server.model.principal import Principal
from server.model.sources import StoredSource
from server.secret_box import SealedFor
from server.services.secrets import Secrets
from server.store import audit, hook_secrets, sources
from server.store.database import Database

RECEIVER_OF = {
    SourceKind.GITHUB: ReceiverKind.GITHUB,
    SourceKind.GITLAB: ReceiverKind.GITLAB,
    SourceKind.JENKINS: ReceiverKind.GENERIC,
}


class SourceSecrets:
    """Use cases of the secrets."""

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime],
        random_bytes: Callable[[int], bytes],
        *,
        secrets: Secrets,
        public_url: str,
    ) -> None:
        """`public_url` begins the address that webhooks are sent to (R47)."""
        self._database = database
        self._now = now
        self._random_bytes = random_bytes
        self._secrets = secrets
        self._public_url = public_url

    def create(self, principal: Principal, source_id: str) -> HookSecret:
        """Give a source's webhook its first secret, and return it; it is nowhere else.

        Raises:
            NotFoundError: there is no such source.
            NotAllowedError: the token does not reach the whole organization.
            ConflictError: there is a secret already.
        """
        with self._database.write() as connection:
            watched = self._get(connection, principal, source_id)
            if watched.secrets.current is not None:
                raise ConflictError(
                    f"the webhook of {watched.source.address} has a secret already; it is not shown again",
                    hint="make another one: `chainloop workflow source secret rotate`",
                )
            made = self.rotate_in(connection, watched, timedelta(0))
            self._note(connection, principal, AuditAction.SOURCE_SECRET_CREATED, watched.source)
        return made

    def rotate(self, principal: Principal, source_id: str, overlap: timedelta) -> HookSecret:
        """Give a source's webhook another secret, and return it; the one before is accepted for the overlap.

        Raises:
            NotFoundError: there is no such source.
            NotAllowedError: the token does not reach the whole organization.
        """
        with self._database.write() as connection:
            watched = self._get(connection, principal, source_id)
            made = self.rotate_in(connection, watched, overlap)
            seconds = int(overlap.total_seconds())
            self._note(
                connection, principal, AuditAction.SOURCE_SECRET_ROTATED, watched.source, overlap_seconds=seconds
            )
        return made

    def rotate_in(self, connection: Connection, watched: WatchedSource, overlap: timedelta) -> HookSecret:
        """Make another secret within the caller's write transaction; for whoever gives it to the forge himself."""
        source, secret = watched.source, render_secret(self._random_bytes(SECRET_BYTES))
        sealed = self._secrets.seal(connection, secret, place_of(source))
        secrets = watched.secrets.rotated(sealed, overlap, self._now())
        hook_secrets.save(connection, source, secrets)
        return HookSecret(source.id, str(source.address), self.url_of(source), secret, secrets.previous_until)

    def open(self, source: StoredSource, secrets: HookSecrets) -> list[str]:
        """Return the secrets that count at present, the newest first.

        Raises:
            SecretUnreadableError: the key that sealed one is not here.
        """
        return [self._secrets.open(sealed, place_of(source)) for sealed in secrets.counting(self._now())]

    def url_of(self, source: StoredSource) -> str:
        """Return the address that the webhook of a source is sent to."""
        return f"{self._public_url}/webhooks/{RECEIVER_OF[source.address.kind].value}/{source.id}"

    def _get(self, connection: Connection, principal: Principal, source_id: str) -> WatchedSource:
        source = sources.find(connection, principal.organization_id, source_id)
        watched = hook_secrets.find_watched(connection, source.id, source.address.kind) if source else None
        if watched is None:
            raise NotFoundError(f"there is no source {source_id}", hint="`chainloop workflow source show` says its id")
        # A source is the whole organization's: workflows of any project may come from it.
        principal.require_reach(project_id=None)
        return watched

    def _note(
        self,
        connection: Connection,
        principal: Principal,
        action: AuditAction,
        source: StoredSource,
        **more: object,
    ) -> None:
        facts = {"source": str(source.address), **more}
        audit.add(connection, audit_of(principal, self._now(), action, source.id, facts))


def place_of(source: StoredSource) -> SealedFor:
    """Return where the secrets of a source open, and nowhere else (R44)."""
    return SealedFor(PURPOSE, source.organization_id, source.id, source.address.host)
