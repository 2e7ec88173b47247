"""Whether the server can work at present (R8: `/readyz` says why not, and recovers by itself)."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from chainloop_ci.errors import ChainloopError, Finding
from server.services.sweep_log import SweepLog
from server.store import schema
from server.store.database import Database


@dataclass(frozen=True, slots=True)
class Condition:
    """How the server is."""

    findings: tuple[Finding, ...] = ()
    """What keeps it from serving and storing."""
    warnings: tuple[Finding, ...] = ()
    """What does not, and is to be looked after: sweeps that are late."""
    free_bytes: int | None = None
    """On the disk of the data folder; None: nobody can tell."""

    @property
    def is_ready(self) -> bool:
        """Tell whether requests can be served and stored."""
        return not self.findings


class Health:
    """Asks the database and the disk, on every request: no restart is needed to recover."""

    def __init__(self, database: Database, data: Path, min_free_bytes: int, sweep_log: SweepLog) -> None:
        self._database = database
        self._data = data
        self._min_free_bytes = min_free_bytes
        self._sweep_log = sweep_log

    def look(self) -> Condition:
        """Return how the server is."""
        database = self._database_findings()
        free_bytes, disk = self._disk()
        # Without the database nobody knows of sweeps, and that is said already.
        warnings = () if database else self._sweep_findings()
        return Condition((*database, *disk), warnings, free_bytes)

    def findings(self) -> tuple[Finding, ...]:
        """Return everything that keeps the server from serving and storing; none: it is ready."""
        return self.look().findings

    def _database_findings(self) -> tuple[Finding, ...]:
        try:
            found = schema.current_version(self._database.engine)
        except (ChainloopError, SQLAlchemyError):
            return (_UNREACHABLE,)
        expected = schema.head_version()
        if found == expected:
            return ()
        message = f"the database has schema {found or 'none'}, this server needs {expected}"
        return (Finding("schema-mismatch", message, hint="run `python -m server migrate`"),)

    def _disk(self) -> tuple[int | None, tuple[Finding, ...]]:
        try:
            free = shutil.disk_usage(self._data).free
        except OSError as error:
            message = f"the data folder cannot be read: {error.strerror}"
            return None, (Finding("data-folder-unreadable", message, hint="check CHAINLOOP_DATA"),)
        if free >= self._min_free_bytes:
            return free, ()
        message = f"{free} bytes are free on the disk of the data folder, at least {self._min_free_bytes} are wanted"
        return free, (Finding("disk-nearly-full", message, hint="free space, or lower CHAINLOOP_MIN_FREE_BYTES"),)

    def _sweep_findings(self) -> tuple[Finding, ...]:
        try:
            return self._sweep_log.findings()
        except (ChainloopError, SQLAlchemyError):
            return (_UNREACHABLE,)


_UNREACHABLE = Finding("database-unreachable", "the database does not answer", hint="see the server's log")
