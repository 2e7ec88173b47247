"""The route of public contracts: what a job without secrets can be held to."""

from __future__ import annotations

from flask import Response

from chainloop_ci.contract.types import ContractFormat
from server.routes.endpoints import Call, Endpoint

_MEDIA_TYPES = {
    ContractFormat.YAML: "application/yaml",
    ContractFormat.JSON: "application/json",
    ContractFormat.CUE: "application/cue",
}


def _get(call: Call) -> Response:
    found = call.services.contracts.get_public(call.path["public_id"])
    headers = {
        "Content-Disposition": "attachment",
        "X-Content-Type-Options": "nosniff",
        # Once it is switched off nobody in between goes on showing it.
        "Cache-Control": "no-store",
    }
    return Response(found.raw_body, headers=headers, content_type=_MEDIA_TYPES[found.format])


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "GET",
        "/public/contracts/<uuid:public_id>",
        frozenset(),
        _get,
        "Return the revision in force of a contract that was made public, byte for byte; needs no token.",
        "contracts",
        raw_answer="*/*",
        is_public=True,
    ),
)
