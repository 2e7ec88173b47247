"""The database: one engine per process, short read and write transactions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, Engine, RootTransaction, create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from chainloop_ci.errors import ChainloopError
from server.errors import StoreBusyError
from server.store.engine_kind import BUSY_TIMEOUT_SECONDS as BUSY_TIMEOUT_SECONDS
from server.store.engine_kind import EngineKind
from server.store.postgresql import APPLICATION, POSTGRESQL
from server.store.sqlite import SQLITE
from server.store.writer_turns import WriterTurns

KINDS: dict[str, EngineKind] = {"sqlite": SQLITE, "postgresql": POSTGRESQL}
"""By the name of SQLAlchemy's dialect."""

_CONNECTED = {
    "client_encoding": "utf8",
    "connect_timeout": "5",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}
"""libpq's parameters: a server that is gone without a word is noticed within a minute. What the URL says, wins."""


def open_engine(url: str) -> Engine:
    """Return the engine for a database URL; connections are opened on first use, so after a fork."""
    engine = create_engine(
        _driver_url(url),
        pool_size=64,
        max_overflow=0,
        pool_timeout=BUSY_TIMEOUT_SECONDS,
        # An error of the driver reaches the log: it must not carry contents or digests of secrets.
        hide_parameters=True,
    )
    kind_of(engine).prepare(engine)
    return engine


def kind_of(bound: Engine | Connection) -> EngineKind:
    """Return how the engine of a connection does what engines do differently."""
    return KINDS[bound.dialect.name]


def sqlite_url(path: Path) -> str:
    """Return the URL of the embedded database in `path`."""
    return f"sqlite:///{path}"


def _driver_url(text: str) -> URL:
    url = make_url(text)
    if url.get_backend_name() != "postgresql":
        return url
    given = {"application_name": APPLICATION, **_CONNECTED, **url.query}
    return url.set(drivername="postgresql+psycopg", query=given)


def begin_writing(connection: Connection, patience_seconds: float = BUSY_TIMEOUT_SECONDS) -> None:
    """Begin a transaction that writes, which keeps other writers out.

    `patience_seconds`: how long it waits for other processes, when that is less than the busy timeout.
    """
    kind_of(connection).begin_writing(connection, patience_seconds)


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
        self._kind = kind_of(engine)
        self._patience_seconds = patience_seconds
        self._turns = WriterTurns(monotonic, processes=self._kind.queue_of(engine))

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that sees one moment of the database.

        Raises:
            StoreUnusableError: the disk, the system or the database's server does not let the database be used.
        """
        # Not by an event: with one, SQLAlchemy looks for events before and after every statement.
        with translated(), self._begun(self._kind.begin_reading) as connection:
            yield connection

    @contextmanager
    def write(self, patience_seconds: float | None = None) -> Iterator[Connection]:
        """Open the one transaction that writes: it commits whole at the end of the block, or not at all.

        No other one of any process is open meanwhile, so what the block reads stays true until it has written.
        `patience_seconds` is less than usual for what may as well be written another time.

        Raises:
            StoreBusyError: other writers held the database for longer than that.
            StoreFullError: the disk is full; nothing was written.
            StoreUnusableError: the disk, the system or the database's server does not let the database be used.
        """
        turn = self._turns.wait(self._patience_seconds if patience_seconds is None else patience_seconds)
        with turn as left_seconds, translated(), self._begun(partial(self._begin_writing, left_seconds)) as connection:
            yield connection

    def give_way(self) -> None:
        """Let those who wait to write go first, for a moment: for what may be done a little later, before `write`.

        On PostgreSQL nobody needs that: there who waits is served in the order of coming.
        """
        if self._kind.begin_beside is None:
            self._turns.give_way()

    def is_waited_for(self) -> bool:
        """Tell, within `write`, whether somebody else waits to write; on PostgreSQL, which is not asked, always."""
        return self._kind.begin_beside is not None or self._turns.is_waited_for()

    @contextmanager
    def write_one(self) -> Iterator[Connection]:
        """Open a connection for one statement that writes and needs nothing of what others write meanwhile.

        The statement is a transaction by itself where the engine can do that: it holds up others for less than half as
        long. Its result has to be read whole: only then it is committed, or the reason why not is raised. Never for
        events, as with `write_beside`.

        Raises:
            StoreBusyError, StoreFullError, StoreUnusableError: as `write`.
        """
        if self._kind.begin_beside is not None:
            with self.write_beside() as connection:
                yield connection
            return
        with self._turns.wait(self._patience_seconds) as left_seconds, translated():
            is_calm = left_seconds >= BUSY_TIMEOUT_SECONDS
            begin = _begin_nothing if is_calm else partial(self._begin_writing, left_seconds)
            with self._begun(begin) as connection:
                yield connection

    @contextmanager
    def write_beside(self) -> Iterator[Connection]:
        """Open a transaction that writes without keeping others from it, where the engine can do that.

        Only for rows that it locked itself (`server.store.claims`) or that nobody else writes, and never for events:
        what it reads otherwise, others may change before it ends, and its numbers may become visible after higher
        ones. On SQLite it is `write`.

        Raises:
            StoreBusyError, StoreFullError, StoreUnusableError: as `write`.
        """
        if self._kind.begin_beside is None:
            with self.write() as connection:
                yield connection
            return
        with translated(), self._begun(self._kind.begin_beside) as connection:
            yield connection

    def _begin_writing(self, patience_seconds: float, connection: Connection) -> None:
        self._kind.begin_writing(connection, patience_seconds)

    @contextmanager
    def _begun(self, begin: Callable[[Connection], None]) -> Iterator[Connection]:
        """Begin a transaction, and end it with the block."""
        with self._connect(begin) as connection, _transaction_of(connection):
            yield connection

    def _connect(self, begin: Callable[[Connection], None]) -> Connection:
        """Return a connection in a transaction; one that broke while nobody used it is replaced by a new one, once."""
        try:
            return _begin(self.engine.connect(), begin)
        except DBAPIError as error:
            if not (self._kind.has_lasting_connections and error.connection_invalidated):
                raise
        # SQLAlchemy has dropped all connections that are as old.
        return _begin(self.engine.connect(), begin)


def _begin(connection: Connection, begin: Callable[[Connection], None]) -> Connection:
    try:
        connection.begin()
        begin(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _begin_nothing(_connection: Connection) -> None:
    """Let every statement be a transaction of its own."""


def _transaction_of(connection: Connection) -> RootTransaction:
    transaction = connection.get_transaction()
    if transaction is None:
        raise RuntimeError("the connection is in no transaction")
    return transaction


@contextmanager
def translated() -> Iterator[None]:
    """Say what an error of the database means for its users."""
    try:
        yield
    except DBAPIError as error:
        ours = failure_of(error.orig)
        if ours is None:
            raise
        raise ours from error
    except PoolTimeoutError as error:
        # All connections of this process are in use.
        raise StoreBusyError() from error


def failure_of(error: BaseException | None) -> ChainloopError | None:
    """Return what an error of the database's driver means for its users; None: it is a defect of ours."""
    if error is None:
        return None
    return next((ours for kind in KINDS.values() if (ours := kind.failure_of(error))), None)
