"""End the runs whose time is over (R15). Reads and stores take them for expired before that already."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from server.services.run_events import end_run
from server.store import counters, runs
from server.store.database import Database

RUNS_EXPIRED = "runs_expired"
"""Counter of an organization's runs that a sweep has ended."""
BATCH = 100
"""Runs that are ended in one transaction: others wait for the database meanwhile."""


class RunExpiry:
    """The use case of the sweep."""

    def __init__(
        self, database: Database, now: Callable[[], datetime], new_id: Callable[[], str], *, batch: int = BATCH
    ) -> None:
        self._database = database
        self._now = now
        self._new_id = new_id
        self._batch = batch

    def expire_some(self) -> int:
        """End at most one batch of overdue runs, the longest overdue first, and return how many there were.

        Each is counted as any other that ends: its duration, and its organization's counter, in the same transaction.
        """
        now = self._now()
        with self._database.read() as connection:
            # Nothing to do must not cost others the write lock.
            if not runs.list_overdue(connection, now, limit=1):
                return 0
        with self._database.write() as connection:
            overdue = runs.list_overdue(connection, now, limit=self._batch)
            for run in overdue:
                end_run(connection, run.expired(now), now, self._new_id)
                counters.add(connection, run.organization_id, RUNS_EXPIRED)
        return len(overdue)
