"""The WSGI application for gunicorn or another server: `server.wsgi:application()`."""

from __future__ import annotations

import os

from flask import Flask

from server.app import create_app
from server.config import ServerConfig
from server.routes.log_format import configure_logging
from server.wiring import build_services


def application() -> Flask:
    """Return the application with the settings of the environment.

    Raises:
        ConfigInvalidError: with everything that is wrong in the environment.
    """
    configure_logging()
    return create_app(build_services(ServerConfig.from_environment(os.environ)))
