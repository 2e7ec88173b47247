"""The database: one engine per process, short read and write transactions.

SQLite runs in WAL mode with `synchronous=FULL` (an acknowledged write survives power loss) and every writer begins with
`BEGIN IMMEDIATE`: a transaction that starts as a read and turns into a write would lose the race and fail.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event
from sqlalchemy.exc import OperationalError

from chainloop_ci.errors import ChainloopError
from server.errors import StoreBusyError, StoreFullError, StoreUnusableError

BUSY_TIMEOUT_SECONDS = 5

_PRIMARY_CODE = 0xFF
"""SQLite's extended result codes carry the primary one in their lowest byte (sqlite.org/rescode.html)."""
_FULL = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_SHMSIZE})
_UNUSABLE = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM})
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


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
        event.listen(engine, "handle_error", _drop_unusable)
    return engine


def sqlite_url(path: Path) -> str:
    """Return the URL of the embedded database in `path`."""
    return f"sqlite:///{path}"


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # The driver must not begin transactions by itself: whoever begins one says which kind.
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


def begin_reading(connection: Connection) -> None:
    """Begin a transaction on SQLite that only reads; other databases began one already."""
    if connection.dialect.name == "sqlite":
        # It touches no file, so there is no error to translate; SQLAlchemy's way costs as much as a query.
        connection.connection.cursor().execute("BEGIN")


def begin_writing(connection: Connection, patience_seconds: float = BUSY_TIMEOUT_SECONDS) -> None:
    """Begin a transaction on SQLite that writes, which keeps other writers out; other databases began one already.

    `patience_seconds`: how long it waits for other processes, when that is less than the busy timeout.
    """
    if connection.dialect.name == "sqlite":
        with _hurried(connection, patience_seconds) if patience_seconds < BUSY_TIMEOUT_SECONDS else nullcontext():
            connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def _hurried(connection: Connection, patience_seconds: float) -> Iterator[None]:
    """Let a connection wait no longer than this for a lock meanwhile."""
    cursor = connection.connection.cursor()
    usual = cursor.execute("PRAGMA busy_timeout").fetchone()[0]
    cursor.execute(f"PRAGMA busy_timeout={min(usual, max(0, round(patience_seconds * 1000)))}")
    try:
        yield
    finally:
        # One that was dropped for an error of the disk is closed already.
        with suppress(sqlite3.ProgrammingError):
            cursor.execute(f"PRAGMA busy_timeout={usual}")


def _drop_unusable(context: ExceptionContext) -> None:
    """Open the file anew after an error of disk or system: recovery needs no restart (R8).

    A file that could not be opened for writing, for want of descriptors perhaps, SQLite opens for reading only, and so
    it would stay.
    """
    code = getattr(context.original_exception, "sqlite_errorcode", 0)
    if code & _PRIMARY_CODE in _UNUSABLE:
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = False


class Database:
    """Read and write transactions on one engine."""

    def __init__(
        self,
        engine: Engine,
        patience_seconds: float = BUSY_TIMEOUT_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`patience_seconds`: how long a writer waits in all, for others of its process and for other processes."""
        self.engine = engine
        is_sqlite = engine.dialect.name == "sqlite"
        self._patience_seconds = patience_seconds
        self._wait_for_turn = _Turns(monotonic).wait if is_sqlite else nullcontext

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that sees one moment of the database.

        Raises:
            StoreUnusableError: the disk or the system does not let the database be used.
        """
        with translated(), self.engine.connect() as connection, connection.begin():
            # Not by an event: with one, SQLAlchemy looks for events before and after every statement.
            begin_reading(connection)
            yield connection

    @contextmanager
    def write(self, patience_seconds: float | None = None) -> Iterator[Connection]:
        """Open a transaction that writes: it commits whole at the end of the block, or not at all.

        `patience_seconds` is less than usual for what may as well be written another time.

        Raises:
            StoreBusyError: other writers held the database for longer than that.
            StoreFullError: the disk is full; nothing was written.
            StoreUnusableError: the disk or the system does not let the database be used.
        """
        turn = self._wait_for_turn(self._patience_seconds if patience_seconds is None else patience_seconds)
        with turn as left_seconds, translated(), self.engine.connect() as connection, connection.begin():
            begin_writing(connection, left_seconds)
            yield connection


class _Turns:
    """Lets the writers of one process begin one after the other.

    SQLite has no queue: whoever finds it locked sleeps, ever longer, and asks again, while others are served; among
    many threads one of them waits half a second for what takes milliseconds. Other processes are SQLite's to keep out.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()

    @contextmanager
    def wait(self, patience_seconds: float) -> Iterator[float]:
        """Hold the turn; yield what is left of the patience.

        Raises:
            StoreBusyError: others held it for longer.
        """
        left_seconds = patience_seconds
        if not self._lock.acquire(blocking=False):
            began = self._monotonic()
            if not self._lock.acquire(timeout=patience_seconds):
                raise StoreBusyError()
            left_seconds -= self._monotonic() - began
        try:
            yield left_seconds
        finally:
            self._lock.release()


@contextmanager
def translated() -> Iterator[None]:
    """Say what an error of the embedded database means for its users."""
    try:
        yield
    except OperationalError as error:
        ours = failure_of(error.orig)
        if ours is None:
            raise
        raise ours from error


def failure_of(error: BaseException | None) -> ChainloopError | None:
    """Return what an error of the embedded database means for its users; None: it is a defect of ours.

    A full disk shows in three ways: SQLite's own code, a flush (fsync) that fails, and an index of the log that cannot
    grow (R8).
    """
    if not isinstance(error, sqlite3.Error):
        return None
    code = getattr(error, "sqlite_errorcode", 0)
    if code & _PRIMARY_CODE in _BUSY:
        return StoreBusyError()
    if code in _FULL:
        return StoreFullError()
    if code & _PRIMARY_CODE in _UNUSABLE:
        return StoreUnusableError(str(error))
    return None
