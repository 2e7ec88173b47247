"""What an error of PostgreSQL means for those who asked (R8), and how its databases have to be."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from chainloop_ci.errors import ConfigInvalidError
from server.errors import StoreBusyError, StoreFullError, StoreUnusableError
from server.store import schema
from server.store.database import Database, failure_of, open_engine
from server.store.postgresql import LOCKS, MIGRATION_LOCK
from tests.postgresql import USER, PostgresqlServer, run_server
from tests.waiting import wait_for


def error(code: str | None) -> psycopg.Error:
    made = psycopg.OperationalError("FATAL: account on host db-1.internal")
    made.sqlstate = code
    return made


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        ("53100", StoreFullError),
        ("55P03", StoreBusyError),
        ("40001", StoreBusyError),
        ("40P01", StoreBusyError),
        ("53300", StoreBusyError),
        ("57014", StoreBusyError),
        (None, StoreUnusableError),
        ("08006", StoreUnusableError),
        ("28P01", StoreUnusableError),
        ("3D000", StoreUnusableError),
        ("57P01", StoreUnusableError),
        ("57P03", StoreUnusableError),
        ("58030", StoreUnusableError),
        ("25006", StoreUnusableError),
        ("25P03", StoreUnusableError),
    ],
)
def test_r8_an_error_of_the_server_or_the_connection_is_told_by_its_code(code: str | None, meaning: type) -> None:
    assert type(failure_of(error(code))) is meaning


@pytest.mark.parametrize("code", ["23505", "42P01", "22001"])
def test_anything_else_is_a_defect(code: str) -> None:
    assert failure_of(error(code)) is None


def test_what_is_told_of_a_server_that_does_not_answer_names_no_host_and_no_account() -> None:
    told = failure_of(error("28P01"))

    assert "db-1.internal" not in str(told)


@pytest.fixture
def url(postgresql: PostgresqlServer) -> Iterator[str]:
    """Return the address of an empty database."""
    name = postgresql.create()
    yield postgresql.url(name)
    postgresql.drop(name)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database(open_engine(url))
    yield database
    database.engine.dispose()


def test_a_server_that_does_not_answer_is_told_as_such(postgresql: PostgresqlServer) -> None:
    database = Database(open_engine(f"postgresql://{USER}@/none?host={postgresql.folder}-gone"))

    with pytest.raises(StoreUnusableError), database.read():
        pass


def test_a_writer_waits_for_another_process_only_as_long_as_is_said(url: str, database: Database) -> None:
    other = Database(open_engine(url))

    with other.write(), pytest.raises(StoreBusyError), database.write(patience_seconds=0.02):
        pass

    other.engine.dispose()


def test_a_reader_sees_one_moment_and_writes_nothing(database: Database) -> None:
    with database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE t (n int)")
    with database.read() as reading:
        before = reading.exec_driver_sql("SELECT count(*) FROM t").scalar_one()
        with database.write() as connection:
            connection.exec_driver_sql("INSERT INTO t VALUES (1)")
        after = reading.exec_driver_sql("SELECT count(*) FROM t").scalar_one()

    assert (before, after) == (0, 0)


def test_a_write_is_committed_whole_or_not_at_all(database: Database) -> None:
    with database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE t (n int)")

    with pytest.raises(ZeroDivisionError), database.write() as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")
        raise ZeroDivisionError

    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM t").scalar_one() == 0


def test_a_transaction_beside_does_not_wait_for_the_writer_and_passes_over_its_rows(database: Database) -> None:
    with database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE t (n int)")
        connection.exec_driver_sql("INSERT INTO t VALUES (1), (2)")
    claim = "SELECT n FROM t ORDER BY n LIMIT 1 FOR UPDATE SKIP LOCKED"

    with database.write() as writing, database.write_beside() as beside:
        taken = [connection.exec_driver_sql(claim).scalar_one() for connection in (writing, beside)]

    assert taken == [1, 2]


@pytest.mark.parametrize("usual", ["off", "on", "local"])
def test_an_acknowledged_write_survives_power_loss_whatever_the_servers_usual_is(
    postgresql: PostgresqlServer, url: str, usual: str
) -> None:
    postgresql.execute(f"ALTER ROLE {USER} SET synchronous_commit = '{usual}'")
    database = Database(open_engine(url))
    try:
        with database.read() as connection:
            found = connection.exec_driver_sql("SHOW synchronous_commit").scalar_one()
    finally:
        database.engine.dispose()
        postgresql.execute(f"ALTER ROLE {USER} RESET synchronous_commit")

    assert found == ("on" if usual == "off" else usual)


@pytest.mark.parametrize("begin", ["read", "write", "write_beside"])
def test_a_connection_that_broke_while_nobody_used_it_is_no_error(
    postgresql: PostgresqlServer, database: Database, begin: str
) -> None:
    with database.read() as connection:
        number = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    postgresql.execute(f"SELECT pg_terminate_backend({number}, 5000)")

    with getattr(database, begin)() as connection:
        found = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()

    assert found != number


def test_a_connection_that_breaks_within_a_transaction_is_told_and_the_next_works(
    postgresql: PostgresqlServer, database: Database
) -> None:
    with pytest.raises(StoreUnusableError), database.write() as connection:
        number = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        postgresql.execute(f"SELECT pg_terminate_backend({number}, 5000)")
        connection.exec_driver_sql("SELECT 1")

    with database.write() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1


def test_a_server_that_is_started_again_is_used_again(postgresql: PostgresqlServer) -> None:
    with run_server(postgresql.programs) as server:
        database = Database(open_engine(server.url("postgres")))
        with database.read():
            pass
        server.stop()
        with pytest.raises(StoreUnusableError), database.read():
            pass

        server.start()

        with database.read() as connection:
            assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1
        database.engine.dispose()


def test_two_that_make_the_tables_at_once_make_them_once(url: str) -> None:
    failed: list[BaseException] = []

    def make() -> None:
        engine = open_engine(url)
        try:
            schema.upgrade(engine)
        except BaseException as caught:  # told to the test's own thread
            failed.append(caught)
        finally:
            engine.dispose()

    makers = [threading.Thread(target=make) for _ in range(3)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()

    engine = open_engine(url)
    assert (failed, schema.current_version(engine)) == ([], schema.head_version())
    engine.dispose()


def test_whoever_has_made_the_tables_lets_others_change_them(url: str) -> None:
    engine = open_engine(url)
    schema.upgrade(engine)

    query = f"SELECT count(*) FROM pg_locks WHERE classid = {LOCKS} AND objid = {MIGRATION_LOCK}"
    with engine.connect() as connection:
        held = connection.exec_driver_sql(query).scalar_one()

    engine.dispose()
    assert held == 0


def test_who_waits_too_long_for_one_that_changes_the_tables_is_told_so(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.store.postgresql._MIGRATION_PATIENCE_SECONDS", 1)
    engine, other = open_engine(url), open_engine(url)

    try:
        with other.connect() as connection, connection.begin():
            connection.exec_driver_sql(f"SELECT pg_advisory_lock({LOCKS}, {MIGRATION_LOCK})")
            with pytest.raises(StoreBusyError, match="making or changing the tables for 1 s"):
                schema.upgrade(engine)
        with engine.connect() as connection:
            patience = connection.exec_driver_sql("SHOW lock_timeout").scalar_one()
    finally:
        engine.dispose()
        other.dispose()
    assert patience == "0"


def test_who_is_thrown_out_while_it_waits_for_the_tables_is_told_so(url: str) -> None:
    engine, other, failed = open_engine(url), open_engine(url), []

    def wait() -> None:
        try:
            schema.upgrade(engine)
        except Exception as caught:  # told to the test's own thread
            failed.append(caught)

    waiting = f"SELECT pid FROM pg_locks WHERE classid = {LOCKS} AND objid = {MIGRATION_LOCK} AND NOT granted"
    thread = threading.Thread(target=wait)
    try:
        with other.connect() as connection, connection.begin():
            connection.exec_driver_sql(f"SELECT pg_advisory_lock({LOCKS}, {MIGRATION_LOCK})")
            thread.start()
            pid = wait_for(lambda: connection.exec_driver_sql(waiting).scalar())
            connection.exec_driver_sql(f"SELECT pg_terminate_backend({pid})")
            thread.join()
    finally:
        engine.dispose()
        other.dispose()
    assert [type(caught) for caught in failed] == [StoreUnusableError]


@pytest.mark.parametrize("options", ["ENCODING 'LATIN1'", "LOCALE_PROVIDER icu ICU_LOCALE 'en'"])
def test_a_database_that_keeps_or_sorts_texts_otherwise_is_refused_with_the_command_for_another(
    postgresql: PostgresqlServer, options: str
) -> None:
    name = postgresql.create(options=options)
    engine = open_engine(postgresql.url(name))

    try:
        with pytest.raises(ConfigInvalidError) as refused:
            schema.require_suitable(engine)
    finally:
        engine.dispose()
        postgresql.drop(name)

    assert f"CREATE DATABASE \"{name}\" ENCODING 'UTF8' LC_COLLATE 'C'" in (refused.value.hint or "")


def test_a_database_that_sorts_texts_as_bytes_is_taken(database: Any) -> None:
    schema.require_suitable(database.engine)

    with database.read() as connection:
        names = [
            row[0] for row in connection.exec_driver_sql("SELECT n FROM (VALUES ('b'), ('B'), ('a')) v(n) ORDER BY n")
        ]
    assert names == ["B", "a", "b"]
