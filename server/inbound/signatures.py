"""Who sent a webhook: each sender's way of signing, compared in constant time, and closed when in doubt (3.4 and 3.5).

A check gets all secrets that count at present, never none: during a rotation there are two. Nothing here says which
part of a signature was wrong.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

MAX_SKEW = timedelta(minutes=5)
"""How far the clock of a sender that signs the time may be from ours (Standard Webhooks)."""

SECRET_PREFIX = "whsec_"  # noqa: S105  # no secret
"""How a secret of Standard Webhooks begins; its key is Base64 behind that."""

_HEX_DIGITS = 64


def is_from_github(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> bool:
    """Tell whether `X-Hub-Signature-256` is one of the body; the older SHA-1 counts for nothing.

    Source: GitHub Docs, "Validating webhook deliveries".
    """
    name, _, found = headers.get("x-hub-signature-256", "").partition("=")
    return name == "sha256" and _is_hex_of(found, body, secrets)


def is_from_gitlab(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime) -> bool:
    """Tell whether a GitLab that has one of the secrets sent it; a signature that is there must be right.

    Source: GitLab Docs, "Webhooks" (secret token, signing token), "External status checks" (HMAC authentication).
    """
    if "webhook-signature" in headers:
        return is_standard(headers, body, secrets, now)
    if "x-gitlab-signature" in headers:
        return _is_hex_of(headers["x-gitlab-signature"], body, secrets)
    token = headers.get("x-gitlab-token", "").encode("utf-8", "surrogateescape")
    return bool(token) and _is_among([token], [secret.encode() for secret in secrets])


def is_standard(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime) -> bool:
    """Tell whether `webhook-signature` is one of id, time and body, and the time is near.

    Source: Standard Webhooks, "Signature scheme".
    """
    ident, sent_at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    signed = b".".join([_raw(ident), _raw(sent_at), body])
    expected = [standard_signature(secret, signed) for secret in secrets]
    given = [part[3:] for part in headers.get("webhook-signature", "").split(" ")[:8] if part.startswith("v1,")]
    fits = _is_among([_raw(each) for each in given], expected)
    return fits and bool(ident) and _is_near(sent_at, now)


def standard_signature(secret: str, signed: bytes) -> bytes:
    """Return the Base64 of the signature of `id.time.body`."""
    return base64.b64encode(hmac.digest(_standard_key(secret), signed, hashlib.sha256))


def _standard_key(secret: str) -> bytes:
    if secret.startswith(SECRET_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
        except binascii.Error:
            # Not one of ours: somebody's own word that begins so.
            return secret.encode()
    return secret.encode()


def _is_near(sent_at: str, now: datetime) -> bool:
    if not (sent_at.isascii() and sent_at.isdigit() and len(sent_at) <= 12):
        return False
    return abs(now.timestamp() - int(sent_at)) <= MAX_SKEW.total_seconds()


def _is_hex_of(found: str, body: bytes, secrets: Sequence[str]) -> bool:
    raw = _raw(found)
    own = [hmac.new(secret.encode(), body, hashlib.sha256).hexdigest().encode() for secret in secrets]
    return len(raw) == _HEX_DIGITS and _is_among([raw], own)


def _is_among(given: Sequence[bytes], expected: Sequence[bytes]) -> bool:
    """Tell whether one of these is one of those; all are looked at, whether or not one has fitted."""
    return sum(hmac.compare_digest(each, own) for each in given for own in expected) > 0


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
