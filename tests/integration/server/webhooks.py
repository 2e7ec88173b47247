"""A forge as the webhook routes see it: it signs what it sends, and the dispatcher handles it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from server.inbound.signatures import standard_signature
from server.services.fan_out import FanOut
from server.services.inbound_follow import InboundFollow
from server.wiring import Services
from tests.integration.server.conftest import Clock, Tenant

SHA = "0123456789abcdef0123456789abcdef01234567"
OTHER_SHA = "89abcdef0123456789abcdef0123456789abcdef"
_NUMBERS = itertools.count(1)


@dataclass
class Hook:
    """The webhook of one source, as its forge has it."""

    client: FlaskClient
    clock: Clock
    source_id: str
    url: str
    secret: str
    address: str
    options: dict[str, Any] = field(default_factory=dict)

    def github(
        self, event: str, payload: Any, *, guid: str | None = None, secret: str | None = None, **headers: str
    ) -> TestResponse:
        """Send as GitHub does."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        known = {
            "Content-Type": "application/json",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": guid or f"11111111-0000-4000-8000-{next(_NUMBERS):012}",
            "X-Hub-Signature-256": "sha256=" + hex_of(secret or self.secret, body),
        }
        return self.send(body, {**known, **_named(headers)})

    def gitlab(self, event: str, payload: Any, **headers: str) -> TestResponse:
        """Send as GitLab does, with its secret token."""
        known = {"Content-Type": "application/json", "X-Gitlab-Event": event, "X-Gitlab-Token": self.secret}
        return self.send(json.dumps(payload).encode(), {**known, **_named(headers)})

    def signed(self, payload: Any, *, ident: str | None = None, age: int = 0, **headers: str) -> TestResponse:
        """Send as Standard Webhooks says."""
        body = json.dumps(payload).encode()
        ident = ident or f"msg_{next(_NUMBERS)}"
        sent_at = str(int(self.clock().timestamp()) - age)
        signature = standard_signature(self.secret, f"{ident}.{sent_at}.".encode() + body).decode()
        known = {
            "Content-Type": "application/json",
            "webhook-id": ident,
            "webhook-timestamp": sent_at,
            "webhook-signature": f"v1,{signature}",
        }
        return self.send(body, {**known, **_named(headers)})

    def send(self, body: bytes, headers: Mapping[str, str]) -> TestResponse:
        """Send bytes."""
        return self.client.post(self.url, data=body, headers=dict(headers), **self.options)


def hex_of(secret: str, body: bytes) -> str:
    """Return the hexadecimal HMAC-SHA256 of a body."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def make_hook(
    api: Any, client: FlaskClient, clock: Clock, tenant: Tenant, source: str, workflow: str = "app/build"
) -> Hook:
    """Register a source for a workflow and give its webhook a secret."""
    body = {"source": source, "ciFile": ".github/workflows/ci.yml" if source.startswith("github") else ""}
    path = f"/workflows/{tenant.workflows[workflow]}/source"
    made = api(tenant.token("operate")).put(path, json=body)
    assert made.status_code in (200, 201), made.text
    source_id = made.json["sourceId"]
    secret = api(tenant.token("admin")).post(f"/sources/{source_id}/secret")
    assert secret.status_code == 201, secret.text
    url = "/webhooks/" + secret.json["url"].split("/webhooks/")[1]
    return Hook(client, clock, source_id, url, secret.json["secret"], source)


def handle(services: Services) -> None:
    """Do what the dispatcher does with the events that wait."""
    world = services.world
    follow = InboundFollow(world.now, world.new_id)
    fan_out = FanOut(services.database, world.now, world.new_id, integrations={})
    while follow.handle_some(services.database) or fan_out.tell_some():
        pass


def key_of(secret: str) -> bytes:
    """Return the key that a secret of Standard Webhooks stands for."""
    return base64.b64decode(secret.removeprefix("whsec_"))


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
