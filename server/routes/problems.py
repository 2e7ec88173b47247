"""Problems: every refusal as RFC 9457 JSON, from one table of codes (design decision 10)."""

from __future__ import annotations

import json

import structlog
from flask import Flask, Response, g, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge

from chainloop_ci.api.limits import PROBLEM_MEDIA_TYPE
from chainloop_ci.api.problems import TYPE_PREFIX, Problem, ProblemFinding, problem_findings
from chainloop_ci.api.record import to_dict
from chainloop_ci.contract.limits import MAX_TEXT
from chainloop_ci.errors import ChainloopError
from server.errors import UploadsBusyError

STATUS_OF_CODE: dict[str, int] = {
    "json-invalid": 400,
    "usage": 400,
    "webhook-invalid": 400,
    "not-authenticated": 401,
    "webhook-not-authentic": 401,
    "not-allowed": 403,
    "not-found": 404,
    "method-not-allowed": 405,
    "conflict": 409,
    "already-initialized": 409,
    "material-conflict": 409,
    "run-ended": 409,
    "workflow-blocked": 409,
    "webhook-replayed": 409,
    "precondition-failed": 412,
    "body-too-large": 413,
    "media-type": 415,
    "attestation-refused": 422,
    "bundle-invalid": 422,
    "contract-invalid": 422,
    "contract-not-met": 422,
    "contract-unsupported": 422,
    "digest-invalid": 422,
    "digest-mismatch": 422,
    # An admin's registration whose third party cannot be asked: no 5xx, which a client would patiently repeat.
    "egress-answer": 422,
    "egress-failed": 422,
    "egress-refused": 422,
    "egress-timeout": 422,
    "egress-unreachable": 422,
    "limit-exceeded": 422,
    "material-rejected": 422,
    "nothing-to-verify": 422,
    "request-invalid": 422,
    "runner-mismatch": 422,
    "secret-variable": 422,
    "signature-invalid": 422,
    "signer-not-trusted": 422,
    "signing-key-invalid": 422,
    "statement-invalid": 422,
    "too-many-requests": 429,
    "too-many-logins": 429,
    "blob-corrupt": 500,
    "secret-key-missing": 500,
    "secret-unreadable": 500,
    "server-fault": 500,
    "checker-busy": 503,
    "checker-unavailable": 503,
    "schema-mismatch": 503,
    "store-busy": 503,
    "store-unusable": 503,
    "unreachable": 503,
    "uploads-busy": 503,
    "quota-exceeded": 507,
    "store-full": 507,
}
"""Status of every error that can reach the wire. A code that is not here is a defect and answered as one."""

RETRY_AFTER_SECONDS = 1
UPLOADS_RETRY_SECONDS = 2
"""A body that is on its way takes longer than a write of the database."""

_log = structlog.get_logger("server")


def install_problems(app: Flask) -> None:
    """Answer every error of `app` with a problem."""
    app.register_error_handler(ChainloopError, _refuse)
    app.register_error_handler(HTTPException, _translate)
    app.register_error_handler(ParseException, _refuse_body)
    app.register_error_handler(Exception, _confess)


def problem_response(problem: Problem) -> Response:
    """Return a problem as a response, with the headers that its status asks for."""
    response = Response(json.dumps(to_dict(problem)), problem.status, mimetype=PROBLEM_MEDIA_TYPE)
    if problem.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if problem.status in (429, 503):
        seconds = UPLOADS_RETRY_SECONDS if problem.code == UploadsBusyError.code else RETRY_AFTER_SECONDS
        response.headers["Retry-After"] = str(seconds)
    return response


def note_refusal(error: ChainloopError) -> int | None:
    """Write down why a request is refused, and return the status of its answer; None: the error is a defect of ours."""
    status = STATUS_OF_CODE.get(error.code)
    if status is not None and status >= 500:
        _log.warning("failed", code=error.code, cause=_cause(error), request_id=g.get("request_id"))
    g.problem_code = error.code
    return status


def _refuse(error: ChainloopError) -> Response:
    status = note_refusal(error)
    if status is None:
        return _confess(error)
    findings = problem_findings(error.findings)
    return problem_response(_problem(error.code, status, error.message[:MAX_TEXT], error.hint, findings))


def _cause(error: ChainloopError) -> str:
    """Return what the disk, the database or the system said, without the statement that it was said to."""
    cause = getattr(error.__cause__, "orig", None) or error.__cause__
    return str(cause or error.message)[:MAX_TEXT]


def _refuse_body(error: Exception) -> Response:
    """Answer a body whose chunks cannot be told apart; gunicorn finds out only while a route reads it."""
    return problem_response(_problem("request-invalid", 400, f"the body cannot be read: {str(error)[:200]}"))


def _translate(error: HTTPException) -> Response:
    """Answer what Flask refuses by itself."""
    status = error.code or 500
    if isinstance(error, RequestEntityTooLarge):
        limit = g.get("max_body_bytes")
        return problem_response(_problem("body-too-large", 413, f"a request body may have {limit} bytes here"))
    if status == 404:
        return problem_response(_problem("not-found", 404, f"nothing is at {request.path[:200]}", "see /docs"))
    if isinstance(error, MethodNotAllowed):
        allowed = ", ".join(sorted(error.valid_methods or ()))
        detail = f"{request.path[:200]} takes {allowed}, not {request.method}"
        response = problem_response(_problem("method-not-allowed", 405, detail))
        response.headers["Allow"] = allowed
        return response
    if status >= 500:
        return _confess(error)
    return problem_response(_problem("request-invalid", status, error.description or error.name))


def _confess(error: Exception) -> Response:
    """Answer a defect of ours: what went wrong stands in the log, under the request's id, and not in the answer."""
    _log.error("request-failed", exc_info=error, request_id=g.get("request_id"))
    hint = "repeat the request; if it fails again, give the server's operator this request id"
    return problem_response(_problem("server-fault", 500, "the server failed to answer this request", hint))


def _problem(
    code: str, status: int, detail: str, hint: str | None = None, findings: tuple[ProblemFinding, ...] = ()
) -> Problem:
    g.problem_code = code
    return Problem(
        type=TYPE_PREFIX + code,
        title=code.replace("-", " ").capitalize(),
        status=status,
        detail=detail,
        code=code,
        hint=hint,
        request_id=g.get("request_id"),
        findings=findings,
    )
