"""The route that stores many contracts and workflows at once."""

from __future__ import annotations

from typing import Any

from chainloop_ci.api.apply import MAX_APPLY_BYTES, Applied, ApplyRequest
from server.model.principal import OPERATORS
from server.routes.endpoints import Call, Endpoint


def _apply(call: Call) -> Any:
    return call.services.apply.apply(call.principal, call.body)


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "POST",
        "/apply",
        OPERATORS,
        _apply,
        "Make it so that there are these contracts and workflows: all of them or none. The same again changes nothing.",
        "workflows",
        answer=Applied,
        body=ApplyRequest,
        max_body_bytes=MAX_APPLY_BYTES,
    ),
)
