"""Tell teams once what a contract revision will ask of them, long enough before its date (R38)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

import structlog
from sqlalchemy import Connection

from chainloop_ci.errors import ChainloopError
from server.model.announcements import Announcement, group
from server.model.events import Event, EventKind
from server.model.notices import EnforcedRevision, Notice
from server.services.notices import find_untold, mark_told
from server.store import events, notices, sources
from server.store.database import Database

PAGE = 100
"""Revisions that are looked at in one transaction."""

_log = structlog.get_logger("server.dispatcher")


class Announcer:
    """A `Follow` of the fan-out, and what it leaves to be done afterwards: judging attestations takes a while."""

    def __init__(self, database: Database, now: Callable[[], datetime], new_id: Callable[[], str]) -> None:
        self._database = database
        self._now = now
        self._new_id = new_id
        self._lock = threading.Lock()
        self._asked: list[tuple[str, str, int]] = []

    def follow(self, connection: Connection, event: Event) -> None:
        """Note that a contract has a new revision, or another date; a dispatcher that dies leaves it to the sweep."""
        revision = event.facts.get("revision")
        if event.kind is EventKind.CONTRACT_REVISED and isinstance(revision, int):
            with self._lock:
                self._asked.append((event.organization_id, event.subject, revision))

    def announce_due(self) -> int:
        """Tell of what was noted since the last call; return how many announcements that were."""
        with self._lock:
            asked, self._asked = self._asked, []
        with self._database.read() as connection:
            waiting = [item for each in asked if (item := notices.find_waiting(connection, *each, self._now()))]
        return sum(map(self.announce, waiting))

    def announce_all(self) -> Iterator[Mapping[str, int]]:
        """Tell of every revision that waits for its date: a workflow may have attested for the first time since."""
        after: tuple[str, int] = ("", 0)
        while True:
            with self._database.read() as connection:
                waiting = notices.list_waiting(connection, self._now(), after=after, limit=PAGE)
            if not waiting:
                return
            for revision in waiting:
                yield {"announcements": self.announce(revision)}
            after = (waiting[-1].contract_id, waiting[-1].revision)

    def announce(self, revision: EnforcedRevision) -> int:
        """Tell of one revision whoever was not told yet; return how many announcements that were."""
        owner = revision.organization_id
        try:
            with self._database.read() as connection:
                found = find_untold(connection, owner, revision.contract_id, revision.revision)
        except ChainloopError as error:
            # A contract that only a newer server can read, or that is gone: the others are told.
            _log.warning("not-announced", contract=revision.contract, error=error.code, reason=error.message)
            return 0
        if not found:
            return 0
        with self._database.write() as connection:
            told = mark_told(connection, found, self._now())
            bound = ((item.workflow_id, sources.find_of_workflow(connection, owner, item.workflow_id)) for item in told)
            places = {workflow_id: each.source for workflow_id, each in bound if each is not None}
            happened = [self._event(owner, *announced) for announced in group(told, places)]
            if happened:
                events.add(connection, *happened)
        return len(happened)

    def _event(self, organization_id: str, announced: Announcement, of: Sequence[Notice]) -> Event:
        projects, workflows = ({item.project_id for item in of}, [item.workflow_id for item in of])
        return Event(
            id=self._new_id(),
            organization_id=organization_id,
            kind=EventKind.CONTRACT_ANNOUNCED,
            at=self._now(),
            subject=announced.contract_id,
            # So that whoever is attached to a project or a workflow alone hears of it too.
            project_id=projects.pop() if len(projects) == 1 else None,
            workflow_id=workflows[0] if len(workflows) == 1 else None,
            facts=announced.to_facts(),
        )
