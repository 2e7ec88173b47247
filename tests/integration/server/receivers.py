"""A receiver of webhooks on loopback, and the requests that register and attach it."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.unit.stub_server import Reply, Seen, StubServer

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
OTHER_SECRET = "whsec_" + base64.b64encode(b"n" * 32).decode()
TAKEN = Reply(204)


def register(api: Any, receiver: StubServer, name: str = "siem", **changed: Any) -> Any:
    """Register a receiver as a webhook, and return the answer."""
    body = {"kind": "webhook", "name": name, "url": f"{receiver.url}/hook", "credentials": {"secret": SECRET}}
    return api.post("/registrations", json={**body, **changed})


def attach(api: Any, registration: str = "siem", **place: Any) -> Any:
    """Attach a registration, and return the answer."""
    return api.post("/attachments", json={"registration": registration, **place})


def told(receiver: StubServer) -> list[tuple[Seen, Any]]:
    """Return every message but the tests', with its parsed body."""
    read = [(seen, json.loads(seen.body)) for seen in receiver.seen]
    return [(seen, body) for seen, body in read if body["type"] != "integration.tested"]


def kinds(receiver: StubServer) -> list[str]:
    """Return what was told, without the test messages."""
    return [body["type"] for _, body in told(receiver)]
