"""What travels between jobs sealed under their token: the shared state and the run handle (R14).

AES-256-GCM with a random nonce; the key comes from the token by HKDF-SHA256 (RFC 5869), one for each purpose, and what
the bytes belong to is authenticated with them. A token has 256 random bits: nothing needs to make guessing slow. The
control plane keeps its SHA-256 alone, so that a stolen database or backup opens nothing.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from enum import StrEnum

from chainloop_ci.errors import NotAllowedError

_VERSION = b"CLS1"
_NONCE_BYTES = 12
_KEY_BYTES = 32


class Purpose(StrEnum):
    """What a key is for: one of them opens nothing of the others."""

    STATE = "chainloop.dev/shared-state/v1"
    HANDLE = "chainloop.dev/run-handle/v1"


def seal(raw: bytes, token: str, purpose: Purpose, belongs_to: str = "") -> bytes:
    """Return `raw` as only who has the token can read it; `belongs_to` has to be known to open it."""
    import os

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(_NONCE_BYTES)
    return _VERSION + nonce + AESGCM(_key(token, purpose)).encrypt(nonce, raw, belongs_to.encode())


def unseal(sealed: bytes, token: str, purpose: Purpose, belongs_to: str = "") -> bytes:
    """Return what was sealed.

    Raises:
        NotAllowedError: it was sealed under another token, for something else, or it is damaged.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    begin = len(_VERSION) + _NONCE_BYTES
    if not sealed.startswith(_VERSION) or len(sealed) <= begin:
        raise NotAllowedError(
            "expected what chainloop has sealed, found something else",
            hint="pass on the output of `chainloop attestation init --remote-state` as it is; jobs of one attestation "
            "need the same version of chainloop",
        )
    try:
        key = _key(token, purpose)
        return AESGCM(key).decrypt(sealed[len(_VERSION) : begin], sealed[begin:], belongs_to.encode())
    except InvalidTag as error:
        raise NotAllowedError(
            "what was sealed does not open with this token",
            hint="every job of a shared attestation needs the token that began it (CHAINLOOP_TOKEN); after a rotation "
            "begin a new one",
        ) from error


def seal_handle(handle: str, token: str) -> str:
    """Return a run handle for the outputs of a job: text without line ends, and without a secret in it."""
    return urlsafe_b64encode(seal(handle.encode(), token, Purpose.HANDLE)).decode("ascii")


def unseal_handle(text: str, token: str) -> str:
    """Return the run handle that `seal_handle` sealed.

    Raises:
        NotAllowedError: it is none, or was sealed under another token.
    """
    try:
        sealed = urlsafe_b64decode(text.strip().encode("ascii"))
    except ValueError:
        sealed = b""
    return unseal(sealed, token, Purpose.HANDLE).decode()


def _key(token: str, purpose: Purpose) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=purpose.value.encode()).derive(token.encode())
