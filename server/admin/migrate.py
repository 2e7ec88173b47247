"""`python -m server migrate`: the database brought to this server's schema, with a copy of what was before.

Each revision is one transaction (SQLite changes tables within transactions), so a process that is killed leaves one
schema or the next, never something between, and the same command goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from chainloop_ci.errors import ConflictError
from server.admin.backup_files import sync_folder
from server.admin.backup_progress import Progress
from server.admin.data_folder import open_existing
from server.admin.database_copy import copy_of
from server.admin.folder_lock import hold_folder
from server.config import ServerConfig
from server.store import schema
from server.store.database import Database, kind_of


@dataclass(frozen=True, slots=True)
class Migration:
    """What was done."""

    before: str | None
    """None: the database was empty."""
    after: str
    saved_to: Path | None
    """The database as it was before; None: there was nothing to change, or nothing to save."""


def migrate(config: ServerConfig, *, now: Callable[[], datetime], progress: Progress) -> Migration:
    """Bring the database to this server's version; what was there before is saved beside it first.

    With nothing to do it may run beside a server.

    Raises:
        ConfigInvalidError: there is no database.
        ConflictError: there is something to do and the folder or the database is being served, or a server started
            while the copy was made; then the copy stays, and is named.
        SchemaMismatchError: a newer server has been at work on it.
        StoreFullError: there is no space for the copy; nothing was changed.
    """
    database = open_existing(config)
    try:
        before, saved_to = schema.current_version(database.engine), None
        if before != schema.head_version():
            schema.require_known_version(before)
            with hold_folder(config, "migrating"):
                # Ours are not others'. From here on there is one of ours at a time.
                database.engine.dispose()
                _require_alone(config, database, None)
                # Another `migrate` may have been at work until just now.
                before = schema.current_version(database.engine)
                if before not in (None, schema.head_version()):
                    saved_to = _save(config, database, f"{before}-{now():%Y%m%dT%H%M%SZ}", progress)
                    # The copy may take minutes, in which a server of the old version finds nothing wrong and starts.
                    _require_alone(config, database, saved_to)
                schema.upgrade(database.engine)
    finally:
        database.engine.dispose()
    return Migration(before, schema.head_version(), saved_to)


def _require_alone(config: ServerConfig, database: Database, saved_to: Path | None) -> None:
    """Refuse while servers of other machines are at work: the lock of a folder says nothing of them.

    One that has no connection at this very moment is not seen: that they are stopped is the operator's part.
    """
    with database.read() as connection:
        others = kind_of(database.engine).count_others(connection)
    if others:
        hint = "stop them on every machine, then repeat"
        if saved_to:
            hint += f"; {saved_to}, a copy of the database as it was before, stays: remove it when you do not need it"
        raise ConflictError(
            f"the database {config.database_place} is in use: servers or dispatchers have {others} connections to it",
            hint=hint,
        )


def _save(config: ServerConfig, database: Database, name: str, progress: Progress) -> Path:
    """Copy the database to a file in the data folder that is there whole or not at all."""
    copier = copy_of(config, database)
    path = config.data / f"{config.database_path.stem}-{name}{Path(copier.name).suffix}"
    new = path.with_name(f".{path.name}")
    new.unlink(missing_ok=True)
    try:
        with copier.taken(new, progress):
            pass
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    sync_folder(config.data)
    return path
