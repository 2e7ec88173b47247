"""What an error of the embedded database means for those who asked (R8)."""

import sqlite3
import threading
import time
from contextlib import ExitStack, closing

import pytest
from sqlalchemy import event

from server.errors import StoreBusyError, StoreFullError, StoreUnusableError
from server.store.database import (
    BUSY_TIMEOUT_SECONDS,
    Database,
    begin_writing,
    failure_of,
    open_engine,
    sqlite_url,
)


def error(code):
    made = sqlite3.OperationalError("what SQLite says")
    made.sqlite_errorcode = code
    return made


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        (sqlite3.SQLITE_FULL, StoreFullError),
        (sqlite3.SQLITE_IOERR_FSYNC, StoreFullError),
        (sqlite3.SQLITE_IOERR_SHMSIZE, StoreFullError),
        (sqlite3.SQLITE_IOERR_WRITE, StoreUnusableError),
        (sqlite3.SQLITE_READONLY, StoreUnusableError),
        (sqlite3.SQLITE_CANTOPEN, StoreUnusableError),
        (sqlite3.SQLITE_BUSY, StoreBusyError),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, StoreBusyError),
        (sqlite3.SQLITE_LOCKED, StoreBusyError),
    ],
)
def test_r8_an_error_of_disk_or_system_is_told_by_its_code(code, meaning):
    assert type(failure_of(error(code))) is meaning


@pytest.mark.parametrize("found", [error(sqlite3.SQLITE_ERROR), error(sqlite3.SQLITE_CORRUPT), ValueError(), None])
def test_anything_else_is_a_defect(found):
    assert failure_of(found) is None


@pytest.fixture
def impatient(tmp_path):
    """Return a database whose connections do not wait for a lock."""
    engine = open_engine(sqlite_url(tmp_path / "some.db"))
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout=0"))
    yield Database(engine, patience_seconds=0.01)
    engine.dispose()


def test_writers_of_one_process_queue_before_they_ask_for_the_file(impatient):
    database = Database(impatient.engine)
    waits, order = threading.Event(), []

    def write():
        waits.set()
        with database.write():
            order.append("second")

    second = threading.Thread(target=write)
    with database.write():
        second.start()
        waits.wait()
        order.append("first")
    second.join()

    assert order == ["first", "second"]


def test_a_writer_that_waits_too_long_is_told_that_the_store_is_busy(impatient):
    with impatient.write(), pytest.raises(StoreBusyError), impatient.write():
        pass


def test_a_writer_that_has_queued_waits_for_other_processes_only_as_long_as_is_left(tmp_path):
    path, first, waits = tmp_path / "some.db", ExitStack(), threading.Event()

    def let_another_process_write():
        if not waits.is_set():
            return 0.0
        if other.in_transaction:
            return 4.9
        first.close()
        other.execute("BEGIN IMMEDIATE")
        return 0.0

    database = Database(open_engine(sqlite_url(path)), monotonic=let_another_process_write)
    first.enter_context(database.write())
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        waits.set()
        began = time.monotonic()
        with pytest.raises(StoreBusyError), database.write():
            pass
        waited_seconds = time.monotonic() - began

    assert waited_seconds < 3


def test_a_writer_that_had_to_hurry_leaves_its_connection_as_patient_as_it_was(tmp_path):
    engine = open_engine(sqlite_url(tmp_path / "some.db"))
    with engine.connect() as connection:
        begin_writing(connection, 0.01)
        connection.rollback()

        found = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()

    engine.dispose()
    assert found == BUSY_TIMEOUT_SECONDS * 1000


def test_a_writer_that_fails_leaves_its_turn_to_the_next(impatient):
    with pytest.raises(ZeroDivisionError), impatient.write():
        raise ZeroDivisionError

    with impatient.write() as connection:
        found = connection.exec_driver_sql("SELECT 1").scalar_one()

    assert found == 1


def test_a_single_statement_is_on_the_disk_when_its_connection_is_given_back(tmp_path):
    path = tmp_path / "some.db"
    database = Database(open_engine(sqlite_url(path)))
    with database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE kept (name TEXT PRIMARY KEY)")

    with database.write_one() as connection:
        connection.exec_driver_sql("INSERT INTO kept VALUES ('one') RETURNING name").all()
        with closing(sqlite3.connect(path)) as other:
            found = other.execute("SELECT name FROM kept").fetchall()

    assert found == [("one",)]
