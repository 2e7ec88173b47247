"""What an error of the embedded database means for those who asked (R8)."""

import sqlite3

import pytest

from server.errors import StoreBusyError, StoreFullError, StoreUnusableError
from server.store.database import failure_of


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
