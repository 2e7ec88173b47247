"""`/metrics`: for Prometheus, with the bearer of a reader, one organization each."""

from __future__ import annotations

from flask import Flask, Response

from chainloop_ci.api.limits import ORGANIZATION_HEADER
from chainloop_ci.errors import UsageError
from server.model.principal import READERS
from server.routes.register import authenticated
from server.services.metrics import MEDIA_TYPE
from server.wiring import Services


def install_metrics(app: Flask, services: Services) -> None:
    """Add `/metrics` to `app`."""

    @app.get("/metrics")
    def metrics() -> Response:
        """Answer with the metrics of the token's organization."""
        principal = authenticated(services)
        principal.require_role(READERS)
        if not principal.organization_id:
            raise UsageError(
                "an instance token must say which organization's metrics it means",
                hint=f"add a header `{ORGANIZATION_HEADER}: <name>`",
            )
        return Response(services.metrics.render(principal), content_type=MEDIA_TYPE)
