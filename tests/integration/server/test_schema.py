import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from server.errors import SchemaMismatchError, StoreBusyError
from server.store import schema
from server.store.database import Database, open_engine, sqlite_url
from server.store.tables import metadata


@pytest.fixture
def engine(tmp_path):
    engine = open_engine(sqlite_url(tmp_path / "test.db"))
    yield engine
    engine.dispose()


def test_the_migrations_make_exactly_the_tables(engine):
    schema.upgrade(engine)

    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)
    assert differences == []


def test_an_empty_database_has_no_version(engine):
    assert schema.current_version(engine) is None
    with pytest.raises(SchemaMismatchError, match="has schema none"):
        schema.require_current(engine)


def test_after_an_upgrade_the_version_is_the_newest(engine):
    schema.upgrade(engine)
    schema.upgrade(engine)

    assert schema.current_version(engine) == schema.head_version()
    schema.require_current(engine)


def test_a_database_of_a_newer_server_is_refused(engine):
    schema.upgrade(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()

    for act in (schema.upgrade, schema.require_current):
        with pytest.raises(SchemaMismatchError, match="a newer one made it"):
            act(engine)


def test_a_failed_write_leaves_nothing(engine):
    schema.upgrade(engine)
    database = Database(engine)

    with pytest.raises(RuntimeError), database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO audit_records (at, token_id, action, subject, detail) VALUES (1,1,1,1,1)"
        )
        raise RuntimeError

    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM audit_records").scalar() == 0


def test_an_acknowledged_write_survives_power_loss(engine):
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_a_writer_that_waits_too_long_is_told_to_repeat(tmp_path):
    path = sqlite_url(tmp_path / "busy.db")
    holder, waiter = open_engine(path), open_engine(path)
    schema.upgrade(holder)
    with waiter.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=1")
    held, done = threading.Event(), threading.Event()

    def hold():
        with Database(holder).write():
            held.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    try:
        with pytest.raises(StoreBusyError), Database(waiter).write():
            raise AssertionError("two writers at once")
    finally:
        done.set()
        thread.join()
        holder.dispose()
        waiter.dispose()
