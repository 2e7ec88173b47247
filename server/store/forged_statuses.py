"""Queries of statuses under our names that somebody else wrote."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, func, insert, select, update

from server.model.forged_statuses import ForgedStatus, SeenStatus
from server.store.forge_tables import forged_statuses
from server.store.source_tables import sources
from server.store.tables import organizations
from server.store.times import to_text

_COLUMNS = forged_statuses.c
_PLAIN = (
    "organization_id",
    "source_id",
    "sha",
    "context",
    "surface",
    "number",
    "state",
    "by",
    "is_corrected",
)


def add(connection: Connection, forged: ForgedStatus) -> None:
    """Write down a forged status."""
    values = {name: getattr(forged, name) for name in _PLAIN}
    connection.execute(insert(forged_statuses).values(**values, at=to_text(forged.at)))


def note_state(connection: Connection, source_id: str, seen: SeenStatus) -> bool:
    """Write the state that a known one has now; False: it is not known."""
    own = {"source_id": source_id, **{name: getattr(seen, name) for name in ("sha", "context", "surface", "number")}}
    known = update(forged_statuses).where(*(_COLUMNS[name] == value for name, value in own.items()))
    return bool(connection.execute(known.values(state=seen.state)).rowcount)


def count(connection: Connection, source_id: str, sha: str, context: str) -> int:
    """Return how often a context of a commit was forged."""
    own = (_COLUMNS.source_id == source_id, _COLUMNS.sha == sha, _COLUMNS.context == context)
    return int(connection.execute(select(func.count()).select_from(forged_statuses).where(*own)).scalar_one())


def list_contested(connection: Connection, since: datetime) -> list[tuple[str, str, str, str, str]]:
    """Return organization, repository, commit, context and author of what is not corrected any more, newest first."""
    query = (
        select(organizations.c.name, sources.c.repository, _COLUMNS.sha, _COLUMNS.context, _COLUMNS.by)
        .join(organizations, organizations.c.id == _COLUMNS.organization_id)
        .join(sources, sources.c.id == _COLUMNS.source_id)
        .where(~_COLUMNS.is_corrected, _COLUMNS.at >= to_text(since))
        .order_by(_COLUMNS.at.desc())
    )
    return [(row[0], row[1], row[2], row[3], row[4]) for row in connection.execute(query)]


def count_of_repositories(
    connection: Connection, organization_id: str, since: datetime
) -> dict[tuple[str, str | None], int]:
    """Return how many statuses were forged since then in the organization's repositories, by host and number."""
    query = (
        select(sources.c.host, sources.c.repository_id, func.count())
        .join(sources, sources.c.id == _COLUMNS.source_id)
        .where(_COLUMNS.organization_id == organization_id, _COLUMNS.at >= to_text(since))
        .group_by(sources.c.host, sources.c.repository_id)
    )
    return {(row[0], row[1]): row[2] for row in connection.execute(query)}
