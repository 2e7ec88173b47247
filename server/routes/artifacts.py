"""Routes of artifacts: bodies are streamed both ways, never held whole."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from flask import Response, request

from chainloop_ci.api.limits import HANDLE_HEADER, UUID_PATTERN
from chainloop_ci.api.runs import Artifact
from chainloop_ci.digests import parse_digest
from server.model.principal import ATTESTERS, EVERYBODY
from server.routes.endpoints import Answer, Call, Endpoint, Query
from server.routes.register import has_come
from server.routes.runs import HANDLE, REQUIRED_HANDLE
from server.services.uploads import Upload

OCTETS = "application/octet-stream"

_FILENAME = Query("filename", "Base name of the file; kept with the content.", {"type": "string", "maxLength": 1024})
_RUN = Query(
    "run",
    "The run that uploads; needed by a token with the role attest.",
    {"type": "string", "pattern": UUID_PATTERN.replace("$", r"\Z")},
)


def _upload(call: Call) -> Any:
    expected = call.path.get("digest")
    upload = Upload(
        source=request.stream,
        filename=call.query.get("filename", ""),
        size_bytes=request.content_length,
        has_come=has_come(request),
        expected=parse_digest(expected) if expected else None,
        run_id=call.query.get("run"),
        handle=request.headers.get(HANDLE_HEADER),
    )
    artifact, is_new = call.services.uploads.upload(call.principal, upload)
    return Answer(artifact, 201 if is_new else 200)


def _refer(call: Call) -> Any:
    call.services.uploads.refer(
        call.principal,
        call.path["run_id"],
        call.path["digest"],
        request.headers.get(HANDLE_HEADER),
        call.query.get("filename", ""),
    )


def _head(call: Call) -> Any:
    artifact = call.services.artifacts.get(call.principal, call.path["digest"])
    response = Response(headers=_headers(artifact), content_type=OCTETS)
    # Werkzeug would set the length of the empty body.
    response.automatically_set_content_length = False
    response.headers["Content-Length"] = str(artifact.size_bytes)
    return response


def _download(call: Call) -> Any:
    download = call.services.artifacts.open(call.principal, call.path["digest"])
    headers = {**_headers(download.artifact), "Content-Length": str(download.artifact.size_bytes)}
    response = Response(download.blocks, headers=headers, content_type=OCTETS)
    response.call_on_close(download.release)
    return response


def _headers(artifact: Artifact) -> dict[str, str]:
    """Return headers under which no browser runs, guesses or shows the content (R8)."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", artifact.filename)
    exact = quote(artifact.filename, safe="")
    return {
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{exact}",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "private, no-store",
        "ETag": f'"{artifact.digest}"',
    }


_TAG = "artifacts"

_UPLOAD = Endpoint(
    "POST",
    "/artifacts",
    ATTESTERS,
    _upload,
    "Upload content; the answer says its digest. 201 when it is new to the organization, else 200.",
    _TAG,
    answer=Artifact,
    raw_body=OCTETS,
    max_body_bytes=None,
    status=201,
    is_repeatable=True,
    query=(_FILENAME, _RUN),
    headers=(HANDLE,),
)

ENDPOINTS: tuple[Endpoint, ...] = (
    _UPLOAD,
    replace(
        _UPLOAD,
        method="PUT",
        path="/artifacts/<digest:digest>",
        summary="Upload content whose digest is known; it is hashed on the way in all the same.",
    ),
    Endpoint(
        "GET",
        "/artifacts/<digest:digest>",
        EVERYBODY,
        _download,
        "Download content; a body that ends early was broken in the store.",
        _TAG,
        raw_answer=OCTETS,
    ),
    Endpoint(
        "HEAD",
        "/artifacts/<digest:digest>",
        EVERYBODY,
        _head,
        "Return size and name of content.",
        _TAG,
        raw_answer=OCTETS,
    ),
    Endpoint(
        "POST",
        "/workflow-runs/<uuid:run_id>/artifacts/<digest:digest>",
        ATTESTERS,
        _refer,
        "Refer a run to content that the organization has already; «not found» asks for an upload.",
        _TAG,
        status=204,
        query=(_FILENAME,),
        headers=(REQUIRED_HANDLE,),
    ),
)
