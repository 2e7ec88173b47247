"""Seal everything anew after a change of keys, so that the old key can go (R44)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.errors import ChainloopError
from server.errors import SecretUnreadableError
from server.model.audit import SERVER_ACTOR, AuditAction, AuditRecord
from server.model.hook_secrets import PURPOSE
from server.secret_box import SealedFor, SecretBox
from server.services.credentials import REGISTRATION
from server.services.secrets import Secrets
from server.store import audit, sealed_texts, secret_canaries
from server.store.database import Database
from server.store.sealed_texts import REGISTRATIONS, SOURCES, SealedColumns, SealedRow

BATCH = 100
"""Rows that are sealed anew in one transaction; others wait for the database meanwhile."""


@dataclass(frozen=True, slots=True)
class SealedKind:
    """One kind of what is sealed."""

    name: str
    """For people, in the plural."""
    purpose: str
    """As in `SealedFor`."""
    where: SealedColumns


KINDS = (
    SealedKind("credentials of registrations", REGISTRATION, REGISTRATIONS),
    SealedKind("secrets of webhooks", PURPOSE, SOURCES),
)
"""Everything that is sealed; a test finds a purpose that is missing here."""


@dataclass(slots=True)
class Resealed:
    """What was done, as far as it went."""

    key: str
    """Name of the key that seals now; empty: there is none, and nothing is sealed."""
    anew: Counter[str] = field(default_factory=Counter)
    """By the name of the kind: texts that had another key."""
    current: int = 0
    """Texts that had this key already."""
    unreadable: list[str] = field(default_factory=list)
    """What stays as it is, and why."""


class Resealing:
    """The use case of the server's operator. It may be interrupted and repeated: what is done stays done."""

    def __init__(self, database: Database, now: Callable[[], datetime], box: SecretBox, secrets: Secrets) -> None:
        self._database = database
        self._now = now
        self._box = box
        self._secrets = secrets

    def reseal(self) -> Resealed:
        """Seal every text with the key that seals now, and forget the canaries of keys that sealed nothing else.

        Raises:
            SecretKeyMissingError: there is no key here, and what is stored was sealed with one.
            ConfigInvalidError: the keys cannot be used.
        """
        with self._database.read() as connection:
            key = self._secrets.find_key(connection)
        if key is None:
            return Resealed("")
        done = Resealed(key)
        for kind in KINDS:
            after = ""
            while True:
                with self._database.write() as connection:
                    rows = sealed_texts.list_rows(connection, kind.where, after=after, limit=BATCH)
                    for row in rows:
                        self._reseal_row(connection, kind, row, done)
                if not rows:
                    break
                after = rows[-1].id
        self._finish(done)
        return done

    def _reseal_row(self, connection: Connection, kind: SealedKind, row: SealedRow, done: Resealed) -> None:
        place = SealedFor(kind.purpose, row.organization_id, row.id, row.host)
        changed: dict[str, str] = {}
        for column, sealed in row.texts.items():
            try:
                if self._box.is_current(sealed):
                    done.current += 1
                    continue
                text = self._box.open(sealed, place)
            except SecretUnreadableError as error:
                done.unreadable.append(f"{kind.name}: {row.id}: {error.message}")
                continue
            changed[column] = self._secrets.seal(connection, text, place)
        if changed:
            sealed_texts.save(connection, kind.where, row, changed)
            done.anew[kind.name] += len(changed)

    def _finish(self, done: Resealed) -> None:
        with self._database.write() as connection:
            used = {*sealed_texts.count_by_key(connection), done.key}
            gone = secret_canaries.forget_others(connection, used)
            if done.anew or gone:
                detail: dict[str, object] = {**done.anew, "forgotten_keys": list(gone)}
                action = AuditAction.SECRETS_RESEALED
                audit.add(connection, AuditRecord(None, self._now(), SERVER_ACTOR, action, done.key, detail))


def describe_seals(connection: Connection, box: SecretBox) -> Iterator[tuple[bool, str]]:
    """Yield what is sealed with another key than the one that seals now; true: with one that is not here."""
    try:
        known = box.known_keys()
    except ChainloopError:
        # What a file of keys lacks is said where the canaries are looked at.
        return
    for name, number in sorted(sealed_texts.count_by_key(connection).items()):
        if name not in known:
            yield True, f"{number} sealed with the key {name[:16]!r}, which this server does not have"
        elif name != known[0]:
            yield False, f"{number} sealed with the key {name}, which seals no more"
