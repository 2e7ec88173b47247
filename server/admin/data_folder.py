"""The data folder and the database: made when they are new, refused when the database is of another version.

The embedded database lies in the folder. With PostgreSQL each server has a data folder of its own, and all have one
database.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

from chainloop_ci.errors import ConfigInvalidError, ConflictError
from server.admin.parent import end_with
from server.config import ServerConfig
from server.errors import StoreFullError
from server.services.disk_reserve import DiskReserve
from server.store import schema
from server.store.database import Database, translated
from server.wiring import open_database

T = TypeVar("T")

RESTORING = ".restoring"
"""Folder that lies in a data folder until everything of a backup is restored."""


def make_folder(config: ServerConfig, *, restoring: bool = False) -> None:
    """Make the data folder for its owner only.

    Raises:
        ConfigInvalidError: it cannot be made or written to.
        ConflictError: a restore into it was interrupted, and this is not the next try.
    """
    if not restoring:
        _require_whole(config)
    probe = config.data / ".writable"
    try:
        config.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe.touch()
        # Another command may try the same folder just now.
        probe.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigInvalidError(
            f"the data folder {config.data} cannot be used: {error.strerror}",
            hint="set CHAINLOOP_DATA (or --data) to a folder that this user may write to",
        ) from error


def open_existing(config: ServerConfig) -> Database:
    """Return the database of a server that has been there before, whatever its version.

    Raises:
        ConfigInvalidError: there is none.
        ConflictError: a restore into it was interrupted.
        StoreUnusableError: the database's server does not answer.
    """
    if config.database_url:
        return _open_on_server(config)
    _require_whole(config)
    if not config.database_path.is_file():
        raise ConfigInvalidError(
            f"there is no database in {config.data}",
            hint="set CHAINLOOP_DATA (or --data) to the server's data folder; `serve` makes a new one",
        )
    return open_database(config)


def _open_on_server(config: ServerConfig) -> Database:
    make_folder(config)
    database = open_database(config)
    with translated():
        schema.require_suitable(database.engine)
        found = schema.current_version(database.engine)
    if found is None:
        raise ConfigInvalidError(
            f"the database {config.database_place} has no tables",
            hint="set CHAINLOOP_DATABASE_URL to the database of a server; `serve` makes the tables of an empty one",
        )
    return database


def open_current(config: ServerConfig) -> Database:
    """Return the database of a data folder that has been served before by this version.

    Raises:
        ConfigInvalidError: there is none.
        ConflictError: a restore into it was interrupted.
        SchemaMismatchError: it is of another version.
    """
    database = open_existing(config)
    with translated():
        schema.require_current(database.engine)
    return database


def despite_full_disk(config: ServerConfig, act: Callable[[], T]) -> T:
    """Do what has to be possible when the disk is full: with the space that is kept back for it.

    `act` changes nothing when it finds the disk full, or goes on where it was when it is repeated.

    Raises:
        StoreFullError: that space is used up; says what may be removed.
    """
    try:
        return DiskReserve(config.data).insist(act)
    except StoreFullError as error:
        raise StoreFullError(
            f"the disk of {config.data}",
            "the space kept back for this is used up: remove old backups, copies of `migrate` "
            f"({config.database_path.stem}-*.db) or what else lies on that disk beside the data folder, or enlarge it",
        ) from error


def prepare(config: ServerConfig) -> Database:
    """Return the database of the data folder; a fresh one is made, another version is refused.

    Raises:
        SchemaMismatchError: with the command that helps.
    """
    make_folder(config)
    database = open_database(config)
    with translated():
        schema.require_suitable(database.engine)
        if schema.current_version(database.engine) is None:
            schema.upgrade(database.engine)
        schema.require_current(database.engine)
    return database


def make_database_apart(config: ServerConfig) -> None:
    """Make the tables of a fresh database in a process of its own, which takes what only that needs with it.

    The migration library would otherwise stay in this process and in all that it forks. Nothing is told of a failure:
    `prepare` finds no database then, and meets the same one.
    """
    if config.database_path.exists() and not config.database_url:
        return
    # Whoever has connections to share must not fork; this is called before there are any.
    parent_id, process_id = os.getpid(), os.fork()
    if process_id == 0:
        try:
            # It may wait long for somebody else who changes the tables. They are made in one transaction.
            end_with(parent_id)
            prepare(config)
        finally:
            # Not the interpreter's way out, which would end what is this process's parent's.
            os._exit(0)
    os.waitpid(process_id, 0)


def _require_whole(config: ServerConfig) -> None:
    if (config.data / RESTORING).exists():
        hint = "run `python -m server restore` again: it begins anew"
        if config.database_url:
            # What `pg_restore` has done is in the database, and no try after it takes that back.
            hint += "; if it finds that the database is not empty, make another and name it with CHAINLOOP_DATABASE_URL"
        raise ConflictError(
            f"a restore into {config.data} was interrupted: only a part of the backup is there", hint=hint
        )
