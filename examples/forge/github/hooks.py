"""Webhooks of repositories: registering, deliveries, repeats. Source: REST documentation, «Repository webhooks»."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from examples.forge.exchange import Answer
from examples.forge.github.documents import moment, repository_url
from examples.forge.github.refusals import invalid, not_found
from examples.forge.github.world import Hook, Repository
from examples.forge.outbox import Delivery
from examples.forge.server import Call, Route, pages

if TYPE_CHECKING:
    from examples.forge.github.forge import FakeGitHub

HIDDEN_SECRET = "********"


def hook_of(forge: FakeGitHub, call: Call) -> Hook:
    """Return the webhook that the path names."""
    hook = forge.repository_of(call).hooks.get(call.number("hook_id"))
    if hook is None:
        raise not_found()
    return hook


def listed(forge: FakeGitHub, call: Call) -> Answer:
    """Answer the webhooks of a repository."""
    repository = forge.repository_of(call)
    page, headers = pages(forge, call, repository.hooks.values())
    return Answer(200, [hook_document(forge, repository, hook) for hook in page], headers)


def get(forge: FakeGitHub, call: Call) -> Answer:
    """Answer one webhook, without its secret."""
    return Answer(200, hook_document(forge, forge.repository_of(call), hook_of(forge, call)))


def create(forge: FakeGitHub, call: Call) -> Answer:
    """Register a webhook and send it a `ping`; the same URL and events twice are refused."""
    repository = forge.repository_of(call)
    config = call.document.get("config") or {}
    events = call.document.get("events") or ["push"]
    _require_valid(config)
    if any(hook.url == config["url"] and set(hook.events) == set(events) for hook in repository.hooks.values()):
        raise invalid("Hook", "Hook already exists on this repository")
    hook = Hook(forge.next_number(), config["url"], config.get("secret") or "", list(events), forge.clock())
    hook.is_active = call.document.get("active", True)
    _set_form(hook, config)
    repository.hooks[hook.id] = hook
    _ping(forge, repository, hook)
    document = hook_document(forge, repository, hook)
    return Answer(201, document, {"Location": document["url"]})


def _require_valid(config: dict[str, Any]) -> None:
    url = config.get("url")
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise invalid("Hook", "url is missing a scheme", "url")
    if config.get("content_type", "form") not in ("json", "form"):
        raise invalid("Hook", "content_type must be json or form", "content_type")


def _set_form(hook: Hook, config: dict[str, Any]) -> None:
    # Not «json»: what GitHub sends when nothing was said is a form.
    hook.content_type = config.get("content_type", "form")
    hook.insecure_ssl = str(config.get("insecure_ssl", "0"))


def edit(forge: FakeGitHub, call: Call) -> Answer:
    """Change a webhook: a `config` replaces the whole of it, and one without a secret takes the secret away."""
    hook, document = hook_of(forge, call), call.document
    if (config := document.get("config")) is not None:
        _require_valid(config)
        hook.url = config["url"]
        hook.secret = hook.secret if config.get("secret") == HIDDEN_SECRET else config.get("secret") or ""
        _set_form(hook, config)
    events = document.get("events", hook.events)
    hook.events = [one for one in events if one not in document.get("remove_events", [])]
    hook.events += [one for one in document.get("add_events", []) if one not in hook.events]
    hook.is_active = document.get("active", hook.is_active)
    return Answer(200, hook_document(forge, forge.repository_of(call), hook))


def delete(forge: FakeGitHub, call: Call) -> Answer:
    """Take a webhook away."""
    del forge.repository_of(call).hooks[hook_of(forge, call).id]
    return Answer(204, is_empty=True)


def ping(forge: FakeGitHub, call: Call) -> Answer:
    """Send a `ping` to a webhook."""
    _ping(forge, forge.repository_of(call), hook_of(forge, call))
    return Answer(204, is_empty=True)


def _ping(forge: FakeGitHub, repository: Repository, hook: Hook) -> None:
    url = f"{repository_url(forge, repository)}/hooks/{hook.id}"
    shown = {**hook_document(forge, repository, hook), "deliveries_url": f"{url}/deliveries"}
    payload = {"zen": "Design for failure.", "hook_id": hook.id, "hook": shown}
    forge.send_to(hook, repository, "ping", None, forge.with_sender(repository, payload, repository.owner))


def deliveries(forge: FakeGitHub, call: Call) -> Answer:
    """Answer what was sent to a webhook, newest first."""
    found = forge.outbox.of_hook(hook_of(forge, call).id)
    page, headers = pages(forge, call, found)
    return Answer(200, [delivery_item(one) for one in page], headers)


def _delivery_of(forge: FakeGitHub, call: Call) -> Delivery:
    number = call.number("delivery_id")
    for delivery in forge.outbox.of_hook(hook_of(forge, call).id):
        if delivery.id == number:
            return delivery
    raise not_found()


def get_delivery(forge: FakeGitHub, call: Call) -> Answer:
    """Answer one delivery with request and answer."""
    return Answer(200, delivery_document(_delivery_of(forge, call)))


def repeat(forge: FakeGitHub, call: Call) -> Answer:
    """Send a delivery again; it keeps its GUID."""
    forge.outbox.repeat(_delivery_of(forge, call))
    return Answer(202, {})


def _apps_hook(call: Call) -> Hook:
    if call.who.app.hook is None:
        raise not_found()
    hook: Hook = call.who.app.hook
    return hook


def get_app_config(forge: FakeGitHub, call: Call) -> Answer:
    """Answer where an App's webhooks go."""
    hook = _apps_hook(call)
    secret = {"secret": HIDDEN_SECRET} if hook.secret else {}
    return Answer(200, {"url": hook.url, "content_type": "json", "insecure_ssl": hook.insecure_ssl, **secret})


