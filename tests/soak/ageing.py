"""Let time pass for what lies in a data folder: as if hours had gone by since it was left there."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from server.store.times import to_text
from tests.integration.live import PROJECT
from tests.soak.checks import DATABASE, require
from tests.soak.moments import Ended, Moment, python, run

LONG_AGO = timedelta(hours=72)


def sweep_command(data: Path) -> list[str]:
    """Return the command that does every sweep once."""
    return python("server", "dispatch", "--once", "--data", data)


def sweep(data: Path, moment: Moment | None = None, grace: str = "1m") -> Ended:
    """Do every sweep once, or begin with it and be killed at `moment`."""
    release_sweeps(data)
    env = {**os.environ, "CHAINLOOP_UPLOAD_GRACE": grace, "PYTHONDONTWRITEBYTECODE": "1"}
    ended = run(sweep_command(data), cwd=PROJECT, env=env, moment=moment)
    if not (moment and ended.was_killed):
        require(ended.status == 0, f"dispatch ended with {ended.status}: {ended.stderr[-2000:]}")
    return ended


def release_sweeps(data: Path) -> None:
    """Let the minute go by for which a dead dispatcher is waited for."""
    _change(data, "UPDATE sweeps SET held_until = ? WHERE holder IS NOT NULL", [(_then(),)])


def age_runs(data: Path, runs: Iterable[str]) -> None:
    """Let open runs have been left long ago."""
    then = _then()
    statement = "UPDATE workflow_runs SET created_at = ?, last_accepted_at = ?, expires_at = ? WHERE id = ?"
    _change(data, statement, [(then, then, then, run_id) for run_id in runs])


def age_uploads(data: Path, digests: Iterable[str]) -> None:
    """Let uploads have come long ago."""
    then = _then()
    statement = "UPDATE artifacts SET created_at = ?, last_uploaded_at = ? WHERE digest = ?"
    _change(data, statement, [(then, then, digest) for digest in digests])


def age_file(path: Path) -> None:
    """Let a file have been written long ago."""
    then = time.time() - LONG_AGO.total_seconds()
    os.utime(path, (then, then))


def age_leftovers(data: Path) -> None:
    """Let all unfinished uploads and all blobs have been written long ago. Nobody may be at work."""
    for path in [*(data / "blobs" / "incoming").iterdir(), *(data / "blobs").glob("??/??/*")]:
        age_file(path)


def _then() -> str:
    return to_text(datetime.now(UTC) - LONG_AGO)


def _change(data: Path, statement: str, rows: list[tuple[str, ...]]) -> None:
    with closing(sqlite3.connect(data / DATABASE, timeout=30)) as connection, connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(statement, rows)
