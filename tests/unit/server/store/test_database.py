"""What an error of the embedded database means for those who asked (R8)."""

import sqlite3
import threading

import pytest
from sqlalchemy import event

from server.errors import StoreBusyError, StoreFullError, StoreUnusableError
from server.store.database import Database, failure_of, open_engine, sqlite_url


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


def test_a_writer_that_fails_leaves_its_turn_to_the_next(impatient):
    with pytest.raises(ZeroDivisionError), impatient.write():
        raise ZeroDivisionError

    with impatient.write() as connection:
        found = connection.exec_driver_sql("SELECT 1").scalar_one()

    assert found == 1
