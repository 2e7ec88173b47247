"""The least that a Flask server can do: say hello, and commit one row durably. What ours is compared with.

Started by gunicorn with as many workers and threads as the control plane has. With `BENCH_SHARED` set it is also
loaded as that is: before the fork, and kept from the search for garbage, so that the workers share its memory.
"""

from __future__ import annotations

import gc
import os
import sqlite3
import threading

from flask import Flask, Response, request

app = Flask(__name__)
_local = threading.local()


def _database() -> sqlite3.Connection:
    if not hasattr(_local, "database"):
        database = sqlite3.connect(os.environ["BENCH_DATABASE"], isolation_level=None, timeout=30)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000"):
            database.execute(f"PRAGMA {pragma}")
        database.execute("CREATE TABLE IF NOT EXISTS kept (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")
        _local.database = database
    return _local.database


@app.get("/hello")
def hello() -> Response:
    """Answer."""
    return Response('{"hello":"world"}', mimetype="application/json")


@app.post("/commit")
def commit() -> Response:
    """Keep the body; when the answer comes it is on the disk."""
    _database().execute("INSERT INTO kept (body) VALUES (?)", (request.get_data(),))
    return Response('{"kept":true}', mimetype="application/json")


if os.environ.get("BENCH_SHARED"):
    gc.collect()
    gc.freeze()
