"""`python -m server serve`: the control plane under gunicorn."""

from __future__ import annotations

import gc
import logging
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from chainloop_ci.signing.public_keys import load_public_key
from server.admin.companion import Companion
from server.admin.data_folder import make_database_apart, make_folder, prepare
from server.admin.dispatch import dispatch_beside
from server.admin.folder_lock import hold_folder
from server.admin.listener import listen
from server.admin.open_files import allow_connections
from server.admin.operator_tokens import ensure_first_token
from server.admin.processes import Master, Worker, assign_column
from server.app import create_app
from server.config import ServerConfig
from server.routes.log_format import configure_logging
from server.services.contract_documents import prepare_contracts
from server.services.disk_reserve import DiskReserve
from server.services.metrics_process import ProcessMetrics
from server.wiring import World, build_services

KEEP_ALIVE_SECONDS = 30
"""An idle connection of a client is kept this long."""
MAX_REQUEST_LINE_BYTES = 8190
MAX_HEADERS = 64
MAX_HEADER_BYTES = 8190
PRIVATE_UMASK = 0o077

_SOME_KEY = b"""-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEfPJ7GI0DT36KUjgDBLUaw8CJaeJ3
8hs1pgtI/EdmmXgHd1UQ247QQCk9msafdDDbun2t5jzpgimeBLedInhz0Q==
-----END PUBLIC KEY-----
"""
"""The public key of nobody: twice the base point of P-256."""
_SOME_SIGNATURE = bytes.fromhex("3006020101020101")
"""One that is well formed, so that all of it is looked at."""


def serve(config: ServerConfig) -> None:
    """Serve until SIGTERM or SIGINT; requests in progress are finished first.

    Raises:
        ConfigInvalidError: the data folder or the port cannot be used.
        ConflictError: the data folder is being served already.
        SchemaMismatchError: the database is of another version.
    """
    configure_logging()
    # Database and blobs are for this user only, whatever the mode of a folder that was there before.
    os.umask(PRIVATE_UMASK)
    with _place(config) as listener:
        make_database_apart(config)
        database = prepare(config)
        secret = ensure_first_token(database, World(), config.admin_token_path)
        # Connections must not cross the fork into the workers.
        database.engine.dispose()
        DiskReserve(config.data).keep()
        # Gunicorn closes the socket itself.
        _Server(config, listener.detach(), lambda: _announce(config, secret)).run()


@contextmanager
def _place(config: ServerConfig) -> Iterator[socket.socket]:
    """Hold the data folder and the port; a port that is taken is found before a folder is made."""
    purpose = f"serving on {config.bind} port {config.port}"
    if not config.data.exists():
        with listen(config) as listener:
            make_folder(config)
            with hold_folder(config, purpose):
                yield listener
        return
    make_folder(config)
    with hold_folder(config, purpose), listen(config) as listener:
        yield listener


def _announce(config: ServerConfig, secret: str | None) -> None:
    """Say where the server is and how to get in; the token itself goes to a terminal only, never into a log (R6)."""
    lines = [
        f"Chainloop control plane: {config.public_url}",
        f"  listening on {config.bind}:{config.port}",
        f"  API reference: {config.public_url}/docs",
    ]
    if config.admin_token_path.is_file():
        lines.append(f"  instance token: {config.admin_token_path}")
    if secret and sys.stdout.isatty():
        lines.append(f"  (shown this once: {secret})")
    if sys.stdout.isatty():
        # The log's lines come to the same terminal.
        lines = ["", *lines, ""]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


class _Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn, set from our settings only: no configuration file, no command line, no environment of its own."""

    # Known when the application is loaded, which is before the first worker is forked.
    _metrics: ProcessMetrics

    def __init__(self, config: ServerConfig, listener: int, announce: Callable[[], None]) -> None:
        self._config = config
        self._listener = listener
        self._announce = announce
        super().__init__()

    def load_config(self) -> None:
        settings: dict[str, Any] = {
            "bind": f"fd://{self._listener}",
            "worker_class": Worker,
            "workers": self._config.workers,
            "threads": self._config.threads,
            "graceful_timeout": self._config.shutdown_seconds,
            "worker_connections": allow_connections(),
            "keepalive": KEEP_ALIVE_SECONDS,
            "limit_request_line": MAX_REQUEST_LINE_BYTES,
            "limit_request_fields": MAX_HEADERS,
            "limit_request_field_size": MAX_HEADER_BYTES,
            # Loaded once, before the fork: the workers share its memory.
            "preload_app": True,
            # R47: no header of a client changes what the application takes for its own address.
            "forwarded_allow_ips": "",
            "forwarder_headers": "",
            "control_socket_disable": True,
            "logger_class": _Log,
            "umask": PRIVATE_UMASK,
            "proc_name": "chainloop",
            "when_ready": lambda server: self._announce(),
            # A worker counts in a column of its own; the one that takes a dead one's place goes on with its numbers.
            # Set here, since SIGHUP makes all settings anew, but loads the application no second time.
            "pre_fork": assign_column,
            "post_fork": lambda server, worker: self._take_column(worker),
        }
        for name, value in settings.items():
            # Older versions have no control socket to disable.
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def run(self) -> None:
        # What it has begun to tell others gets as long as a request that has begun.
        end_seconds = float(self._config.shutdown_seconds)
        master_id = os.getpid()
        dispatcher = Companion(lambda: dispatch_beside(self._config, master_id), end_seconds=end_seconds)
        Master(self, dispatcher).run()

    def load(self) -> Flask:
        prepare_contracts()
        _load_ahead()
        services = build_services(self._config)
        self._metrics = services.process_metrics
        app = create_app(services)
        # Looking for garbage writes into every object: what stands here stays untouched, so the workers share it.
        gc.collect()
        gc.freeze()
        return app

    def _take_column(self, worker: Any) -> None:
        self._metrics.take_column(worker.metrics_column)


def _load_ahead() -> None:
    """Load what requests would load one day, so that the workers share it."""
    import encodings.idna  # noqa: F401

    # OpenSSL looks for its algorithms at the first use of each, and keeps them.
    load_public_key(_SOME_KEY).verify(_SOME_SIGNATURE, b"")


class _Log(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn's log as part of ours: one JSON object per line on standard error."""

    def setup(self, cfg: Any) -> None:
        for log in (self.error_log, self.access_log):
            log.handlers.clear()
            log.propagate = True
        self.error_log.setLevel(logging.INFO)
