"""What leaves a job sealed under its token: the shared state and the run handle (R14).

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
    QUEUED_HANDLE = "chainloop.dev/queued-run-handle/v1"


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


class QueuedHandles:
    """The adapter for `queued.HandleSeal`: a handle in a file opens with the token that the job had which kept it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def seal(self, handle: str, run_id: str) -> str:
        """Return the handle of a run as only who has the token can read it."""
        return _to_text(seal(handle.encode(), self._token, Purpose.QUEUED_HANDLE, run_id))

    def unseal(self, sealed: str, run_id: str) -> str | None:
        """Return the handle; None when it was sealed under another token, for another run, or is damaged."""
        try:
            return unseal(_from_text(sealed), self._token, Purpose.QUEUED_HANDLE, run_id).decode()
        except NotAllowedError:
            return None


def seal_handle(handle: str, token: str) -> str:
    """Return a run handle for the outputs of a job: text without line ends, and without a secret in it."""
    return _to_text(seal(handle.encode(), token, Purpose.HANDLE))


def unseal_handle(text: str, token: str) -> str:
    """Return the run handle that `seal_handle` sealed.

    Raises:
        NotAllowedError: it is none, or was sealed under another token.
    """
    return unseal(_from_text(text), token, Purpose.HANDLE).decode()


def _to_text(sealed: bytes) -> str:
    return urlsafe_b64encode(sealed).decode("ascii")


def _from_text(text: str) -> bytes:
    """Return the bytes; none of what is no text of `_to_text`, which then does not open."""
    try:
        return urlsafe_b64decode(text.encode("ascii"))
    except ValueError:
        return b""


def _key(token: str, purpose: Purpose) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=purpose.value.encode()).derive(token.encode())
