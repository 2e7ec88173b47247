"""Routes of the crafting state that the jobs of a run share, and of the run that goes on with an ended one (R16)."""

from __future__ import annotations

import re
from typing import Any

from flask import Response, request

from chainloop_ci.api.limits import (
    HANDLE_HEADER,
    MATERIALS_PRESENT_HEADER,
    MAX_STATE_BYTES,
    RUN_EXPIRES_HEADER,
    RUN_HEADER,
    RUN_STATE_HEADER,
    SEALED_FOR_HEADER,
)
from chainloop_ci.api.runs import KeptState, SuccessorRequest, WorkflowRun
from chainloop_ci.attestation.times import render_time
from chainloop_ci.digests import Digest
from chainloop_ci.errors import Finding, RequestInvalidError
from server.model.principal import ATTESTERS
from server.routes.endpoints import Answer, Call, Endpoint, Header
from server.routes.register import read_body
from server.routes.run_links import link_run
from server.routes.runs import REQUIRED_HANDLE

_OCTETS = "application/octet-stream"
_ENTITY_TAG = re.compile(r'"(sha256:[0-9a-f]{64})"\Z')
_COUNT = re.compile(r"[0-9]{1,6}\Z")
_EXPECTED = 'If-Match: "sha256:…" with the digest that was read last, or If-None-Match: * for the first state of a run'


def _save(call: Call) -> Any:
    expected = _expected_digest()
    kept, is_new = call.services.shared_states.save(
        call.principal,
        call.path["run_id"],
        read_body(request),
        request.headers.get(HANDLE_HEADER),
        expected=expected,
        present=_present(),
    )
    return Answer(kept, 201 if is_new else 200, {"ETag": f'"{kept.digest}"'})


def _get(call: Call) -> Any:
    found = call.services.shared_states.get(call.principal, call.path["run_id"], request.headers.get(HANDLE_HEADER))
    headers = {
        "ETag": f'"{found.digest}"',
        RUN_HEADER: found.run_id,
        RUN_STATE_HEADER: found.run_state.value,
        RUN_EXPIRES_HEADER: render_time(found.expires_at),
        SEALED_FOR_HEADER: found.sealed_for,
        "X-Content-Type-Options": "nosniff",
    }
    return Response(found.raw, headers=headers, content_type=_OCTETS)


def _succeed(call: Call) -> Any:
    run, is_new = call.services.successors.open(
        call.principal, call.path["run_id"], call.body, request.headers.get(HANDLE_HEADER)
    )
    return Answer(link_run(call, run), 201 if is_new else 200)


def _present() -> int | None:
    """Return how many required materials the state has, as the job says.

    Raises:
        RequestInvalidError: that is no count.
    """
    text = request.headers.get(MATERIALS_PRESENT_HEADER)
    if text is None:
        return None
    if not _COUNT.match(text):
        message = f"expected {MATERIALS_PRESENT_HEADER} to be a count of materials, found {text[:40]!r}"
        raise RequestInvalidError(message, findings=[Finding("invalid-header", message, path=MATERIALS_PRESENT_HEADER)])
    return int(text)


def _expected_digest() -> Digest | None:
    """Return the digest that the state must have at present; None: there must be none.

    Raises:
        RequestInvalidError: the headers do not say exactly one of the two.
    """
    match, none_match = request.headers.get("If-Match"), request.headers.get("If-None-Match")
    if match is None and none_match is not None and none_match.strip() == "*":
        return None
    tag = _ENTITY_TAG.match(match.strip()) if match is not None and none_match is None else None
    if tag is None:
        found = ", ".join(
            f"{name}: {text[:80]}" for name, text in (("If-Match", match), ("If-None-Match", none_match)) if text
        )
        message = f"expected {_EXPECTED}, found {found or 'neither'}"
        raise RequestInvalidError(message, findings=[Finding("invalid-header", message, path="If-Match")])
    return Digest(tag[1])


_TAG = "workflow-runs"
_PATH = "/workflow-runs/<uuid:run_id>/state"

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "PUT",
        _PATH,
        ATTESTERS,
        _save,
        "Keep the crafting state that the jobs of an open run share: sealed by the client, unread by the server.",
        _TAG,
        answer=KeptState,
        raw_body=_OCTETS,
        max_body_bytes=MAX_STATE_BYTES,
        status=201,
        is_repeatable=True,
        headers=(
            REQUIRED_HANDLE,
            Header("If-Match", 'The digest of the state that was read last, like "sha256:…"; 412: it has changed.'),
            Header("If-None-Match", "`*`: the run must have no state yet."),
            Header(
                MATERIALS_PRESENT_HEADER,
                "How many of the materials that the contract requires it has, a group counted as one: shown in the "
                "commit's pending status.",
            ),
        ),
    ),
    Endpoint(
        "GET",
        _PATH,
        ATTESTERS,
        _get,
        "Return the shared state of a run or of the newest run that goes on with it; the headers name both.",
        _TAG,
        raw_answer=_OCTETS,
        headers=(REQUIRED_HANDLE,),
    ),
    Endpoint(
        "POST",
        "/workflow-runs/<uuid:run_id>/successor",
        ATTESTERS,
        _succeed,
        "Go on with an ended run in a later attempt of the same CI run; the jobs of one attempt get the same run.",
        _TAG,
        answer=WorkflowRun,
        body=SuccessorRequest,
        status=201,
        is_repeatable=True,
        headers=(REQUIRED_HANDLE,),
    ),
)
