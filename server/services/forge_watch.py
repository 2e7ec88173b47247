"""What others do with our statuses on a forge: overwrite them, or ask for them again (R40)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from sqlalchemy import Connection

from server.model.audit import SERVER_ACTOR, AuditAction, AuditRecord
from server.model.event_repository import repository_of
from server.model.events import Event, EventKind
from server.model.forged_statuses import MAX_CORRECTIONS, Author, ForgedStatus, SeenStatus
from server.model.roll_up import ROLL_UP_CONTEXT
from server.model.sources import StoredSource, status_context
from server.services.judging import Judge
from server.services.metrics_counters import FORGED_STATUSES
from server.store import audit, counters, events, forged_statuses, registrations, sources
from server.store.commit_verdicts import Commit

_ASKING = (EventKind.CHECK_REREQUESTED, EventKind.STATUS_CHECK_REQUESTED)
"""They want a verdict told again, changed or not: GitLab counts a check that is not answered as failed."""


class ForgeWatch:
    """A `Follow` of the fan-out."""

    def __init__(self, now: Callable[[], datetime], new_id: Callable[[], str], judge: Judge) -> None:
        self._now = now
        self._new_id = new_id
        self._judge = judge

    def __call__(self, connection: Connection, event: Event) -> None:
        """Answer what was seen or asked; other events are others' to follow."""
        if event.kind not in (EventKind.STATUS_SEEN, *_ASKING):
            return
        source = sources.find(connection, event.organization_id, str(event.facts.get("sourceId") or ""))
        if source is None:
            return
        if event.kind in _ASKING:
            self._tell_again(connection, source, event)
        elif (seen := SeenStatus.of(event.facts)) is not None:
            self._look_at(connection, source, event, seen)

    def _tell_again(self, connection: Connection, source: StoredSource, event: Event) -> None:
        """Judge anew and tell that; without the name of a check run everything that is said of the commit."""
        name, sha = event.facts.get("name"), str(event.facts.get("sha") or "")
        commit = Commit(source.id, source.organization_id, sha)
        self._judge.tell_again(connection, commit, None if name is None else str(name))

    def _look_at(self, connection: Connection, source: StoredSource, event: Event, seen: SeenStatus) -> None:
        if seen.context not in _own_contexts(connection, source) or not _is_foreign(connection, event, seen):
            return
        # A check run is seen with each of its states; it is one.
        if forged_statuses.note_state(connection, source.id, seen):
            return
        before = forged_statuses.count(connection, source.id, seen.sha, seen.context)
        counters.add(connection, source.organization_id, FORGED_STATUSES, seen.surface)
        # Once it was alerted, people know; whoever goes on need not fill the database.
        if before > MAX_CORRECTIONS:
            return
        self._write_down(connection, source, seen, is_corrected=before < MAX_CORRECTIONS)
        if before < MAX_CORRECTIONS:
            self._judge.tell_again(connection, Commit(source.id, source.organization_id, seen.sha), seen.context)

    def _write_down(
        self, connection: Connection, source: StoredSource, seen: SeenStatus, *, is_corrected: bool
    ) -> None:
        now = self._now()
        forged = ForgedStatus(
            organization_id=source.organization_id,
            source_id=source.id,
            sha=seen.sha,
            context=seen.context,
            surface=seen.surface,
            number=seen.number,
            state=seen.state,
            by=seen.by,
            at=now,
            is_corrected=is_corrected,
        )
        forged_statuses.add(connection, forged)
        facts = _facts(source, seen)
        record = AuditRecord(
            source.organization_id, now, SERVER_ACTOR, AuditAction.STATUS_FORGED, seen.context, _audited(source, seen)
        )
        audit.add(connection, record)
        kind = EventKind.STATUS_FORGED if is_corrected else EventKind.STATUS_CONTESTED
        events.add(connection, Event(self._new_id(), source.organization_id, kind, now, seen.context, facts=facts))


def _own_contexts(connection: Connection, source: StoredSource) -> set[str]:
    """Return the names under which this organization tells verdicts there; another one's are not its to watch."""
    named = {status_context(project, name) for _, project, name in sources.names_from(connection, source)}
    return {*named, ROLL_UP_CONTEXT} if named else set()


def _is_foreign(connection: Connection, event: Event, seen: SeenStatus) -> bool:
    """Tell whether nobody who writes for us there has written it; False where it is not known who that is."""
    place = repository_of(event)
    listed = registrations.list_speakers(connection, event.organization_id, place) if place else frozenset()
    found = (registrations.find(connection, event.organization_id, ident) for ident in listed)
    authors = [author for each in found if each is not None and (author := Author.of(each)) is not None]
    return bool(authors) and not any(author.wrote(seen) for author in authors)


def _facts(source: StoredSource, seen: SeenStatus) -> dict[str, object]:
    named = {"host": source.address.host, "id": source.repository_id, "name": source.address.repository}
    return {
        "sourceId": source.id,
        "repository": {"kind": source.address.kind.value, **{name: value for name, value in named.items() if value}},
        **{name: getattr(seen, name) for name in ("surface", "sha", "context", "state", "by") if getattr(seen, name)},
    }


def _audited(source: StoredSource, seen: SeenStatus) -> Mapping[str, object]:
    return {
        "source": str(source.address),
        "commit": seen.sha,
        "surface": seen.surface,
        "state": seen.state,
        "by": seen.by,
        "number": seen.number,
    }
