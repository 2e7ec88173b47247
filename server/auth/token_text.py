"""The text of an API token: `clp_`, 43 base62 characters of randomness, 6 of CRC-32 (design decision 7).

Prefix and checksum let secret scanners recognise a token without asking anybody.
"""

from __future__ import annotations

import hashlib
import re
import string
import zlib

PREFIX = "clp_"
RANDOM_BYTES = 32
"""Randomness of a token; 43 base62 characters hold it."""

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_LENGTH = 43
_CHECK_LENGTH = 6
_FORM = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_RANDOM_LENGTH + _CHECK_LENGTH}}}\Z")
# Looks ahead, so that letters before a token cannot hide it.
_INSIDE = re.compile(rf"(?=({PREFIX}[0-9A-Za-z]{{{_RANDOM_LENGTH + _CHECK_LENGTH}}}))")


def render_token(randomness: bytes) -> str:
    """Return the token that 32 random bytes make."""
    if len(randomness) != RANDOM_BYTES:
        raise ValueError(f"a token is made of {RANDOM_BYTES} random bytes, found {len(randomness)}")
    head = PREFIX + _base62(int.from_bytes(randomness, "big"), _RANDOM_LENGTH)
    return head + _checksum(head)


def is_token(text: str) -> bool:
    """Tell whether `text` has a token's form and checksum."""
    return _FORM.match(text) is not None and _checksum(text[:-_CHECK_LENGTH]) == text[-_CHECK_LENGTH:]


def holds_token(text: str) -> bool:
    """Tell whether a token stands somewhere in `text`."""
    return any(is_token(match[1]) for match in _INSIDE.finditer(text))


def token_sha256(text: str) -> str:
    """Return what the database keeps instead of the token: SHA-256, 64 hexadecimal digits."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _checksum(head: str) -> str:
    return _base62(zlib.crc32(head.encode("ascii")), _CHECK_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
