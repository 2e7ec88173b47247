"""The copy of the database that a backup holds: how each engine makes it, and how it is brought back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection

from chainloop_ci.errors import ConflictError
from server.admin import postgresql_programs
from server.admin.backup_manifest import DATABASE, DUMP
from server.admin.backup_progress import Progress
from server.config import ServerConfig
from server.store import schema
from server.store.database import Database, translated
from server.store.snapshots import exported_snapshot, open_snapshot, take_snapshot
from server.wiring import open_database


class DatabaseCopy(Protocol):
    """How the database of a server comes into a backup."""

    name: str
    """Of the file in the backup."""

    def taken(self, target: Path, progress: Progress) -> AbstractContextManager[Connection]:
        """Write one moment of the database to the new file `target`; yield what reads that same moment."""


class SqliteCopy:
    """A whole file of SQLite's, which is read afterwards."""

    name = DATABASE

    def __init__(self, config: ServerConfig) -> None:
        self._path = config.database_path

    @contextmanager
    def taken(self, target: Path, progress: Progress) -> Iterator[Connection]:
        """Copy the file page by page."""
        take_snapshot(self._path, target, progress.of("database", "pages"))
        engine = open_snapshot(target)
        try:
            with Database(engine).read() as connection:
                yield connection
        finally:
            engine.dispose()


class PostgresqlCopy:
    """What `pg_dump` writes of a snapshot, which stays open meanwhile."""

    name = DUMP

    def __init__(self, config: ServerConfig, database: Database) -> None:
        self._url = config.database_url
        self._database = database

    @contextmanager
    def taken(self, target: Path, progress: Progress) -> Iterator[Connection]:
        """Let the program copy what a transaction of ours sees."""
        with self._database.read() as connection:
            postgresql_programs.dump(self._url, exported_snapshot(connection), target)
            yield connection


def copy_of(config: ServerConfig, database: Database) -> DatabaseCopy:
    """Return how the server's database is copied."""
    return PostgresqlCopy(config, database) if config.database_url else SqliteCopy(config)


def require_place(config: ServerConfig, name: str) -> None:
    """Refuse a backup of one engine where the settings say another, and a PostgreSQL database that holds something.

    Raises:
        ConflictError: with what helps.
    """
    if name == DATABASE and config.database_url:
        raise ConflictError(
            "the backup holds an embedded database, and CHAINLOOP_DATABASE_URL names one of PostgreSQL",
            hint="unset CHAINLOOP_DATABASE_URL: a backup is restored to the engine that it was taken of",
        )
    if name == DUMP and not config.database_url:
        raise ConflictError(
            "the backup holds a PostgreSQL database, and CHAINLOOP_DATABASE_URL names none",
            hint="set it to an empty database",
        )
    if name == DUMP:
        postgresql_programs.require_program("pg_restore", "run this command on a machine that has it")
        _require_empty(config)


def _require_empty(config: ServerConfig) -> None:
    database = open_database(config)
    try:
        with translated():
            schema.require_suitable(database.engine)
            found = schema.current_version(database.engine)
    finally:
        database.engine.dispose()
    if found is not None:
        raise ConflictError(
            f"expected an empty database at {config.database_place}, found one with schema {found}",
            hint="make another database and name it with CHAINLOOP_DATABASE_URL",
        )
