"""Routes of what operators decide against the rules (R39)."""

from __future__ import annotations

from typing import Any

from chainloop_ci.api.limits import UUID_PATTERN
from chainloop_ci.api.overrides import Override, OverrideEnd, OverrideRequest
from chainloop_ci.api.words import OverrideKind
from server.model.principal import OPERATORS, READERS
from server.routes.endpoints import PAGING, Call, Endpoint, Query
from server.services.overrides import OverrideQuery


def _set(call: Call) -> Any:
    return call.services.overrides.set(call.principal, call.body)


def _list(call: Call) -> Any:
    query = OverrideQuery(call.query.get("kind"), call.query.get("workflowId"), call.query.get("ended") == "true")
    return call.services.overrides.list(call.principal, query, call.paging)


def _end(call: Call) -> Any:
    return call.services.overrides.end(call.principal, call.path["override_id"], call.body)


_TAG = "overrides"

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "POST",
        "/overrides",
        OPERATORS,
        _set,
        "Block a workflow, distrust a run, or let a commit pass; with a reason.",
        _TAG,
        answer=Override,
        body=OverrideRequest,
        status=201,
    ),
    Endpoint(
        "GET",
        "/overrides",
        READERS,
        _list,
        "List what operators have decided and is in force, newest first.",
        _TAG,
        answer=Override,
        is_list=True,
        query=(
            Query("kind", "Only of this kind.", {"type": "string", "enum": [kind.value for kind in OverrideKind]}),
            Query("workflowId", "Only of this workflow.", {"type": "string", "pattern": UUID_PATTERN}),
            Query("ended", "Those that have ended too.", {"type": "boolean"}),
            *PAGING,
        ),
    ),
    Endpoint(
        "POST",
        "/overrides/<uuid:override_id>/end",
        OPERATORS,
        _end,
        "End what was decided; with a reason.",
        _TAG,
        answer=Override,
        body=OverrideEnd,
    ),
)
