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
        database.execute("PRAGMA synchronous=FULL")
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
