"""Digests: `sha256:` and 64 lower-case hexadecimal digits, nothing else."""

from __future__ import annotations

from typing import NewType

from chainloop_ci.deferred import deferred_pattern
from chainloop_ci.errors import DigestInvalidError

Digest = NewType("Digest", str)
"""A checked digest, `sha256:<64 lower-case hex>`: made by the functions below, or of what was checked before it was
stored. An empty one stands where a digest is not known yet."""

DIGEST_PATTERN = r"^sha256:[0-9a-f]{64}$"

# \Z, not $: "$" also matches before a trailing newline.
_DIGEST = deferred_pattern(r"sha256:[0-9a-f]{64}\Z")


def parse_digest(text: str) -> Digest:
    """Return `text` as a digest.

    Raises:
        DigestInvalidError: any other algorithm, case, length or prefix.
    """
    if not _DIGEST.match(text):
        raise DigestInvalidError(text)
    return Digest(text)


def is_digest(text: str) -> bool:
    """Tell whether `text` is a digest."""
    return _DIGEST.match(text) is not None


def sha256_digest(raw: bytes) -> Digest:
    """Return the digest of `raw`."""
    import hashlib  # loads OpenSSL, which `attestation status` has no use for

    return Digest("sha256:" + hashlib.sha256(raw).hexdigest())


def hex_of(digest: Digest) -> str:
    """Return the 64 hexadecimal digits without the algorithm."""
    return digest.removeprefix("sha256:")


def digest_of_hex(hexadecimal: str) -> Digest:
    """Return the digest whose 64 digits are `hexadecimal`.

    Raises:
        DigestInvalidError: not 64 lower-case hexadecimal digits.
    """
    return parse_digest("sha256:" + hexadecimal)