def app_deliveries(forge: FakeGitHub, call: Call) -> Answer:
    """Answer what was sent to an App, newest first."""
    page, headers = pages(forge, call, forge.outbox.of_hook(_apps_hook(call).id))
    return Answer(200, [delivery_item(one) for one in page], headers)


def repeat_to_app(forge: FakeGitHub, call: Call) -> Answer:
    """Send a delivery to an App again; it keeps its GUID."""
    number = call.number("delivery_id")
    found = [one for one in forge.outbox.of_hook(_apps_hook(call).id) if one.id == number]
    if not found:
        raise not_found()
    forge.outbox.repeat(found[0])
    return Answer(202, {})


def hook_document(forge: FakeGitHub, repository: Repository, hook: Hook) -> dict[str, Any]:
    """Return a webhook; its secret is never shown."""
    url = f"{repository_url(forge, repository)}/hooks/{hook.id}"
    sent = forge.outbox.of_hook(hook.id)
    secret = {"secret": HIDDEN_SECRET} if hook.secret else {}
    return {
        "type": "Repository",
        "id": hook.id,
        "name": "web",
        "active": hook.is_active,
        "events": sorted(hook.events),
        "config": {
            "url": hook.url,
            "content_type": hook.content_type,
            "insecure_ssl": hook.insecure_ssl,
            **secret,
        },
        "updated_at": moment(hook.at),
        "created_at": moment(hook.at),
        "url": url,
        "test_url": f"{url}/test",
        "ping_url": f"{url}/pings",
        "deliveries_url": f"{url}/deliveries",
        "last_response": _last_response(sent[0] if sent else None),
    }


def _last_response(delivery: Delivery | None) -> dict[str, Any]:
    if delivery is None or delivery.reply is None:
        return {"code": None, "status": "unused", "message": None}
    is_good = 200 <= delivery.reply.status < 300
    return {
        "code": delivery.reply.status,
        "status": "active" if is_good else "misconfigured",
        "message": _word(delivery),
    }


def _word(delivery: Delivery) -> str:
    status = delivery.reply.status if delivery.reply else 0
    if status == 0:
        return "failed to connect to host"
    return "OK" if 200 <= status < 300 else f"Invalid HTTP Response: {status}"


def delivery_item(delivery: Delivery) -> dict[str, Any]:
    """Return a delivery as lists have it."""
    assert delivery.reply is not None and delivery.delivered_at is not None
    return {
        "id": delivery.id,
        "guid": delivery.guid,
        "delivered_at": moment(delivery.delivered_at),
        "redelivery": delivery.is_redelivery,
        "duration": delivery.duration_seconds,
        "status": _word(delivery),
        "status_code": delivery.reply.status,
        "event": delivery.event,
        "action": delivery.action,
        "installation_id": (delivery.document.get("installation") or {}).get("id"),
        "repository_id": delivery.repository_id,
        "throttled_at": None,
    }


def delivery_document(delivery: Delivery) -> dict[str, Any]:
    """Return a delivery with what was sent and what came back."""
    assert delivery.reply is not None
    return {
        **delivery_item(delivery),
        "url": delivery.url,
        "request": {"headers": dict(delivery.headers), "payload": delivery.document},
        "response": {"headers": dict(delivery.reply.headers), "payload": delivery.reply.body},
    }


BASE = "/repos/{owner}/{repo}/hooks"
ROUTES = (
    Route("GET", BASE, listed, "repository_hooks:read"),
    Route("POST", BASE, create, "repository_hooks:write"),
    Route("GET", f"{BASE}/{{hook_id}}", get, "repository_hooks:read"),
    Route("PATCH", f"{BASE}/{{hook_id}}", edit, "repository_hooks:write"),
    Route("DELETE", f"{BASE}/{{hook_id}}", delete, "repository_hooks:write"),
    Route("POST", f"{BASE}/{{hook_id}}/pings", ping, "repository_hooks:read"),
    Route("GET", f"{BASE}/{{hook_id}}/deliveries", deliveries, "repository_hooks:read"),
    Route("GET", f"{BASE}/{{hook_id}}/deliveries/{{delivery_id}}", get_delivery, "repository_hooks:read"),
    Route("POST", f"{BASE}/{{hook_id}}/deliveries/{{delivery_id}}/attempts", repeat, "repository_hooks:write"),
    Route("GET", "/app/hook/config", get_app_config, "app"),
    Route("GET", "/app/hook/deliveries", app_deliveries, "app"),
    Route("POST", "/app/hook/deliveries/{delivery_id}/attempts", repeat_to_app, "app"),
)
