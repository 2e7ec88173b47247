"""What has drifted from what operators asked for, as one list: kind after kind, each in an order of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.api.drift import DriftItem
from chainloop_ci.api.paging import Page
from chainloop_ci.errors import NotFoundError
from server.model.drift import DriftKind, of_commit, of_override, of_workflow
from server.model.paging import Key, Paging, bind
from server.model.principal import Principal, Reach
from server.store import drift, projects
from server.store.database import Database
from server.store.times import to_text

_KINDS = tuple(DriftKind)
_Found = tuple[Key, DriftItem]
"""An entry behind its place in the list: number of the kind, and the key within it."""


class Drift:
    """The use case."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def list(self, principal: Principal, kind: str | None, project: str | None, paging: Paging) -> Page[DriftItem]:
        """Return what has drifted within the token's scope; of one kind, or of all.

        Raises:
            NotFoundError: there is no project of that name.
            NotAllowedError: it lies outside the token's scope.
        """
        binding = bind("drift", principal.organization_id, reach=principal.reach, kind=kind, project=project)
        after = paging.after(binding, (0, "", ""))
        with self._database.read() as connection:
            reach = _narrow(connection, principal, project)
            wanted = (DriftKind(kind),) if kind else _KINDS
            found = _read(connection, wanted, reach, self._now(), after, paging.limit + 1)
        page = paging.page(found, binding, lambda entry: entry[0])
        return Page(tuple(item for _, item in page.items), page.next_cursor)


def count_all(connection: Connection, reach: Reach, now: datetime, *, limit: int) -> dict[DriftKind, int]:
    """Return how much of each kind there is within reach; `limit` stands for so much or more."""
    return {kind: drift.count(connection, kind, reach, now, limit=limit) for kind in _KINDS}


def _narrow(connection: Connection, principal: Principal, project: str | None) -> Reach:
    if project is None:
        return principal.reach
    found = projects.find_by_name(connection, principal.organization_id, project)
    if found is None:
        raise NotFoundError(f"there is no project {project[:63]!r}", hint="`chainloop workflow list` names projects")
    if principal.workflow_id is None:
        principal.require_reach(project_id=found.id)
    return replace(principal.reach, project_id=found.id)


def _read(
    connection: Connection, wanted: Sequence[DriftKind], reach: Reach, now: datetime, after: Key | None, limit: int
) -> list[_Found]:
    found: list[_Found] = []
    start = int(after[0]) if after else 0
    for number, kind in enumerate(_KINDS):
        if kind in wanted and number >= start and len(found) < limit:
            behind = after[1:] if after and number == start else None
            found += _read_kind(connection, kind, number, reach, now, behind, limit - len(found))
    return found


def _read_kind(
    connection: Connection, kind: DriftKind, number: int, reach: Reach, now: datetime, after: Key | None, limit: int
) -> list[_Found]:
    if kind is DriftKind.UNATTESTED:
        commits = drift.list_commits(connection, reach, now, after=after, limit=limit)
        return [((number, to_text(item.since), item.verdict_id), of_commit(item)) for item in commits]
    if kind is DriftKind.OVERRIDE:
        decided = drift.list_overrides(connection, reach, now, after=after, limit=limit)
        return [((number, to_text(item.set_at), item.id), of_override(item)) for item in decided]
    found = drift.list_workflows(connection, kind, reach, now, after=after, limit=limit)
    return [((number, to_text(item.created_at), item.id), of_workflow(kind, item, now)) for item in found]
