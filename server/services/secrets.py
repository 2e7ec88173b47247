"""Credentials for third parties: sealed on their way into the database, opened for one try (R44).

Whatever key seals for the first time leaves a canary: so `doctor` finds a lost key before a delivery does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.errors import ChainloopError
from server.errors import SecretKeyMissingError
from server.secret_box import SealedFor, SecretBox
from server.store import secret_canaries

_CANARY = "canary"


class Secrets:
    """Use cases of sealed texts."""

    def __init__(self, box: SecretBox, now: Callable[[], datetime]) -> None:
        self._box = box
        self._now = now

    def seal(self, connection: Connection, text: str, place: SealedFor) -> str:
        """Return a text that only `open` with the same place makes readable; to be stored in this transaction.

        Raises:
            SecretKeyMissingError: there is no key here, and what is stored was sealed with one.
            ConfigInvalidError: the keys cannot be used.
        """
        key_id = self.find_key(connection) or self._box.key_id()
        if not secret_canaries.has(connection, key_id):
            canary = self._box.seal(_CANARY, _place_of_canary(key_id))
            secret_canaries.add(connection, key_id, canary, self._now())
        return self._box.seal(text, place)

    def find_key(self, connection: Connection) -> str | None:
        """Return the name of the key that seals; None: there is none yet, and nothing was ever sealed.

        A key that is made beside another's seals what no other server opens, and hides that the other is missing. One
        that was made in a transaction that came to nothing has no canary: another server that seals first makes its
        own, and `doctor` names that.

        Raises:
            SecretKeyMissingError: there is no key here, and what is stored was sealed with one.
            ConfigInvalidError: the keys cannot be used.
        """
        if not self._box.makes_a_key:
            return self._box.key_id()
        if others := [name for name, _ in secret_canaries.list_all(connection)]:
            raise SecretKeyMissingError(others)
        return None

    def open(self, sealed: str, place: SealedFor) -> str:
        """Return a text that was sealed for this place.

        Raises:
            SecretUnreadableError: its key is not here, it is of another place, or it was altered.
        """
        return self._box.open(sealed, place)


def lost_keys(connection: Connection, box: SecretBox) -> Iterator[str]:
    """Say of each key that sealed credentials and does not open its canary what is wrong with it."""
    for key_id, sealed in secret_canaries.list_all(connection):
        try:
            box.open(sealed, _place_of_canary(key_id))
        except ChainloopError as error:
            yield f"key {key_id}: {error.message}"


def _place_of_canary(key_id: str) -> SealedFor:
    return SealedFor("canary", "", key_id, "")
