"""`/metrics`: for Prometheus, with the bearer of a reader: one organization each, or the server for its operator."""

from __future__ import annotations

from flask import Flask, Response

from chainloop_ci.api.access import Role
from server.model.principal import READERS
from server.routes.register import authenticated
from server.services.metrics import MEDIA_TYPE
from server.wiring import Services


def install_metrics(app: Flask, services: Services) -> None:
    """Add `/metrics` to `app`."""

    @app.get("/metrics")
    def metrics() -> Response:
        """Answer with the metrics of the token's organization; for an instance token that names none, the server's."""
        principal = authenticated(services)
        principal.require_role(READERS)
        is_server = principal.role is Role.INSTANCE and not principal.organization_id
        text = services.server_metrics.render() if is_server else services.metrics.render(principal)
        return Response(text, content_type=MEDIA_TYPE)
