"""Forget the shared states of runs that nobody goes on with any more (R16)."""

from __future__ import annotations

from datetime import datetime

from server.store import run_states
from server.store.database import Database

BATCH = 100
"""States that are removed in one transaction: others wait for the database meanwhile."""


class StateSweep:
    """The use case of the sweep."""

    def __init__(self, database: Database, *, batch: int = BATCH) -> None:
        self._database = database
        self._batch = batch

    def forget_some(self, before: datetime) -> int:
        """Forget at most one batch of states whose run ended before `before`, and return how many there were.

        Until then a later attempt of the CI run can open the successor of its run, which begins with its state; what
        the run uploaded is kept as long.
        """
        with self._database.read() as connection:
            # Nothing to do must not cost others the write lock.
            if not run_states.list_forgettable(connection, before, limit=1):
                return 0
        with self._database.write() as connection:
            found = run_states.list_forgettable(connection, before, limit=self._batch)
            run_states.remove(connection, found)
        return len(found)
