"""The database: one engine per process, short read and write transactions.

SQLite runs in WAL mode with `synchronous=FULL` (an acknowledged write survives power loss) and every writer begins with
`BEGIN IMMEDIATE`: a transaction that starts as a read and turns into a write would lose the race and fail.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import OperationalError

from server.errors import StoreBusyError, StoreFullError

BUSY_TIMEOUT_SECONDS = 5


def open_engine(url: str) -> Engine:
    """Return the engine for a database URL; connections are opened on first use, so after a fork."""
    engine = create_engine(
        url,
        pool_size=64,
        max_overflow=0,
        pool_timeout=BUSY_TIMEOUT_SECONDS,
        # An error of the driver reaches the log: it must not carry contents or digests of secrets.
        hide_parameters=True,
    )
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def sqlite_url(path: Path) -> str:
    """Return the URL of the embedded database in `path`."""
    return f"sqlite:///{path}"


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # The driver must not begin transactions by itself: `_begin_sqlite` says which kind.
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_TIMEOUT_SECONDS * 1000}",
        "temp_store=MEMORY",
        "cache_size=-16000",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("chainloop_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


class Database:
    """Read and write transactions on one engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that sees one moment of the database."""
        with _translated(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction that writes: it commits whole at the end of the block, or not at all.

        Raises:
            StoreBusyError: another writer held the database for longer than the busy timeout.
            StoreFullError: the disk is full; nothing was written.
        """
        with (
            _translated(),
            self.engine.connect().execution_options(chainloop_write=True) as connection,
            connection.begin(),
        ):
            yield connection


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        text = str(error.orig)
        if "database is locked" in text or "busy" in text:
            raise StoreBusyError from error
        if "disk is full" in text or "disk I/O error" in text:
            raise StoreFullError from error
        raise
