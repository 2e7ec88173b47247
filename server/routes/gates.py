"""The route of gates (R33, R36)."""

from __future__ import annotations

from typing import Any

from chainloop_ci.api.gates import GateAnswer, GateRequest
from server.model.principal import READERS
from server.routes.endpoints import Call, Endpoint


def _ask(call: Call) -> Any:
    return call.services.gates.ask(call.principal, call.body)


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "POST",
        "/gate",
        READERS,
        _ask,
        "Ask whether a commit, or content of a digest, may pass; the answer is 200 either way.",
        "gates",
        answer=GateAnswer,
        body=GateRequest,
    ),
)
