"""The Flask application: routes over services, problems for refusals, one log line per request."""

from __future__ import annotations

from pathlib import Path

from flask import Flask

from server.routes.metrics import install_metrics
from server.routes.pages import install_pages
from server.routes.problems import install_problems
from server.routes.public import install_public
from server.routes.register import install_converters, register
from server.routes.request_log import install_request_log, list_routes
from server.routes.table import ENDPOINTS, PUBLIC_ENDPOINTS
from server.routes.webhooks import install_webhooks
from server.wiring import Services

_WEB = Path(__file__).parent / "web"


def create_app(services: Services) -> Flask:
    """Return the application over `services`; tests put a clock of their own into them."""
    app = Flask("server", template_folder=str(_WEB / "templates"), static_folder=str(_WEB / "static"))
    # An address has one form; Flask would answer others with a redirect.
    app.url_map.strict_slashes = True
    app.url_map.merge_slashes = False
    app.url_map.redirect_defaults = False
    install_converters(app)
    install_request_log(
        app,
        new_id=services.world.new_id,
        monotonic=services.world.monotonic,
        proxies=services.config.trusted_proxies,
        process=services.process_metrics,
    )
    install_problems(app)
    endpoints = (*ENDPOINTS, *PUBLIC_ENDPOINTS)
    install_public(app, endpoints, services)
    install_pages(app, services)
    install_metrics(app, services)
    install_webhooks(app, services)
    register(app, endpoints, services)
    services.process_metrics.prepare(list_routes(app))
    return app
