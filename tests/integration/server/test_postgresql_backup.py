"""A PostgreSQL database in a backup: what it takes, what it holds, and how it comes back."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from chainloop_ci.errors import ConflictError
from server.admin import postgresql_programs
from server.admin.backup import take_backup
from server.admin.backup_manifest import DUMP, read_manifest
from server.admin.backup_progress import Progress
from server.admin.data_folder import RESTORING, open_current
from server.admin.doctor import diagnose
from server.admin.migrate import migrate
from server.admin.restore import restore_backup
from server.config import ServerConfig
from server.store import schema
from server.store.database import Database, open_engine
from server.store.snapshots import count_rows
from server.store.tables import attestations
from server.wiring import Services
from tests.integration.live import PROJECT
from tests.integration.server.conftest import EPOCH
from tests.integration.server.jobs import Job
from tests.postgresql import PostgresqlServer

pytestmark = [pytest.mark.engine("postgresql"), pytest.mark.real("pg_dump", "pg_restore")]

SILENT = Progress(lambda _: None, lambda: 0.0)


@pytest.fixture
def pushed(job: Job) -> Job:
    job.begin()
    job.add_everything()
    assert job.push().status_code == 201
    return job


@pytest.fixture
def backup(services: Services, pushed: Job, tmp_path: Path) -> Path:
    take_backup(services.config, services.database, tmp_path / "backup", now=lambda: EPOCH, progress=SILENT)
    return tmp_path / "backup"


@pytest.fixture
def empty(postgresql: PostgresqlServer, tmp_path: Path) -> Iterator[ServerConfig]:
    """Return the settings of a server that is to be: an empty database, no data folder."""
    name = postgresql.create()
    yield ServerConfig(data=tmp_path / "restored", database_url=postgresql.url(name), min_free_bytes=0)
    postgresql.drop(name)


def bundles(database: Database) -> dict[str, bytes]:
    with database.read() as connection:
        return {row.run_id: row.bundle for row in connection.execute(attestations.select())}


def test_a_backup_restores_to_another_database_that_doctor_finds_clean(
    services: Services, backup: Path, empty: ServerConfig
) -> None:
    restored = restore_backup(empty, backup, SILENT)

    database = open_current(empty)
    found = diagnose(empty, database, now=EPOCH)
    assert found.healthy, found.document()
    assert found.counts == restored.manifest.rows
    assert bundles(database) == bundles(services.database)
    assert sorted(path.name for path in empty.data.iterdir()) == ["blobs", "in-use.lock"]
    database.engine.dispose()


def test_what_is_written_while_a_backup_is_taken_is_in_none_of_its_parts(
    services: Services, pushed: Job, tmp_path: Path, api: Any, acme: Any
) -> None:
    operator = api(acme.token("operate"))
    said: list[str] = []

    def write(text: str) -> None:
        said.append(text)
        operator.post("/artifacts", data=b"later %d" % len(said), headers={"Content-Type": "application/octet-stream"})

    moments = iter(range(0, 10_000, 10))
    progress = Progress(write, lambda: float(next(moments)))
    with services.database.read() as connection:
        before = count_rows(connection)

    taken = take_backup(services.config, services.database, tmp_path / "backup", now=lambda: EPOCH, progress=progress)

    assert said
    assert taken.manifest.rows == before
    assert taken.manifest.blobs == before["artifacts"]


def test_the_password_of_a_database_stands_in_no_list_of_processes(tmp_path: Path) -> None:
    connection, secrets = postgresql_programs._parameters(
        "postgresql://me:hunter2@db.test:5433/chainloop?sslmode=require"
    )

    assert "hunter2" not in connection
    assert sorted(connection.split()) == ["dbname=chainloop", "host=db.test", "port=5433", "sslmode=require", "user=me"]
    assert secrets == {"PGPASSWORD": "hunter2"}


def test_a_database_that_holds_something_is_not_touched(services: Services, backup: Path, tmp_path: Path) -> None:
    config = ServerConfig(data=tmp_path / "restored", database_url=services.config.database_url)

    with pytest.raises(ConflictError, match="expected an empty database"):
        restore_backup(config, backup, SILENT)

    assert not config.data.exists()


def test_a_backup_of_postgresql_is_not_restored_where_no_database_is_named(backup: Path, tmp_path: Path) -> None:
    with pytest.raises(ConflictError, match="CHAINLOOP_DATABASE_URL names none"):
        restore_backup(ServerConfig(data=tmp_path / "restored"), backup, SILENT)


def test_a_damaged_dump_is_named_and_nothing_is_restored(backup: Path, empty: ServerConfig) -> None:
    path = backup / DUMP
    path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(Exception, match="damaged"):
        restore_backup(empty, backup, SILENT)

    engine = open_engine(empty.database_url)
    assert schema.current_version(engine) is None
    engine.dispose()
    assert not empty.data.exists()


def test_a_restore_that_the_database_refuses_is_done_again(backup: Path, empty: ServerConfig) -> None:
    engine = open_engine(empty.database_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE organizations (of_somebody_else int)")
    with pytest.raises(Exception, match="pg_restore ended with"):
        restore_backup(empty, backup, SILENT)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE organizations")

    restore_backup(empty, backup, SILENT)

    assert schema.current_version(engine) == read_manifest(backup).schema_version
    engine.dispose()


def test_a_server_that_makes_its_tables_meanwhile_is_what_a_restore_names(
    backup: Path, empty: ServerConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = postgresql_programs.load

    def load_after_a_server(url: str, source: Path) -> None:
        engine = open_engine(url)
        schema.upgrade(engine)
        engine.dispose()
        load(url, source)

    monkeypatch.setattr("server.admin.postgresql_programs.load", load_after_a_server)

    with pytest.raises(ConflictError, match="expected an empty database") as refusal:
        restore_backup(empty, backup, SILENT)

    assert "make another database" in str(refusal.value.hint)


def test_a_restore_that_was_interrupted_after_the_database_was_filled_says_to_take_another(
    backup: Path, empty: ServerConfig
) -> None:
    restore_backup(empty, backup, SILENT)
    (empty.data / RESTORING).mkdir()

    with pytest.raises(ConflictError, match="was interrupted") as refusal:
        open_current(empty)

    assert "make another" in str(refusal.value.hint)


def test_without_the_programs_the_command_says_what_else_can_be_done(
    services: Services, pushed: Job, tmp_path: Path
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    env = {
        **os.environ,
        "CHAINLOOP_DATABASE_URL": services.config.database_url,
        "CHAINLOOP_DATA": str(tmp_path / "data"),
    }
    command = [sys.executable, "-m", "server", "backup", str(tmp_path / "backup")]

    done = subprocess.run(
        command, cwd=PROJECT, env={**env, "PATH": str(folder)}, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "pg_dump is not installed here" in done.stderr
    assert "save the database by your own means" in done.stderr
    assert not (tmp_path / "backup").exists()


@pytest.fixture
def older(postgresql: PostgresqlServer, tmp_path: Path) -> Iterator[ServerConfig]:
    """Return the settings of a server whose database is of the first version."""
    name = postgresql.create()
    config = ServerConfig(data=tmp_path / "older", database_url=postgresql.url(name), min_free_bytes=0)
    engine = open_engine(config.database_url)
    schema.upgrade(engine, "0001")
    engine.dispose()
    yield config
    postgresql.drop(name)


def test_a_migration_saves_the_database_as_it_was(older: ServerConfig, postgresql: PostgresqlServer) -> None:
    done = migrate(older, now=lambda: EPOCH, progress=SILENT)

    assert (done.before, done.after) == ("0001", schema.head_version())
    assert done.saved_to is not None
    restored = postgresql.create()
    postgresql_programs.load(postgresql.url(restored), done.saved_to)
    assert postgresql.execute("SELECT version_num FROM alembic_version", restored) == [("0001",)]
    postgresql.drop(restored)


def test_a_migration_waits_for_no_server_of_another_machine_but_says_that_there_is_one(older: ServerConfig) -> None:
    server = Database(open_engine(older.database_url))
    with server.read(), pytest.raises(ConflictError, match="have 1 connections"):
        migrate(older, now=lambda: EPOCH, progress=SILENT)
    server.engine.dispose()

    assert migrate(older, now=lambda: EPOCH, progress=SILENT).after == schema.head_version()


def test_a_server_that_starts_while_the_copy_is_made_is_not_migrated_under_its_feet(
    older: ServerConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Database(open_engine(older.database_url))
    with ExitStack() as started:
        dump = postgresql_programs.dump

        def dump_beside_a_start(url: str, snapshot: str, target: Path) -> None:
            dump(url, snapshot, target)
            started.enter_context(server.read())

        monkeypatch.setattr("server.admin.postgresql_programs.dump", dump_beside_a_start)
        with pytest.raises(ConflictError, match="have 1 connections") as refusal:
            migrate(older, now=lambda: EPOCH, progress=SILENT)

    assert schema.current_version(server.engine) == "0001"
    server.engine.dispose()
    [saved] = older.data.glob("*.pgdump")
    assert str(saved) in str(refusal.value.hint)
