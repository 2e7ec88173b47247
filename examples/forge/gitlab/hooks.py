"""Webhooks of projects, and how GitLab sends them. Source: REST documentation, «Project webhooks API»;
`app/services/web_hook_service.rb`; merge request 230944 (signing tokens).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from examples.forge.exchange import Answer
from examples.forge.gitlab.documents import moment, pages
from examples.forge.gitlab.refusals import invalid_parameter, not_found, refusal
from examples.forge.gitlab.world import Hook, Project
from examples.forge.outbox import Delivery
from examples.forge.server import Call, Route

if TYPE_CHECKING:
    from examples.forge.gitlab.forge import FakeGitLab

# `object_kind` of a payload → the switch of a hook, and the words of `X-Gitlab-Event`.
EVENTS = {
    "push": ("push_events", "Push Hook"),
    "tag_push": ("tag_push_events", "Tag Push Hook"),
    "merge_request": ("merge_requests_events", "Merge Request Hook"),
    "pipeline": ("pipeline_events", "Pipeline Hook"),
    "build": ("job_events", "Job Hook"),
}
SWITCHES = (
    "push_events",
    "tag_push_events",
    "merge_requests_events",
    "issues_events",
    "confidential_issues_events",
    "note_events",
    "confidential_note_events",
    "pipeline_events",
    "job_events",
    "wiki_page_events",
    "deployment_events",
    "releases_events",
)
MOST_FAILURES = 4
FIRST_PAUSE = timedelta(minutes=1)


def hook_of(forge: FakeGitLab, call: Call) -> Hook:
    """Return the webhook that the path names."""
    found = forge.project_of(call).hooks.get(call.number("hook_id"))
    if found is None:
        raise not_found("")
    return found


def listed(forge: FakeGitLab, call: Call) -> Answer:
    """Answer the webhooks of a project."""
    found = forge.project_of(call)
    page, headers = pages(forge, call, found.hooks.values())
    return Answer(200, [hook_document(forge, found, one) for one in page], headers)


def get(forge: FakeGitLab, call: Call) -> Answer:
    """Answer one webhook, without its secrets."""
    return Answer(200, hook_document(forge, forge.project_of(call), hook_of(forge, call)))


def create(forge: FakeGitLab, call: Call) -> Answer:
    """Register a webhook; the same URL twice makes two."""
    found, sent = forge.project_of(call), call.document
    if not sent.get("url"):
        raise invalid_parameter("url is missing")
    made = Hook(forge.next_number(), "", forge.clock(), events={"push_events": True})
    _apply(made, sent)
    found.hooks[made.id] = made
    return Answer(201, hook_document(forge, found, made))


def edit(forge: FakeGitLab, call: Call) -> Answer:
    """Change a webhook; what is not sent stays, and a disabled one works again."""
    one = hook_of(forge, call)
    _apply(one, call.document)
    one.failures, one.disabled_until = 0, None
    return Answer(200, hook_document(forge, forge.project_of(call), one))


def _apply(one: Hook, sent: dict[str, Any]) -> None:
    url = sent.get("url", one.url)
    if not url.startswith(("http://", "https://")):
        raise refusal(422, {"url": ["is blocked: Only allowed schemes are http, https"]})
    signing = sent.get("signing_token", one.signing_token) or ""
    if signing and not signing.startswith("whsec_"):
        raise refusal(422, {"signing_token": ["must start with whsec_ followed by base64 of 32 bytes"]})
    one.url, one.signing_token = url, signing
    one.token = sent.get("token", one.token) or ""
    one.name = sent.get("name", one.name)
    one.description = sent.get("description", one.description)
    one.verifies_tls = sent.get("enable_ssl_verification", one.verifies_tls)
    one.branch_filter = sent.get("push_events_branch_filter", one.branch_filter)
    one.events |= {name: bool(sent[name]) for name in SWITCHES if name in sent}


def delete(forge: FakeGitLab, call: Call) -> Answer:
    """Take a webhook away."""
    del forge.project_of(call).hooks[hook_of(forge, call).id]
    return Answer(204, is_empty=True)


def hook_document(forge: FakeGitLab, found: Project, one: Hook) -> dict[str, Any]:
    """Return a webhook; of its secrets only that they are there."""
    status = "executable"
    if one.disabled_until is not None:
        status = "temporarily_disabled"
    return {
        "id": one.id,
        "url": one.url,
        "name": one.name,
        "description": one.description,
        "created_at": moment(one.at),
        **{name: one.events.get(name, False) for name in SWITCHES},
        "repository_update_events": False,
        "enable_ssl_verification": one.verifies_tls,
        "alert_status": status,
        "disabled_until": moment(one.disabled_until),
        "url_variables": [],
        "push_events_branch_filter": one.branch_filter,
        "branch_filter_strategy": "wildcard",
        "custom_webhook_template": None,
        "custom_headers": [],
        "token_present": bool(one.token),
        "signing_token_present": bool(one.signing_token),
        "project_id": found.id,
    }


def send(forge: FakeGitLab, found: Project, payload: dict[str, Any]) -> None:
    """Put an event into the queue for every webhook of a project that listens and is not disabled."""
    switch, words = EVENTS[payload["object_kind"]]
    event_uuid = str(uuid.uuid4())
    for one in found.hooks.values():
        is_open = one.disabled_until is None or one.disabled_until <= forge.clock()
        if one.events.get(switch) and is_open:
            forge.outbox.add(delivery(forge, one, found, words, payload, event_uuid))


def delivery(
    forge: FakeGitLab,
    one: Hook,
    found: Project,
    words: str,
    payload: dict[str, Any],
    event_uuid: str,
    key: str | None = None,
) -> Delivery:
    """Return a delivery with GitLab's headers. `key` is the idempotency key, which a repeated one keeps."""
    body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
    key = key or str(uuid.uuid4())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"GitLab/{forge.version}",
        "Idempotency-Key": key,
        "X-Gitlab-Event": words,
        "X-Gitlab-Webhook-UUID": str(uuid.uuid4()),
        "X-Gitlab-Instance": forge.url,
        "X-Gitlab-Event-UUID": event_uuid,
    }
    if one.token:
        headers["X-Gitlab-Token"] = one.token
    if one.signing_token:
        headers |= signature(one.signing_token, key, int(forge.clock().timestamp()), body)
    attributes = payload.get("object_attributes") or {}
    action = attributes.get("action") or attributes.get("status") or payload.get("build_status")
    kind = payload["object_kind"]
    return Delivery(forge.outbox.next_id(), one.id, key, kind, action, one.url, headers, body, payload, found.id)


