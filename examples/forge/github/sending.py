"""How GitHub sends a webhook: to whom, with which headers, signed.

Source: GitHub Docs, «Webhook events and payloads», «Validating webhook deliveries».
"""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from examples.forge.github.apps import covers
from examples.forge.github.documents import node_id, repository, user
from examples.forge.github.world import Hook, Installation, Repository
from examples.forge.outbox import Delivery

if TYPE_CHECKING:
    from examples.forge.github.forge import FakeGitHub

# Webhooks of a repository do not get these; the App that they are for does.
FOR_APPS_ONLY = {
    ("check_run", "rerequested"),
    ("check_run", "requested_action"),
    ("check_suite", "requested"),
    ("check_suite", "rerequested"),
    ("deployment_protection_rule", "requested"),
}


def send(forge: FakeGitHub, found: Repository, event: str, action: str | None, payload: dict[str, Any]) -> None:
    """Put an event into the queue for every webhook that listens: of one event, all have the same GUID."""
    guid = str(uuid.uuid4())
    if (event, action) not in FOR_APPS_ONLY:
        for hook in found.hooks.values():
            if hook.is_active and (event in hook.events or "*" in hook.events):
                forge.outbox.add(delivery(forge, hook, found, event, action, payload, guid))
    for one in forge.installations.values():
        if covers(one, found) and one.app.hook is not None and event in one.app.events and _is_for(one, payload):
            marked = {**payload, "installation": {"id": one.id, "node_id": node_id("Installation", one.id)}}
            forge.outbox.add(delivery(forge, one.app.hook, found, event, action, marked, guid))


def is_heard(forge: FakeGitHub, found: Repository, event: str) -> bool:
    """Tell whether anybody would get an event; a payload costs more than the write that it tells of."""
    if any(hook.is_active and (event in hook.events or "*" in hook.events) for hook in found.hooks.values()):
        return True
    return any(event in one.app.events and covers(one, found) for one in forge.installations.values())


def _is_for(installation: Installation, payload: dict[str, Any]) -> bool:
    # Asked to run again is only the App whose check it is.
    check = payload.get("check_run") or payload.get("check_suite")
    if check is None or not str(payload.get("action", "")).startswith(("rerequested", "requested")):
        return installation.suspended_at is None
    return bool(check["app"]["id"] == installation.app.id)


def with_sender(forge: FakeGitHub, found: Repository, payload: dict[str, Any], sender: str) -> dict[str, Any]:
    """Return a payload with the repository and who caused it."""
    return {**payload, "repository": repository(forge, found), "sender": user(forge, sender)}


def delivery(
    forge: FakeGitHub,
    hook: Hook,
    found: Repository | None,
    event: str,
    action: str | None,
    payload: dict[str, Any],
    guid: str | None = None,
) -> Delivery:
    """Return a delivery with GitHub's headers, signed with the hook's secret."""
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    body = text.encode() if hook.content_type == "json" else urlencode({"payload": text}).encode()
    guid = guid or str(uuid.uuid4())
    is_app = hook.app_id is not None
    target = hook.app_id if is_app else found.id if found else 0
    headers = {
        "Accept": "*/*",
        "User-Agent": "GitHub-Hookshot/0000000",
        "Content-Type": "application/json" if hook.content_type == "json" else "application/x-www-form-urlencoded",
        "X-GitHub-Delivery": guid,
        "X-GitHub-Event": event,
        "X-GitHub-Hook-ID": str(hook.id),
        "X-GitHub-Hook-Installation-Target-ID": str(target),
        "X-GitHub-Hook-Installation-Target-Type": "integration" if is_app else "repository",
        "X-GitHub-Enterprise-Host": forge.url.partition("://")[2],
        "X-GitHub-Enterprise-Version": forge.enterprise_version,
        **signatures(hook.secret, body),
    }
    return Delivery(
        forge.outbox.next_id(),
        hook.id,
        guid,
        event,
        action,
        hook.url,
        headers,
        body,
        payload,
        found.id if found else None,
    )


def signatures(secret: str, body: bytes) -> dict[str, str]:
    """Return GitHub's two headers over a body; a hook without a secret has none."""
    if not secret:
        return {}
    return {
        "X-Hub-Signature": f"sha1={hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()}",
        "X-Hub-Signature-256": f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}",
    }
