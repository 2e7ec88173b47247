"""One line of JSON per request, on standard error; never a token, a header, a path or a body (threats T07, T46)."""

from __future__ import annotations

import re
from collections.abc import Callable

import structlog
from flask import Flask, Response, g, request

from server.auth.client_address import client_address
from server.services.metrics_process import ProcessMetrics
from server.setting_values import Network

REQUEST_ID_HEADER = "X-Request-Id"

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
_QUIET_PATHS = frozenset({"/healthz", "/readyz"})

_RUN_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")

_log = structlog.get_logger("server")


def install_request_log(
    app: Flask,
    *,
    new_id: Callable[[], str],
    monotonic: Callable[[], float],
    proxies: tuple[Network, ...],
    process: ProcessMetrics,
) -> None:
    """Give every request an id and a client address; count it and log its end."""

    @app.before_request
    def begin() -> None:
        process.begin()
        g.is_counted = True
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
        seconds = monotonic() - g.started
        process.answered(request.method, _route(), response.status_code, seconds)
        if request.path not in _QUIET_PATHS or response.status_code >= 500:
            _write(response, seconds)
        return response

    @app.teardown_request
    def over(_error: BaseException | None) -> None:
        if g.pop("is_counted", False):
            process.end()


def list_routes(app: Flask) -> list[tuple[str, str]]:
    """Return method and route of everything that the application answers."""
    return sorted((method, rule.rule) for rule in app.url_map.iter_rules() for method in rule.methods or ())


def _write(response: Response, seconds: float) -> None:
    _log.info(
        "request",
        request_id=g.request_id,
        method=request.method,
        route=_route(),
        status=response.status_code,
        problem=g.get("problem_code"),
        organization_id=g.get("organization_id") or None,
        token_id=g.get("token_id"),
        run_id=_run_id(),
        address=g.client_address,
        duration_ms=round(seconds * 1000, 2),
    )


def _route() -> str | None:
    """Return the rule, not the path: a path holds names of tenants, and one made up by a stranger holds anything."""
    return request.url_rule.rule if request.url_rule else None


def _run_id() -> str | None:
    """Return the run that the request names in its path or, for an upload, in its query."""
    named = str((request.view_args or {}).get("run_id") or request.args.get("run") or "")
    return named if _RUN_ID.match(named) else None
