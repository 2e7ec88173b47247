"""Routes of our webhooks at the forges."""

from __future__ import annotations

from typing import Any

from chainloop_ci.api.source_hooks import HookRequest, HooksAsked, SourceHook
from server.model.principal import ADMINS, READERS
from server.routes.endpoints import PAGING, Call, Endpoint


def _ask(call: Call) -> Any:
    return call.services.hooks.ask(call.principal, call.body.mode)


def _list(call: Call) -> Any:
    return call.services.hooks.list(call.principal, call.paging)


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "POST",
        "/source-hooks",
        ADMINS,
        _ask,
        "Have our webhooks of all sources checked, created and repaired, or their failed deliveries sent again.",
        "sources",
        answer=HooksAsked,
        body=HookRequest,
        status=202,
    ),
    Endpoint(
        "GET",
        "/source-hooks",
        READERS,
        _list,
        "List our webhooks at the forges, as they were found last.",
        "sources",
        answer=SourceHook,
        is_list=True,
        query=PAGING,
    ),
)
