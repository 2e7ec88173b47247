"""Routes of webhooks that came in, for operators, and of the secrets that their senders sign with."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from chainloop_ci.api.inbound import HookSecret, InboundDelivery, SecretRotation
from chainloop_ci.api.limits import UUID_PATTERN
from server.model.principal import ADMINS, OPERATORS, READERS
from server.routes.endpoints import PAGING, Call, Endpoint, Query
from server.services.inbound_log import InboundQuery

_FILTERS = (
    Query("source", "Id of the source that they came from.", {"type": "string", "pattern": UUID_PATTERN}),
    Query("event", "As the sender names it.", {"type": "string", "maxLength": 64}),
    Query("outcome", "What became of them."),
)


def _create(call: Call) -> Any:
    return call.services.webhooks.secrets.create(call.principal, call.path["source_id"])


def _rotate(call: Call) -> Any:
    overlap = timedelta(seconds=call.body.overlap_seconds)
    return call.services.webhooks.secrets.rotate(call.principal, call.path["source_id"], overlap)


def _list(call: Call) -> Any:
    wanted = InboundQuery(**{item.name: call.query.get(item.name) for item in _FILTERS})
    return call.services.webhooks.log.list(call.principal, wanted, call.paging)


def _get(call: Call) -> Any:
    return call.services.webhooks.log.get(call.principal, call.path["delivery_id"])


def _replay(call: Call) -> Any:
    return call.services.webhooks.log.replay(call.principal, call.path["delivery_id"])


_SECRETS, _TAG = "sources", "inbound-webhooks"
_ONE = "/inbound-webhooks/<uuid:delivery_id>"

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "POST",
        "/sources/<uuid:source_id>/secret",
        ADMINS,
        _create,
        "Give the webhook of a source its first secret; it is shown once.",
        _SECRETS,
        answer=HookSecret,
        status=201,
    ),
    Endpoint(
        "POST",
        "/sources/<uuid:source_id>/secret/rotate",
        ADMINS,
        _rotate,
        "Give the webhook of a source another secret; the one before is accepted for a while.",
        _SECRETS,
        answer=HookSecret,
        body=SecretRotation,
    ),
    Endpoint(
        "GET",
        "/inbound-webhooks",
        READERS,
        _list,
        "List the webhooks that came in, newest first.",
        _TAG,
        answer=InboundDelivery,
        is_list=True,
        query=(*_FILTERS, *PAGING),
    ),
    Endpoint("GET", _ONE, READERS, _get, "Show a webhook that came in.", _TAG, answer=InboundDelivery),
    Endpoint(
        "POST",
        f"{_ONE}/replay",
        OPERATORS,
        _replay,
        "Have a webhook that came in read and handled once more.",
        _TAG,
        answer=InboundDelivery,
    ),
)
