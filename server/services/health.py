"""Whether the server can work at present (R8: `/readyz` says why not, and recovers by itself)."""

from __future__ import annotations

import shutil
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from chainloop_ci.errors import ChainloopError, Finding
from server.store import schema
from server.store.database import Database


class Health:
    """Asks the database and the disk, on every request: no restart is needed to recover."""

    def __init__(self, database: Database, data: Path, min_free_bytes: int) -> None:
        self._database = database
        self._data = data
        self._min_free_bytes = min_free_bytes

    def findings(self) -> tuple[Finding, ...]:
        """Return everything that keeps the server from serving and storing; none: it is ready."""
        return (*self._database_findings(), *self._disk_findings())

    def _database_findings(self) -> tuple[Finding, ...]:
        try:
            found = schema.current_version(self._database.engine)
        except (ChainloopError, SQLAlchemyError):
            return (Finding("database-unreachable", "the database does not answer", hint="see the server's log"),)
        expected = schema.head_version()
        if found == expected:
            return ()
        message = f"the database has schema {found or 'none'}, this server needs {expected}"
        return (Finding("schema-mismatch", message, hint="run `python -m server migrate`"),)

    def _disk_findings(self) -> tuple[Finding, ...]:
        try:
            free = shutil.disk_usage(self._data).free
        except OSError as error:
            message = f"the data folder cannot be read: {error.strerror}"
            return (Finding("data-folder-unreadable", message, hint="check CHAINLOOP_DATA"),)
        if free >= self._min_free_bytes:
            return ()
        message = f"{free} bytes are free on the disk of the data folder, at least {self._min_free_bytes} are wanted"
        return (Finding("disk-nearly-full", message, hint="free space, or lower CHAINLOOP_MIN_FREE_BYTES"),)
