"""Routes that need no token: is the server alive, can it work, how is it used."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from flask import Flask, Response, render_template

from server.routes.endpoints import Endpoint
from server.routes.openapi import openapi_document, page_sections
from server.services.health import Condition
from server.wiring import Services

DOCS_POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def install_public(app: Flask, endpoints: tuple[Endpoint, ...], services: Services) -> None:
    """Add `/healthz`, `/readyz`, `/openapi.json` and `/docs` to `app`."""

    # Once, since it changes with the code only, and not before somebody asks: every start would wait for it.
    @cache
    def document() -> Any:
        return openapi_document(endpoints, services.config.public_url)

    @cache
    def document_text() -> str:
        return json.dumps(document(), indent=1)

    @app.get("/healthz")
    def healthz() -> Response:
        """Answer as long as the process can answer."""
        return Response(json.dumps({"status": "ok"}), mimetype="application/json")

    @app.get("/readyz")
    def readyz() -> Response:
        """Answer 200 when requests can be served and stored, else 503 with the reasons (R8).

        Warnings are what the operator should look at; no load balancer has to take the server out for them.
        """
        return _answer(services.health.look())

    @app.get("/openapi.json")
    def openapi() -> Response:
        """Answer with the OpenAPI 3.1 document of this server."""
        return Response(document_text(), mimetype="application/json")

    @app.get("/docs")
    def docs() -> Response:
        """Answer with the same as a page for people."""
        page = render_template("docs.html", info=document()["info"], sections=page_sections(document()))
        return Response(page, mimetype="text/html", headers={"Content-Security-Policy": DOCS_POLICY})


def _answer(condition: Condition) -> Response:
    body = {
        "status": "ready" if condition.is_ready else "not ready",
        "findings": [item.to_dict() for item in condition.findings],
        "warnings": [item.to_dict() for item in condition.warnings],
    }
    return Response(json.dumps(body), 200 if condition.is_ready else 503, mimetype="application/json")
