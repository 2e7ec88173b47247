"""Queries of dates that have passed, and of who was told of new requirements (R38)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, exists, insert, select, text, tuple_, update

from server.model.notices import EnforcedRevision, Notice
from server.store.tables import contract_notices, contract_revisions, contracts
from server.store.times import from_text, to_text

_REVISIONS = contract_revisions.c
# As literal text: only so does SQLite see that the partial index fits.
_UNNOTICED = text("contract_revisions.enforcement_noticed_at IS NULL")


def list_told(connection: Connection, organization_id: str, contract_id: str, revision: int) -> set[str]:
    """Return the ids of the workflows whose team was told of a revision."""
    told = contract_notices.c
    own = (told.organization_id == organization_id, told.contract_id == contract_id, told.revision == revision)
    return set(connection.execute(select(told.workflow_id).where(*own)).scalars())


def add(connection: Connection, notices: Collection[Notice], now: datetime) -> None:
    """Write down that these teams are told; the caller has read who was, in the same write transaction."""
    rows = [
        {
            "organization_id": item.organization_id,
            "contract_id": item.contract_id,
            "revision": item.revision,
            "workflow_id": item.workflow_id,
            "told_at": to_text(now),
        }
        for item in notices
    ]
    if rows:
        connection.execute(insert(contract_notices), rows)


def find_waiting(
    connection: Connection, organization_id: str, contract_id: str, revision: int, now: datetime
) -> EnforcedRevision | None:
    """Return a revision whose date is still to come, or None; also None: a newer one has overtaken it."""
    own = (_REVISIONS.organization_id == organization_id, _REVISIONS.contract_id == contract_id)
    query = _waiting(now).where(*own, _REVISIONS.revision == revision)
    row = connection.execute(query).first()
    return _revision(row) if row else None


def list_waiting(
    connection: Connection, now: datetime, *, after: tuple[str, int], limit: int
) -> list[EnforcedRevision]:
    """Return revisions of all organizations whose date is still to come and counts, by contract and number."""
    order = (_REVISIONS.contract_id, _REVISIONS.revision)
    query = _waiting(now).where(_UNNOTICED, tuple_(*order) > tuple_(*after)).order_by(*order).limit(limit)
    return [_revision(row) for row in connection.execute(query)]


def _waiting(now: datetime) -> Select[Any]:
    # One that a newer one overtakes asks nothing of anybody: no run is ever held to it.
    return _revisions().where(_REVISIONS.enforced_from > to_text(now), ~_is_overtaken(by=_REVISIONS.enforced_from))


def _revisions(*more: ColumnElement[Any]) -> Select[Any]:
    """Select what `_revision` reads, and more."""
    own = (_REVISIONS.organization_id, _REVISIONS.contract_id, contracts.c.name, _REVISIONS.revision)
    query = select(*own, _REVISIONS.enforced_from, *more)
    return query.join(contracts, contracts.c.id == _REVISIONS.contract_id)


def _is_overtaken(*, by: ColumnElement[Any] | str) -> ColumnElement[bool]:
    """Tell whether a newer revision of the same contract is enforced at a moment or before."""
    newer = contract_revisions.alias("newer")
    return exists().where(
        newer.c.contract_id == _REVISIONS.contract_id,
        newer.c.revision > _REVISIONS.revision,
        newer.c.enforced_from <= by,
    )


def _revision(row: Row[Any]) -> EnforcedRevision:
    return EnforcedRevision(row.organization_id, row.contract_id, row.name, row.revision, from_text(row.enforced_from))


def list_passed(connection: Connection, now: datetime, *, limit: int) -> list[tuple[EnforcedRevision, bool]]:
    """Return revisions of all organizations whose date has passed and nobody has noticed it, the oldest date first.

    Each comes with whether a newer one of its contract is enforced already: then nobody is held to it.
    """
    query = (
        _revisions(_is_overtaken(by=to_text(now)).label("is_overtaken"))
        .where(_UNNOTICED, _REVISIONS.enforced_from <= to_text(now))
        .order_by(_REVISIONS.enforced_from)
        .limit(limit)
    )
    return [(_revision(row), bool(row.is_overtaken)) for row in connection.execute(query)]


def save_noticed(connection: Connection, revision: EnforcedRevision, now: datetime) -> None:
    """Write down that it was noticed that the date of a revision has passed."""
    own = (_REVISIONS.organization_id == revision.organization_id, _REVISIONS.contract_id == revision.contract_id)
    query = update(contract_revisions).where(*own, _REVISIONS.revision == revision.revision)
    connection.execute(query.values(enforcement_noticed_at=to_text(now)))
