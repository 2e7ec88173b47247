"""Routes of what tokens did: audit records, and the activity of one token."""

from __future__ import annotations

from typing import Any

from chainloop_ci.api.audit import Activity, AuditEntry
from server.model.principal import ADMINS
from server.routes.endpoints import PAGING, Call, Endpoint, Query
from server.services.audit import AuditQuery

_TIMES = (
    Query("since", "RFC 3339 time: then or later."),
    Query("until", "RFC 3339 time: then or earlier."),
)
_FILTERS = (
    Query("token", "Name or id of the token that did it."),
    Query("action", "What was done, like `token.created`."),
    *_TIMES,
)


def _list(call: Call) -> Any:
    wanted = AuditQuery(**{item.name: call.query.get(item.name) for item in _FILTERS})
    return call.services.audit.list(call.principal, wanted, call.paging)


def _activity(call: Call) -> Any:
    return call.services.audit.list_activity(
        call.principal, call.path["token_id"], call.query.get("since"), call.query.get("until"), call.paging
    )


_TAG = "audit-records"

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "GET",
        "/audit-records",
        ADMINS,
        _list,
        "List who changed a right, a key or a setting, newest first.",
        _TAG,
        answer=AuditEntry,
        is_list=True,
        query=(*_FILTERS, *PAGING),
    ),
    Endpoint(
        "GET",
        "/api-tokens/<uuid:token_id>/activity",
        ADMINS,
        _activity,
        "List everything that a token did, newest first: runs with their uploads, refusals, changes.",
        _TAG,
        answer=Activity,
        is_list=True,
        query=(*_TIMES, *PAGING),
    ),
)
