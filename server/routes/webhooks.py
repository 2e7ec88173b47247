"""`/webhooks/…`: what forges and CI systems send. No token: a signature over the raw bytes says who sends (3.5)."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

from flask import Flask, Response, g, request

from chainloop_ci.api.inbound import InboundAnswer
from chainloop_ci.api.record import to_dict
from chainloop_ci.errors import ChainloopError
from server.model.inbound import ReceiverKind
from server.routes.register import NOBODY, read_body, require_media_type
from server.services.inbound import Sender
from server.wiring import Services

ROUTES = (
    (ReceiverKind.GITHUB, "/webhooks/github/<uuid:source_id>"),
    (ReceiverKind.GITLAB, "/webhooks/gitlab/<uuid:source_id>"),
    (ReceiverKind.GENERIC, "/webhooks/generic/<uuid:source_id>"),
    (ReceiverKind.GITHUB_APP, "/webhooks/github-app"),
)
"""They stand in no OpenAPI document: their form is the senders'."""


def install_webhooks(app: Flask, services: Services) -> None:
    """Add the routes to `app`."""
    for kind, rule in ROUTES:
        app.add_url_rule(
            rule,
            endpoint=f"webhook {kind.value}",
            view_func=partial(_receive, services, kind),
            methods=["POST"],
            provide_automatic_options=False,
        )


def _receive(services: Services, kind: ReceiverKind, source_id: object = "") -> Response:
    """Answer a webhook, and count what came of it."""
    try:
        answer = _take(services, kind, str(source_id))
    except ChainloopError as error:
        services.process_metrics.webhook(kind, error.code)
        raise
    services.process_metrics.webhook(kind, answer.status)
    # Never an error for what is genuine and of no interest: GitLab switches off a hook that gets some.
    status = 202 if answer.status == "accepted" else 200
    return Response(json.dumps(to_dict(answer)), status, mimetype="application/json")


def _take(services: Services, kind: ReceiverKind, source_id: str) -> InboundAnswer:
    """Look at sender, type and length before anything is read, and at the signature before anything is parsed."""
    sender = services.webhooks.inbound.admit(kind, source_id, g.client_address)
    if sender.source:
        g.organization_id = sender.source.organization_id
    require_media_type(sender.receiver.media_types, request)
    headers = {name.lower(): value for name, value in request.headers.items()}
    return services.webhooks.inbound.take(sender, headers, request.mimetype, _read(services, sender))


def _read(services: Services, sender: Sender) -> bytes:
    limit = sender.receiver.max_body_bytes
    g.max_body_bytes = limit
    # One more: `read_body` tells by it that a body without length is too long.
    request.max_content_length = limit + 1
    # Whoever sends slowly keeps no place of others: all that one address sends to one organization counts together.
    who = replace(NOBODY, token_id=f"webhooks {sender.address}", organization_id=g.get("organization_id") or "")
    g.hold_place = partial(services.body_places.hold, who)
    return read_body(request)
