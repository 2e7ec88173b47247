"""What nobody does and yet happens: a contract revision becomes enforced, a decision of an operator ends (R38, R39).

Init, store and lists go by the clock already; here it becomes an event, by which commits are judged anew.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.attestation.times import render_time
from server.model.events import Event, EventKind
from server.model.notices import EnforcedRevision
from server.model.overrides import override_event
from server.services.notices import notice_passed
from server.services.overrides import end_lapsed
from server.store import events, notices, overrides
from server.store.database import Database

BATCH = 100
"""Dates of one transaction: others wait for the database meanwhile."""


class PassedDates:
    """The use case of the sweep."""

    def __init__(
        self, database: Database, now: Callable[[], datetime], new_id: Callable[[], str], *, batch: int = BATCH
    ) -> None:
        self._database = database
        self._now = now
        self._new_id = new_id
        self._batch = batch

    def notice_some(self) -> int:
        """Write down at most one batch of each kind of date that has passed, and return how many there were."""
        with self._database.read() as connection:
            # Nothing to do must not cost others the write lock.
            if not _has_passed(connection, self._now()):
                return 0
        with self._database.write() as connection:
            now = self._now()
            enforced = notice_passed(connection, now, limit=self._batch)
            lapsed = end_lapsed(connection, now, limit=self._batch)
            happened = [self._enforced(revision, now) for revision in enforced]
            happened += [override_event(self._new_id(), item, EventKind.OVERRIDE_ENDED, now) for item in lapsed]
            if happened:
                events.add(connection, *happened)
        return len(happened)

    def _enforced(self, revision: EnforcedRevision, now: datetime) -> Event:
        return Event(
            id=self._new_id(),
            organization_id=revision.organization_id,
            kind=EventKind.CONTRACT_ENFORCED,
            at=now,
            subject=revision.contract_id,
            facts={
                "name": revision.contract,
                "revision": revision.revision,
                "enforcedFrom": render_time(revision.enforced_from),
            },
        )


def _has_passed(connection: Connection, now: datetime) -> bool:
    return bool(notices.list_passed(connection, now, limit=1) or overrides.list_lapsed(connection, now, limit=1))
