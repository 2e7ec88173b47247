"""Who is at which sweep, and what came of it: the lease by which several dispatchers may run at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from chainloop_ci.errors import Finding
from server.model.sweeps import INTERVALS, LEASE, SweepOutcome, SweepState, find_late
from server.store import sweeps
from server.store.database import Database


class SweepLog:
    """The rows of `sweeps`."""

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime],
        intervals: Mapping[str, timedelta] = INTERVALS,
        *,
        patient_until: datetime | None = None,
    ) -> None:
        """Until `patient_until` no sweep is called late: the dispatcher of a server that starts gets time for it."""
        self._database = database
        self._now = now
        self._intervals = intervals
        self._patient_until = patient_until

    def claim(self, name: str, holder: str, *, only_due: bool = True) -> bool:
        """Take a sweep that is due, or any that is free; tell whether it is `holder`'s now."""
        now = self._now()
        with self._database.read() as connection:
            # Most often nothing is due: that must not hold up writers.
            if not self._may_claim(sweeps.find(connection, name), name, now, only_due=only_due):
                return False
        with self._database.write() as connection:
            found = sweeps.find(connection, name)
            if not self._may_claim(found, name, now, only_due=only_due):
                return False
            sweeps.save(connection, (found or SweepState(name, now)).started(holder, now))
        return True

    def renew(self, name: str, holder: str) -> bool:
        """Prolong the lease of a sweep that goes on; False: another dispatcher has taken it, stop."""
        with self._database.write() as connection:
            found = sweeps.find(connection, name)
            if found is None or found.holder != holder:
                return False
            sweeps.save(connection, replace(found, held_until=self._now() + LEASE))
        return True

    def finish(self, name: str, holder: str, outcome: SweepOutcome, detail: Mapping[str, object]) -> None:
        """Write down how a sweep ended, unless another dispatcher has taken it meanwhile."""
        with self._database.write() as connection:
            found = sweeps.find(connection, name)
            if found is not None and found.holder == holder:
                sweeps.save(connection, found.finished(outcome, detail, self._now()))

    def findings(self) -> tuple[Finding, ...]:
        """Return what is wrong with the sweeps: never done, or not for a long time."""
        now = self._now()
        if self._patient_until and now < self._patient_until:
            return ()
        with self._database.read() as connection:
            states = sweeps.list_all(connection)
        return tuple(find_late(states, self._intervals, now))

    def _may_claim(self, found: SweepState | None, name: str, now: datetime, *, only_due: bool) -> bool:
        if found is None:
            return True
        return found.is_due(self._intervals[name], now) if only_due else found.is_free(now)
