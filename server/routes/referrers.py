"""The route of the graph of referrers."""

from __future__ import annotations

from typing import Any

from chainloop_ci.api.limits import MAX_GRAPH_DEPTH
from chainloop_ci.api.referrers import ReferrerGraph
from server.model.principal import READERS
from server.routes.endpoints import PAGING, Call, Endpoint, Query


def _get(call: Call) -> Any:
    return call.services.referrers.get(
        call.principal, call.path["digest"], call.query.get("kind"), call.paging, depth=int(call.query["depth"])
    )


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "GET",
        "/referrers/<anydigest:digest>",
        READERS,
        _get,
        "Show what has a digest, what it refers to and what refers to it.",
        "referrers",
        answer=ReferrerGraph,
        query=(
            Query("kind", "Kind of the node, when the digest has several."),
            Query(
                "depth",
                "How many steps from the node to look; pages are of its neighbours.",
                {"type": "integer", "minimum": 1, "maximum": MAX_GRAPH_DEPTH, "default": 1},
            ),
            *PAGING,
        ),
    ),
)
