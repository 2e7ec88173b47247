"""Moments of the database, copied while others read and write it, and what such a copy holds."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, NullPool, create_engine, func, inspect, select

from chainloop_ci.digests import Digest
from server.store.database import BUSY_TIMEOUT_SECONDS, failure_of
from server.store.tables import artifacts

PAGES_AT_ONCE = 4096
"""How much is copied between two reports of progress."""
_ROWS_AT_ONCE = 1000

Report = Callable[[int, int], None]
"""Told how much of how much is done."""


def take_snapshot(source: Path, target: Path, report: Report) -> None:
    """Write one moment of the database `source` to the new file `target` (0600) and bring it to the disk.

    Nobody waits for it: one read transaction lasts for the whole copy. `target` needs no other file beside it.

    Raises:
        StoreFullError: there is no space; what was written is left to the caller.
        StoreUnusableError: the disk or the system does not let a file be used.
    """
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with _translated(), closing(_connect(source, "rw")) as read, closing(_connect(target, "rw")) as written:
        # Brought to the disk once, at the end; until then it is of no use to anybody.
        written.execute("PRAGMA synchronous=OFF")
        # The copy begins anew whenever others write, unless the reader holds on to its moment.
        read.execute("BEGIN")
        read.execute("SELECT count(*) FROM sqlite_master").fetchone()
        read.backup(written, pages=PAGES_AT_ONCE, progress=lambda _, left, total: report(total - left, total))
        written.execute("PRAGMA journal_mode=DELETE")
    with target.open("rb") as file:
        os.fsync(file.fileno())


def open_snapshot(path: Path) -> Engine:
    """Return an engine for a copy that nobody writes to; nothing is made beside it."""
    return create_engine("sqlite://", creator=lambda: _connect(path, "ro&immutable=1"), poolclass=NullPool)


def exported_snapshot(connection: Connection) -> str:
    """Return the name under which others may read what this transaction of PostgreSQL sees, while it lasts.

    It may be idle for hours, while the artifacts are copied that it names.
    """
    connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
    return str(connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one())


def list_blobs(connection: Connection, backend: str) -> Iterator[tuple[Digest, int]]:
    """Return the digests that a back end must hold, each once, with their sizes; whatever the schema's version."""
    own = artifacts.c.backend == backend
    sizes = select(artifacts.c.digest, func.max(artifacts.c.size_bytes)).where(own)
    query = sizes.group_by(artifacts.c.digest).order_by(artifacts.c.digest)
    for digest, size_bytes in connection.execute(query.execution_options(yield_per=_ROWS_AT_ONCE)):
        yield Digest(digest), size_bytes


def count_rows(connection: Connection) -> dict[str, int]:
    """Return how many rows each table has; whatever the schema's version."""
    names = sorted(inspect(connection).get_table_names())
    return {name: int(connection.exec_driver_sql(f'SELECT count(*) FROM "{name}"').scalar() or 0) for name in names}  # noqa: S608  # names of our own tables


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    # Without a mode, a file that is not there would be made.
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_SECONDS, check_same_thread=False)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        ours = failure_of(error)
        if ours is None:
            raise
        raise ours from error
