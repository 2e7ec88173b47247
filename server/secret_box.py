"""Credentials at rest: sealed for one place, so that a text that is moved to another row does not open (R44).

AES-256-GCM under a key of the server's operator, with a random nonce of 96 bits: a key is good for some 4 billion texts
(NIST SP 800-38D, section 8.3). Nothing here shows a text or a key, not even to say what is wrong with it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chainloop_ci.errors import ConfigInvalidError
from server.config import ServerConfig
from server.errors import SecretUnreadableError
from server.setting_values import KEY_BYTES, parse_secret_keys

_FORMAT = "sb1"
_NONCE_BYTES = 12
_MAX_FILE_BYTES = 64 * 1024
_RESTORE = (
    "give the server the key that it had (CHAINLOOP_SECRET_KEY, or secret.key of a backup), or enter the credential "
    "anew"
)


@dataclass(frozen=True, slots=True)
class SealedFor:
    """The one place where a sealed text opens."""

    purpose: str
    """What the text is, such as `registration` or `hook-secret`."""
    organization_id: str
    """Empty: the server's own."""
    owner_id: str
    """Of the registration, source or other row that it belongs to."""
    host: str
    """Base URL that it is sent to, or empty: with another host it has to be entered again."""

    def to_bytes(self) -> bytes:
        """Return a form that no other place has."""
        return json.dumps([_FORMAT, self.purpose, self.organization_id, self.owner_id, self.host]).encode()


class Keys(Protocol):
    """Where the keys come from; the first one seals, all of them open."""

    @property
    def are_made(self) -> bool:
        """Whether a key is made where there is none."""
        ...

    def find(self) -> tuple[bytes, ...]:
        """Return the keys, none when there is none yet."""
        ...

    def get(self) -> tuple[bytes, ...]:
        """Return the keys; makes one if there is none."""
        ...


class SecretBox:
    """Seals and opens texts."""

    def __init__(self, keys: Keys, random_bytes: Callable[[int], bytes]) -> None:
        self._keys = keys
        self._random_bytes = random_bytes

    def seal(self, text: str, place: SealedFor) -> str:
        """Return a text that only `open` with the same place makes readable again; never twice the same.

        Raises:
            ConfigInvalidError: the file of the keys cannot be used.
        """
        key = self._keys.get()[0]
        nonce = self._random_bytes(_NONCE_BYTES)
        sealed = nonce + AESGCM(key).encrypt(nonce, text.encode(), place.to_bytes())
        return f"{_FORMAT}:{key_id(key)}:{base64.urlsafe_b64encode(sealed).decode()}"

    def open(self, sealed: str, place: SealedFor) -> str:
        """Return a text that was sealed for this place.

        Raises:
            SecretUnreadableError: it was sealed with a key that is not here, for another place, or it was altered.
            ConfigInvalidError: the file of the keys cannot be used.
        """
        name, raw = _split(sealed)
        key = next((key for key in self._keys.find() if key_id(key) == name), None)
        if key is None:
            why = f"it was sealed with the key {name}, which this server does not have"
            raise SecretUnreadableError(why, _RESTORE, key_is_missing=True)
        try:
            return AESGCM(key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], place.to_bytes()).decode()
        except (InvalidTag, ValueError) as error:
            raise SecretUnreadableError(
                "it was sealed for another organization, owner or host, or it was altered", "enter the credential anew"
            ) from error

    def is_current(self, sealed: str) -> bool:
        """Tell whether a text was sealed with the key that seals now; after a change of keys it is sealed again."""
        keys = self._keys.find()
        return bool(keys) and _split(sealed)[0] == key_id(keys[0])

    @property
    def makes_a_key(self) -> bool:
        """Whether the next text would be sealed with a key that is made for it."""
        return self._keys.are_made and not self._keys.find()

    def known_keys(self) -> tuple[str, ...]:
        """Return the names of the keys that open, the one that seals first; empty: there is none yet.

        Raises:
            ConfigInvalidError: the file of the keys cannot be used.
        """
        return tuple(map(key_id, self._keys.find()))

    def key_id(self) -> str:
        """Return the name of the key that seals; makes one if there is none.

        Raises:
            ConfigInvalidError: the file of the keys cannot be used.
        """
        return key_id(self._keys.get()[0])


def open_secret_box(config: ServerConfig, random_bytes: Callable[[int], bytes]) -> SecretBox:
    """Return the box with the keys that the settings say, else those of `secret.key` in the data folder."""
    if config.secret_keys:
        return SecretBox(_GivenKeys(config.secret_keys), random_bytes)
    if config.secret_key_file is not None:
        return SecretBox(_FileKeys(config.secret_key_file, None), random_bytes)
    return SecretBox(_FileKeys(config.secret_key_path, random_bytes), random_bytes)


def key_id(key: bytes) -> str:
    """Return what a sealed text names its key by; says nothing about it."""
    return hashlib.sha256(b"chainloop secret box key id\0" + key).hexdigest()[:16]


@dataclass(frozen=True, slots=True, repr=False)
class _GivenKeys:
    keys: tuple[bytes, ...]

    @property
    def are_made(self) -> bool:
        return False

    def find(self) -> tuple[bytes, ...]:
        return self.keys

    def get(self) -> tuple[bytes, ...]:
        return self.keys


@dataclass(frozen=True, slots=True)
class _FileKeys:
    """Keys of a file, one on each line; read anew each time, so that a change of keys needs no restart."""

    path: Path
    random_bytes: Callable[[int], bytes] | None
    """None: the file is the operator's, and is not made."""

    @property
    def are_made(self) -> bool:
        return self.random_bytes is not None

    def find(self) -> tuple[bytes, ...]:
        try:
            with self.path.open("rb") as file:
                raw = file.read(_MAX_FILE_BYTES + 1)
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise self._unusable(error.strerror or "it cannot be read") from error
        try:
            return parse_secret_keys(raw.decode("ascii"))
        except ValueError:  # UnicodeDecodeError is one, and holds what it found
            raise self._unusable(f"expected keys of {KEY_BYTES} bytes in Base64, one on each line") from None

    def get(self) -> tuple[bytes, ...]:
        if keys := self.find():
            return keys
        if self.random_bytes is None:
            raise self._unusable("there is no such file")
        self._make(self.random_bytes)
        return self.find()

    def _make(self, random_bytes: Callable[[int], bytes]) -> None:
        """Make the file in one step: of several processes that need it at once, one makes the key of all."""
        text = base64.b64encode(random_bytes(KEY_BYTES)) + b"\n"
        draft = self.path.with_name(f".{self.path.name}.{random_bytes(8).hex()}")
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(draft, self.path)
            _sync(self.path.parent)
        except OSError as error:
            raise self._unusable(error.strerror or "it cannot be written") from error
        finally:
            draft.unlink(missing_ok=True)

    def _unusable(self, why: str) -> ConfigInvalidError:
        return ConfigInvalidError(
            f"the keys for credentials in {self.path} cannot be used: {why}",
            hint="restore the file, or name another with CHAINLOOP_SECRET_KEY_FILE",
        )


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _split(sealed: str) -> tuple[str, bytes]:
    format_, _, rest = sealed.partition(":")
    name, _, text = rest.partition(":")
    try:
        raw = base64.b64decode(text, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if format_ != _FORMAT or len(raw) <= _NONCE_BYTES:
        raise SecretUnreadableError("what is stored is no sealed text", _RESTORE)
    return name, raw
