"""SQLite, the embedded engine: one file, one writer at a time.

It runs in WAL mode with `synchronous=FULL` (an acknowledged write survives power loss) and every writer begins with
`BEGIN IMMEDIATE`: a transaction that starts as a read and turns into a write would lose the race and fail.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, ExceptionContext, event

from chainloop_ci.errors import ChainloopError
from server.errors import StoreBusyError, StoreFullError, StoreUnusableError
from server.store.engine_kind import BUSY_TIMEOUT_SECONDS, EngineKind
from server.store.writer_turns import ProcessQueue

_PRIMARY_CODE = 0xFF
"""SQLite's extended result codes carry the primary one in their lowest byte (sqlite.org/rescode.html)."""
_FULL = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_SHMSIZE})
_UNUSABLE = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM})
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


def _prepare(engine: Engine) -> None:
    event.listen(engine, "connect", _prepare_connection)
    event.listen(engine, "handle_error", _drop_unusable)


def _prepare_connection(connection: sqlite3.Connection, _record: Any) -> None:
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


def _drop_unusable(context: ExceptionContext) -> None:
    """Open the file anew after an error of disk or system: recovery needs no restart (R8).

    A file that could not be opened for writing, for want of descriptors perhaps, SQLite opens for reading only, and so
    it would stay.
    """
    code = getattr(context.original_exception, "sqlite_errorcode", 0)
    if code & _PRIMARY_CODE in _UNUSABLE:
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = False


def _begin_reading(connection: Connection) -> None:
    # It touches no file, so there is no error to translate; SQLAlchemy's way costs as much as a query.
    connection.connection.cursor().execute("BEGIN")


def _begin_writing(connection: Connection, patience_seconds: float = BUSY_TIMEOUT_SECONDS) -> None:
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


def _queue_of(engine: Engine) -> ProcessQueue | None:
    path = engine.url.database
    return ProcessQueue(Path(path)) if path and path != ":memory:" else None


def _failure_of(error: BaseException) -> ChainloopError | None:
    """Return what an error of SQLite means.

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


SQLITE = EngineKind(
    prepare=_prepare,
    begin_reading=_begin_reading,
    begin_writing=_begin_writing,
    begin_beside=None,
    queue_of=_queue_of,
    # Whoever migrates holds the data folder, and texts are kept and sorted as bytes.
    alone=lambda engine: nullcontext(),
    require_suitable=lambda connection: None,
    count_others=lambda connection: 0,
    failure_of=_failure_of,
    has_lasting_connections=False,
)