def signature(signing_token: str, key: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers of Standard Webhooks; the key is the base64 behind `whsec_`."""
    secret = base64.b64decode(signing_token.removeprefix("whsec_"))
    digest = hmac.new(secret, f"{key}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": key,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def repeat(forge: FakeGitLab, sent: Delivery) -> Delivery:
    """Put a webhook into the queue again: the same key and body, a new time in the signature."""
    found = forge.projects[sent.repository_id or 0]
    one = found.hooks[sent.hook_id]
    headers = sent.headers
    again = delivery(
        forge, one, found, headers["X-Gitlab-Event"], sent.document, headers["X-Gitlab-Event-UUID"], sent.guid
    )
    forge.outbox.add(again)
    return again


def count(forge: FakeGitLab, sent: Delivery) -> None:
    """Count what a receiver answered: after four failures in a row a hook pauses, each time twice as long."""
    found = forge.projects.get(sent.repository_id or 0)
    one = found.hooks.get(sent.hook_id) if found else None
    if one is None or sent.reply is None:
        return
    if 200 <= sent.reply.status < 400:
        one.failures, one.disabled_until = 0, None
        return
    one.failures += 1
    if one.failures >= MOST_FAILURES:
        pause = FIRST_PAUSE * 2 ** min(one.failures - MOST_FAILURES, 10)
        one.disabled_until = forge.clock() + min(pause, timedelta(days=1))


EVENTS_OF_A_PAGE = 20


def list_events(forge: FakeGitLab, call: Call) -> Answer:
    """Answer what was sent to a webhook, newest first, twenty on a page; `status` is a number or a class of them."""
    one, wanted = hook_of(forge, call), call.request.query.get("status")
    found = [sent for sent in forge.outbox.of_hook(one.id) if sent.reply is not None and _is(sent, wanted)]
    page, headers = pages(forge, call, found, EVENTS_OF_A_PAGE)
    return Answer(200, [_event_document(sent) for sent in page], headers)


def _is(sent: Delivery, wanted: str | None) -> bool:
    status = sent.reply.status if sent.reply is not None else 0
    classes = {"successful": 2, "client_failure": 4, "server_failure": 5}
    return wanted is None or status // 100 == classes.get(wanted) or str(status) == wanted


def _event_document(sent: Delivery) -> dict[str, Any]:
    status = sent.reply.status if sent.reply is not None else 0
    return {
        "id": sent.id,
        "url": sent.url,
        "trigger": f"{sent.event}_hooks",
        "request_headers": {
            **sent.headers,
            **({"X-Gitlab-Token": "[REDACTED]"} if "X-Gitlab-Token" in sent.headers else {}),
        },
        "request_data": sent.document,
        "response_headers": dict(sent.reply.headers) if sent.reply else {},
        "response_body": sent.reply.body if sent.reply else "",
        "execution_duration": sent.duration_seconds,
        # What answered nothing has no number.
        "response_status": str(status) if status else "internal error",
        "created_at": moment(sent.delivered_at),
    }


def resend(forge: FakeGitLab, call: Call) -> Answer:
    """Put an event into the queue again; GitLab itself sends it before it answers."""
    one, number = hook_of(forge, call), call.number("hook_log_id")
    found = next((sent for sent in forge.outbox.of_hook(one.id) if sent.id == number), None)
    if found is None:
        raise not_found("")
    repeat(forge, found)
    return Answer(201, {"response_status": None})


BASE = "/projects/{id}/hooks"
ROUTES = (
    Route("GET", f"{BASE}/{{hook_id}}/events", list_events, "maintainer"),
    Route("POST", f"{BASE}/{{hook_id}}/events/{{hook_log_id}}/resend", resend, "maintainer"),
    Route("GET", BASE, listed, "maintainer"),
    Route("POST", BASE, create, "maintainer"),
    Route("GET", f"{BASE}/{{hook_id}}", get, "maintainer"),
    Route("PUT", f"{BASE}/{{hook_id}}", edit, "maintainer"),
    Route("DELETE", f"{BASE}/{{hook_id}}", delete, "maintainer"),
)
