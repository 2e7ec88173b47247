"""DSSE: the envelope of a signed payload, what exactly is signed, and how its bytes are written.

Source: DSSE v1.0, `protocol.md` (pre-authentication encoding) and `envelope.md` (JSON form).
"""

from __future__ import annotations

import binascii
import re
from dataclasses import field

from chainloop_ci.records import record

PAYLOAD_TYPE = "application/vnd.in-toto+json"
"""The only payload type that an attestation has."""

_ALPHABET = r"[A-Za-z0-9+/]*={0,2}\Z"
_ALPHABETS = r"[A-Za-z0-9+/_-]*={0,2}\Z"


@record
class Signature:
    """One signature of an envelope."""

    value: bytes
    key_id: str = ""
    """A hint that nobody has signed: it may order the tries, it never excludes a key."""


@record
class Envelope:
    """A payload with its signatures."""

    payload: bytes = field(repr=False)
    payload_type: str
    signatures: tuple[Signature, ...] = ()


def encode_pae(payload_type: str, payload: bytes) -> bytes:
    """Return the bytes that are signed: type and payload, each with its length, so no other pair gives the same."""
    kind = payload_type.encode("utf-8", "surrogatepass")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def encode_base64(raw: bytes) -> str:
    """Return canonical base64 in the standard alphabet."""
    return binascii.b2a_base64(raw, newline=False).decode("ascii")


def decode_base64(text: str) -> bytes:
    """Return the bytes of canonical base64 in the standard alphabet.

    The standard library skips foreign characters and ignores left-over bits, so that many texts would stand for one
    value (threat T23): what does not encode back to the same text is refused.

    Raises:
        ValueError: anything else.
    """
    try:
        raw = binascii.a2b_base64(text)
    except ValueError as error:
        raise ValueError("not base64") from error
    if encode_base64(raw) != text:
        raise ValueError("not canonical base64" if re.match(_ALPHABET, text) else "not base64")
    return raw


def decode_base64_either(text: str) -> bytes:
    """Return the bytes of canonical base64 in the standard or the URL-safe alphabet, which DSSE both allows.

    Raises:
        ValueError: anything else, a mixture of the two included.
    """
    if not re.match(_ALPHABETS, text):
        raise ValueError("not base64")
    if "-" in text or "_" in text:
        if "+" in text or "/" in text:
            raise ValueError("two base64 alphabets in one text")
        text = text.replace("-", "+").replace("_", "/")
    return decode_base64(text)
