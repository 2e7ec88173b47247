"""One line of JSON per request, on standard error; never a token, a header or a body (threats T07, T46)."""

from __future__ import annotations

import re
from collections.abc import Callable

import structlog
from flask import Flask, Response, g, request

from server.auth.client_address import client_address
from server.config import Network

REQUEST_ID_HEADER = "X-Request-Id"

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
_QUIET_PATHS = frozenset({"/healthz", "/readyz"})

_log = structlog.get_logger("server")


def install_request_log(
    app: Flask, *, new_id: Callable[[], str], monotonic: Callable[[], float], proxies: tuple[Network, ...]
) -> None:
    """Give every request an id and a client address, and log its end."""

    @app.before_request
    def begin() -> None:
        given = request.headers.get(REQUEST_ID_HEADER, "")
        g.request_id = given if _REQUEST_ID.match(given) else new_id()
        g.started = monotonic()
        # The list, not the joined text: a proxy appends a header line of its own.
        forwarded = ",".join(request.headers.getlist("X-Forwarded-For"))
        g.client_address = client_address(request.remote_addr or "", forwarded, proxies)

    @app.after_request
    def end(response: Response) -> Response:
        response.headers[REQUEST_ID_HEADER] = g.request_id
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Cache-Control", "no-store")
        if request.path not in _QUIET_PATHS or response.status_code >= 500:
            _write(response, monotonic() - g.started)
        return response


def _write(response: Response, seconds: float) -> None:
    # The rule, not the path: a path holds names of tenants, and one made up by a stranger holds anything.
    _log.info(
        "request",
        request_id=g.request_id,
        method=request.method,
        route=request.url_rule.rule if request.url_rule else None,
        status=response.status_code,
        problem=g.get("problem_code"),
        organization_id=g.get("organization_id") or None,
        token_id=g.get("token_id"),
        address=g.client_address,
        duration_ms=round(seconds * 1000, 2),
    )
