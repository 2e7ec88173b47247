"""The signed word of a build that it has ended, for a control plane that cannot ask the CI system (R46).

Signed as Standard Webhooks says: the signature covers id, time and body, so that it can be used once and for this.
"""

from __future__ import annotations

import hmac
import json
import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64Error
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from chainloop_ci.attestation.times import render_time
from chainloop_ci.client.http import HttpClient, Query

ADDRESS = re.compile(r"(?P<base>https?://.+)/webhooks/generic/(?P<source>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
"""What `chainloop workflow source secret create` shows."""
_PREFIX = "whsec_"


@dataclass(frozen=True, slots=True)
class BuildEnd:
    """How a build of Jenkins has ended."""

    job: str
    """`JOB_NAME`, with the folders that it lies in."""
    build: str
    """`BUILD_NUMBER`."""
    result: str
    """`success`, `failure` or `canceled`."""
    ended_at: datetime
    """By the agent's clock; two ends of one build, of two attestations, are two payloads."""
    commit: str | None = None

    def to_bytes(self) -> bytes:
        """Return the payload."""
        said = {"event": "build.ended", "job": self.job, "build": self.build, "result": self.result}
        said["endedAt"] = render_time(self.ended_at)
        return json.dumps(said | ({"commit": self.commit} if self.commit else {}), separators=(",", ":")).encode()


class WebhookClient(HttpClient):
    """A conversation with the front door for webhooks, which is no part of the API."""

    def url_of(self, path: str, query: Query | None = None) -> str:
        """Return the whole address of a source's webhook; `path` is the id of the source."""
        return f"{self.base_url}/webhooks/generic/{path}"


def tell_build_end(http: WebhookClient, source: str, ended: BuildEnd, secret: str, ident: str, at: datetime) -> None:
    """Say it; `ident` is random, and the same for every attempt.

    Raises:
        ChainloopError: it was not taken, or there is no answer.
    """
    body = ended.to_bytes()
    http.exchange(
        "POST", source, body, headers=sign(body, secret, ident, at), media_type="application/json", repeat=True
    )


def sign(body: bytes, secret: str, ident: str, at: datetime) -> Mapping[str, str]:
    """Return the headers that prove a payload. Source: Standard Webhooks, "Signature scheme"."""
    sent_at = str(int(at.timestamp()))
    signed = b".".join([ident.encode(), sent_at.encode(), body])
    signature = b64encode(hmac.digest(_key(secret), signed, "sha256")).decode()
    return {"webhook-id": ident, "webhook-timestamp": sent_at, "webhook-signature": f"v1,{signature}"}


def _key(secret: str) -> bytes:
    if secret.startswith(_PREFIX):
        try:
            return b64decode(secret.removeprefix(_PREFIX), validate=True)
        except NotBase64Error:
            # Not one of ours: somebody's own word that begins so; the control plane reads it the same way.
            return secret.encode()
    return secret.encode()
