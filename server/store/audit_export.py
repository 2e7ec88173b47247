"""Queries of an audit export: rows of the listed columns (`chainloop_ci.api.audit_export`), and of no others.

A page is read in one transaction, so a thing and its parts are of one moment. It ends early when it grows large.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, func, literal, or_, select, tuple_

from chainloop_ci.api.audit_export import COMMIT_VERDICTS, ExportKind, ExportTable
from server.model.deliveries import DeliveryState
from server.model.events import EventKind
from server.model.export_rules import ExportFilter, Position
from server.store.event_tables import deliveries, events
from server.store.export_filters import conditions_of, part_conditions, table_of
from server.store.inbound_tables import inbound_deliveries
from server.store.tables import attestations, run_materials, workflow_runs
from server.store.times import to_text

PAGE_BYTES = 4 * 1024 * 1024
"""About how much a page has; one thing may have more."""
_MATERIAL_BYTES = 1024
"""Of a material with the row of its artifact, about."""
_LAST_SECOND = 2**33
_ENDS: Mapping[str, ColumnElement[str]] = {
    "deliveries": deliveries.c.finished_at,
    "inbound_deliveries": inbound_deliveries.c.handled_at,
}
"""When a thing has ended of which no event tells; until then, and when it is done over again, it changes."""

Row = Mapping[str, Any]


def list_next(
    connection: Connection, kind: ExportKind, wanted: ExportFilter, position: Position, limit: int
) -> tuple[list[Row], bool]:
    """Return the next things of a kind in the order of their keys, and whether there are no more."""
    table = table_of(kind.root.name)
    columns = [table.c[name] for name in _order(kind.root)]
    behind = tuple_(*columns) > tuple_(*_place(kind.root, position)) if position != Position() else None
    conditions = [*conditions_of(table, wanted), *([] if behind is None else [behind])]
    conditions += _changed(table, position)
    query = select(*columns, _weight(table).label("weight")).where(*conditions).order_by(*columns).limit(limit + 1)
    weighed = connection.execute(query).all()
    taken = _fitting([row.weight for row in weighed[:limit]])
    if not taken:
        return [], True
    keys = [tuple(row)[:-1] for row in weighed[:taken]]
    found = connection.execute(_rows(kind.root).where(*conditions, _among(columns, keys)).order_by(*columns))
    return [dict(row._mapping) for row in found], taken == len(weighed)


def _order(table: ExportTable) -> tuple[str, ...]:
    return ("sequence",) if "sequence" in table.columns else table.key


def _place(table: ExportTable, position: Position) -> Sequence[object]:
    if len(table.key) == 2:
        return (position.text, position.number)
    return (position.number,) if "sequence" in table.columns else (position.text,)


def after(kind: ExportKind, row: Row) -> tuple[str, int]:
    """Return text and number of the position behind a thing."""
    if "sequence" in kind.root.columns:
        return "", row["sequence"]
    first, *rest = kind.root.key
    return row[first], row[rest[0]] if rest else 0


def _changed(table: Table, position: Position) -> Iterable[ColumnElement[bool]]:
    """Return which things that end a later export wants: new ones, those that wait, those that ended since."""
    ended_at = _ENDS.get(table.name)
    if ended_at is None or not position.settled:
        return ()
    since = to_text(datetime.fromtimestamp(max(0, min(position.since, _LAST_SECOND)), UTC))
    waits = deliveries.c.state == DeliveryState.PENDING.value if table is deliveries else ended_at.is_(None)
    return (or_(table.c.sequence > position.settled, waits, ended_at >= since),)


def _weight(table: Table) -> ColumnElement[int]:
    """Return about how many bytes a thing has."""
    if table is workflow_runs:
        bundle = select(func.length(attestations.c.bundle)).where(attestations.c.run_id == workflow_runs.c.id)
        materials = select(func.count() * _MATERIAL_BYTES).where(run_materials.c.run_id == workflow_runs.c.id)
        return func.coalesce(bundle.scalar_subquery(), 0) + materials.scalar_subquery()
    large = (table.c[name] for name in ("raw_body", "content", "facts", "findings") if name in table.c)
    return func.length(next(large, literal("")))


def _fitting(weights: Sequence[int]) -> int:
    """Return how many of these a page takes; one at least, when there is one."""
    sum_bytes = 0
    for at, weight in enumerate(weights):
        sum_bytes += weight
        if sum_bytes > PAGE_BYTES and at:
            return at
    return len(weights)


def _among(columns: Sequence[ColumnElement[Any]], keys: Sequence[tuple[Any, ...]]) -> ColumnElement[bool]:
    if len(columns) == 1:
        return columns[0].in_([key[0] for key in keys])
    return tuple_(*columns).in_(keys)


def _rows(table: ExportTable) -> Select[Any]:
    return select(*(table_of(table.name).c[name] for name in table.columns))


def newest_event(connection: Connection, organization_id: str) -> int:
    """Return the number of the organization's newest event; 0: there is none."""
    query = select(func.max(events.c.sequence)).where(events.c.organization_id == organization_id)
    return connection.execute(query).scalar() or 0


