"""Starts the bare Flask application under gunicorn, with as many workers and threads as the control plane has."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.command import PROJECT, SERVER_PYTHON
from bench.load import Client, request_bytes
from examples.demo.control_plane import free_port
from server.config import DEFAULT_THREADS, DEFAULT_WORKERS

_START_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Bare:
    """A running bare server."""

    port: int
    process_id: int


@contextmanager
def bare_flask(*, shared: bool = False) -> Iterator[Bare]:
    """Start it; end it at the end of the block. `shared`: loaded once, before the fork, as the control plane is."""
    with tempfile.TemporaryDirectory(prefix="chainloop-bench-") as name:
        port, database = free_port(), Path(name) / "kept.sqlite"
        _make(database)
        words = [SERVER_PYTHON, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--log-level", "warning"]
        words += ["--workers", str(DEFAULT_WORKERS), "--threads", str(DEFAULT_THREADS), "--worker-class", "gthread"]
        words += ["--keep-alive", "30", *(["--preload"] if shared else []), "bench.anchors.flask_app:app"]
        env = {**os.environ, "BENCH_DATABASE": str(database), "PYTHONPATH": str(PROJECT)}
        env |= {"BENCH_SHARED": "1"} if shared else {}
        process = subprocess.Popen(words, cwd=PROJECT, env=env)
        try:
            _wait(port)
            yield Bare(port, process.pid)
        finally:
            process.terminate()
            process.wait(30)


def _make(path: Path) -> None:
    """Make the database: connections that change its mode at once would refuse each other, whatever their patience."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE kept (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")


def _wait(port: int) -> None:
    hello = request_bytes("GET", "/hello", {})
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        with suppress(OSError):
            client = Client(port)
            client.send(hello)
            client.close()
            return
        time.sleep(0.1)
    raise RuntimeError("the bare server did not start")
