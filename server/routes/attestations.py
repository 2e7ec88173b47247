"""Routes of attestations: the exact bytes go in and come out."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from chainloop_ci.api.limits import BUNDLE_MEDIA_TYPE, HANDLE_HEADER, MAX_BUNDLE_BYTES, STATE_DIGEST_HEADER
from chainloop_ci.api.runs import Stored
from chainloop_ci.digests import parse_digest
from server.model.principal import ATTESTERS, READERS
from server.routes.endpoints import Answer, Call, Endpoint, Header
from server.routes.register import read_body
from server.routes.run_links import link_stored
from server.routes.runs import REQUIRED_HANDLE
from server.services.attestations import StoredBundle


def _store(call: Call) -> Any:
    given = request.headers.get(STATE_DIGEST_HEADER)
    stored, is_new = call.services.attestations.store(
        call.principal,
        call.path["run_id"],
        read_body(request),
        request.headers.get(HANDLE_HEADER),
        state_digest=None if given is None else parse_digest(given),
    )
    return Answer(link_stored(call, stored), 201 if is_new else 200)


def _get_of_run(call: Call) -> Any:
    return _file(call.services.attestations.get_of_run(call.principal, call.path["run_id"]))


def _get(call: Call) -> Any:
    return _file(call.services.attestations.get(call.principal, call.path["digest"]))


def _file(bundle: StoredBundle) -> Response:
    headers = {"ETag": f'"{bundle.digest}"', "X-Content-Type-Options": "nosniff"}
    return Response(bundle.raw, headers=headers, content_type=BUNDLE_MEDIA_TYPE)


_TAG = "attestations"
_STATE_DIGEST = Header(
    STATE_DIGEST_HEADER,
    "Digest of the shared state that the attestation was made of: refused with 412 when a job has changed it since.",
)

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "PUT",
        "/workflow-runs/<uuid:run_id>/attestation",
        ATTESTERS,
        _store,
        "Store the attestation of a run; everything that it claims is derived again. The same bytes again: 200.",
        _TAG,
        answer=Stored,
        raw_body=BUNDLE_MEDIA_TYPE,
        max_body_bytes=MAX_BUNDLE_BYTES,
        status=201,
        is_repeatable=True,
        headers=(REQUIRED_HANDLE, _STATE_DIGEST),
    ),
    Endpoint(
        "GET",
        "/workflow-runs/<uuid:run_id>/attestation",
        READERS,
        _get_of_run,
        "Return the attestation of a run, byte for byte.",
        _TAG,
        raw_answer=BUNDLE_MEDIA_TYPE,
    ),
    Endpoint(
        "GET",
        "/attestations/<digest:digest>",
        READERS,
        _get,
        "Return an attestation, byte for byte.",
        _TAG,
        raw_answer=BUNDLE_MEDIA_TYPE,
    ),
)