def list_told(
    connection: Connection, kind: ExportKind, wanted: ExportFilter, position: Position, limit: int
) -> tuple[list[Row], int, bool]:
    """Return the things of which events behind a position tell, the number of the last event, whether it is the last.

    What changes of a run or of a verdict is told by an event of the same transaction, and events become visible in
    their order.
    """
    told = _list_tellers(connection, kind, wanted.organization_id, position.number, limit)
    ids = list(dict.fromkeys(subject for _, subject in told[:limit]))
    table = table_of(kind.root.name)
    own = (*conditions_of(table, wanted), table.c.id.in_(ids))
    weights = {
        row.id: row.weight for row in connection.execute(select(table.c.id, _weight(table).label("weight")).where(*own))
    }
    taken = ids[: _fitting([weights.get(ident, 0) for ident in ids])]
    found = connection.execute(_rows(kind.root).where(*own, table.c.id.in_(taken)).order_by(table.c.id))
    covered = _covered(told[:limit], frozenset(taken))
    last = told[covered - 1][0] if covered else position.number
    return [dict(row._mapping) for row in found], last, covered == len(told)


def _covered(told: Sequence[tuple[int, str]], taken: frozenset[str]) -> int:
    return next((at for at, (_, subject) in enumerate(told) if subject not in taken), len(told))


def _list_tellers(
    connection: Connection, kind: ExportKind, organization_id: str, after: int, limit: int
) -> list[tuple[int, str]]:
    """Return events that tell of things of a kind, each with the thing's id; one more than `limit`."""
    own = (events.c.organization_id == organization_id, events.c.sequence > after)
    if kind is COMMIT_VERDICTS:
        query = select(events.c.sequence, events.c.subject).where(
            *own, events.c.kind == EventKind.VERDICT_CHANGED.value
        )
    else:
        query = select(events.c.sequence, events.c.run_id).where(*own, events.c.run_id.is_not(None))
    found = connection.execute(query.order_by(events.c.sequence).limit(limit + 1))
    return [(sequence, subject) for sequence, subject in found]


def list_parts(
    connection: Connection, kind: ExportKind, wanted: ExportFilter, roots: Sequence[Row]
) -> list[tuple[str, Row]]:
    """Return what belongs to these things: the table and the row of each."""
    found: list[tuple[str, Row]] = []
    for part in kind.parts if roots else ():
        table = table_of(part.name)
        own, of_root = kind.link(part)
        mine = table.c[own].in_([row[of_root] for row in roots])
        query = _rows(part).where(and_(*part_conditions(table, wanted)), mine)
        order = [table.c[name] for name in part.key]
        found += [(part.name, dict(row._mapping)) for row in connection.execute(query.order_by(*order))]
    return found
