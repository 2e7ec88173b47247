"""PostgreSQL, the engine of more than one machine.

Writers take their turn here too, by a lock of the database that belongs to the transaction: what a use case reads stays
true until it has written, and numbers from sequences become visible in their order (docs/adr/0036).
Nothing here loads the driver; SQLAlchemy does, when the first engine of its kind is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, ExceptionContext, event, text
from sqlalchemy.exc import DBAPIError

from chainloop_ci.errors import ChainloopError, ConfigInvalidError
from server.errors import StoreBusyError, StoreFullError, StoreUnusableError
from server.store.engine_kind import BUSY_TIMEOUT_SECONDS, EngineKind

APPLICATION = "chainloop"
"""What our connections call themselves."""
LOCKS = 0x636C
"""The space of our advisory locks: two numbers name one, and others may use the same database."""
WRITER_LOCK = 1
MIGRATION_LOCK = 2

_DURABLE = """
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'
"""
_COLLATION = """
SELECT datname AS name, pg_encoding_to_char(encoding) AS encoding, datcollate AS collation,
  coalesce(to_jsonb(pg_database) ->> 'datlocprovider', 'c') AS provider
FROM pg_database WHERE datname = current_database()
"""
"""Before version 15 collations are the system's C library's (c); later also ICU's (i), or PostgreSQL's own (b)."""
_OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = :name AND pid <> pg_backend_pid()
"""
_BYTE_ORDERS = ("C", "POSIX", "C.UTF-8", "C.utf8")
_MIGRATION_PATIENCE_SECONDS = 60
"""For another process that migrates."""
_IDLE_WRITER_SECONDS = 60
"""A writer of whom nothing is heard for so long is thrown out: its machine may be gone, and all others wait for it."""

_UNANSWERED = "the database does not answer"
"""What users are told, whatever the driver says: its words name hosts and accounts. Those stand in the log."""

# Classes and codes of the SQL standard (postgresql.org/docs, appendix A).
_LOCK_TIMEOUT = "55P03"
_BUSY = frozenset({_LOCK_TIMEOUT, "40001", "40P01", "57014", "53300"})
_FULL = frozenset({"53100"})
_READ_ONLY = "25006"
_UNUSABLE = ("08", "28", "3D", "53", "57", "58", _READ_ONLY, "25P03", "F0")
"""Beginnings of codes: connection, account, name of the database, resources, operator, system, a standby, idle."""


def _prepare(engine: Engine) -> None:
    event.listen(engine, "connect", _prepare_connection)
    event.listen(engine, "handle_error", _drop_standby)


def _prepare_connection(connection: Any, _record: Any) -> None:
    # The driver must not begin transactions by itself: whoever begins one says which kind.
    connection.autocommit = True
    # An acknowledged write survives power loss, whatever the server's usual is; stricter ones stay.
    connection.execute(_DURABLE)


def _drop_standby(context: ExceptionContext) -> None:
    """Connect anew when the server has become a standby that takes no writes: another one is the first now."""
    if getattr(context.original_exception, "sqlstate", None) == _READ_ONLY:
        context.is_disconnect = True


def _begin_reading(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")


def _begin_writing(connection: Connection, patience_seconds: float = BUSY_TIMEOUT_SECONDS) -> None:
    # Read committed: what another writer has committed while this one waited is seen by its statements.
    patience = max(1, round(min(patience_seconds, BUSY_TIMEOUT_SECONDS) * 1000))
    _begin(connection, patience, f"SELECT pg_advisory_xact_lock({LOCKS}, {WRITER_LOCK})")


def _begin_beside(connection: Connection) -> None:
    _begin(connection, BUSY_TIMEOUT_SECONDS * 1000)


def _begin(connection: Connection, lock_milliseconds: int, *more: str) -> None:
    """Begin in one round trip: without parameters, several statements go in one message."""
    words = (
        "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
        f"SET LOCAL lock_timeout = {lock_milliseconds}",
        f"SET LOCAL idle_in_transaction_session_timeout = {_IDLE_WRITER_SECONDS * 1000}",
        *more,
    )
    connection.exec_driver_sql("; ".join(words))


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    """Hold a lock in a transaction of another connection, which does nothing else.

    Of a session it would stay, and be somebody else's, where a pooler gives each transaction another session.
    """
    words = (
        "BEGIN",
        f"SET LOCAL lock_timeout = {_MIGRATION_PATIENCE_SECONDS * 1000}",
        # It is idle for as long as the changes take.
        "SET LOCAL idle_in_transaction_session_timeout = 0",
        f"SELECT pg_advisory_xact_lock({LOCKS}, {MIGRATION_LOCK})",
    )
    with engine.connect() as keeper, keeper.begin():
        try:
            keeper.exec_driver_sql("; ".join(words))
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != _LOCK_TIMEOUT:
                raise
            what = f"another process has been making or changing the tables for {_MIGRATION_PATIENCE_SECONDS} s"
            raise StoreBusyError(what, "repeat this when that one has ended") from error
        yield


def _require_suitable(connection: Connection) -> None:
    """Refuse another encoding than UTF-8, and another order of texts than that of their bytes.

    Lists are walked in the order of their names, by every server and every engine the same; and an index that a
    language orders breaks when the system's library learns another order (postgresql.org/docs, collation versions).
    """
    found = connection.exec_driver_sql(_COLLATION).one()
    is_by_bytes = found.provider == "b" or (found.provider == "c" and found.collation in _BYTE_ORDERS)
    if found.encoding == "UTF8" and is_by_bytes:
        return
    collation = f"{found.collation} of ICU" if found.provider == "i" else found.collation
    name = str(found.name).replace('"', '""')
    raise ConfigInvalidError(
        f"the database {found.name} has encoding {found.encoding} and collation {collation}, expected UTF8 and C",
        hint=f"make it anew: CREATE DATABASE \"{name}\" ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
    )


def _count_others(connection: Connection) -> int:
    return int(connection.execute(text(_OTHERS), {"name": APPLICATION}).scalar_one())


def _failure_of(error: BaseException) -> ChainloopError | None:
    """Return what an error of the driver means, by its code; one without a code is of the connection itself."""
    if not type(error).__module__.startswith("psycopg"):
        return None
    code = getattr(error, "sqlstate", None)
    if code in _BUSY:
        return StoreBusyError()
    if code in _FULL:
        return StoreFullError()
    is_of_connection = code is None and type(error).__name__ == "OperationalError"
    if is_of_connection or (code or "").startswith(_UNUSABLE):
        return StoreUnusableError(_UNANSWERED)
    return None


POSTGRESQL = EngineKind(
    prepare=_prepare,
    begin_reading=_begin_reading,
    begin_writing=_begin_writing,
    begin_beside=_begin_beside,
    queue_of=lambda engine: None,
    alone=_alone,
    require_suitable=_require_suitable,
    count_others=_count_others,
    failure_of=_failure_of,
    has_lasting_connections=True,
)
