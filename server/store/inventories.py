"""Queries of the lists of repositories: kept page by page, read as what no workflow comes from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, delete, exists, func, insert, select, tuple_

from chainloop_ci.api.source_address import SourceAddress, SourceKind
from server.model.integrations import StoredRegistration
from server.model.inventories import ForgeRepository, Inventory, InventoryFacts, Uncovered
from server.model.paging import Key
from server.store.event_tables import registrations
from server.store.inventory_tables import forge_repositories, inventories
from server.store.source_tables import sources, workflow_sources
from server.store.times import from_text, optional_text, optional_time, to_text

_PLAIN = ("registration_id", "organization_id", "host", "pages", "finding", "is_complete")
_LISTED = forge_repositories.c


def find(connection: Connection, registration: StoredRegistration) -> Inventory | None:
    """Return how far the list of a registration is, or None."""
    row = connection.execute(select(inventories).where(*_of(inventories, registration))).first()
    return _record(row) if row else None


def save(connection: Connection, inventory: Inventory) -> None:
    """Write how far a list is, in the place of what was known."""
    columns = inventories.c
    own = (columns.registration_id == inventory.registration_id, columns.organization_id == inventory.organization_id)
    connection.execute(delete(inventories).where(*own))
    connection.execute(
        insert(inventories).values(
            **{name: getattr(inventory, name) for name in _PLAIN},
            begun_at=optional_text(inventory.begun_at),
            next_page=inventory.after,
            tried_at=optional_text(inventory.tried_at),
            listed_at=optional_text(inventory.listed_at),
        )
    )


def forget(connection: Connection, registration: StoredRegistration) -> None:
    """Delete everything that was listed with the credentials of a registration."""
    for table in (forge_repositories, inventories):
        connection.execute(delete(table).where(*_of(table, registration)))


def put(
    connection: Connection, registration: StoredRegistration, found: Sequence[ForgeRepository], seen_at: datetime
) -> None:
    """Write repositories of one page, in the place of what was known of them; `seen_at`: when the list was begun."""
    by_id = {item.repository_id: item for item in found}
    if not by_id:
        return
    own = (*_of(forge_repositories, registration), _LISTED.repository_id.in_(list(by_id)))
    known = connection.execute(select(_LISTED.repository_id, _LISTED.first_seen_at).where(*own))
    first_seen = {row.repository_id: row.first_seen_at for row in known}
    connection.execute(delete(forge_repositories).where(*own))
    text, kind = to_text(seen_at), SourceKind(registration.kind)
    rows = [
        {
            "registration_id": registration.id,
            "organization_id": registration.organization_id,
            "host": registration.host,
            "repository_id": item.repository_id,
            "name": item.name,
            "address_key": SourceAddress(kind, registration.host, item.name).key,
            "is_archived": item.is_archived,
            "is_fork": item.is_fork,
            "first_seen_at": first_seen.get(item.repository_id, text),
            "seen_at": text,
        }
        for item in by_id.values()
    ]
    connection.execute(insert(forge_repositories), rows)


def forget_unseen(connection: Connection, registration: StoredRegistration, before: datetime) -> int:
    """Delete repositories that a whole list, begun at `before`, does not have any more; return how many."""
    gone = delete(forge_repositories).where(*_of(forge_repositories, registration), _LISTED.seen_at < to_text(before))
    return connection.execute(gone).rowcount


def list_facts(connection: Connection, organization_id: str, kinds: Sequence[str]) -> list[InventoryFacts]:
    """Return the organization's registrations of kinds that list repositories, by name, with what came of it."""
    counted = select(func.count()).where(
        _LISTED.organization_id == organization_id, _LISTED.registration_id == registrations.c.id
    )
    of = registrations.c
    query = (
        select(of.id, of.name, of.kind, of.host.label("own_host"), counted.scalar_subquery().label("repositories"))
        .add_columns(inventories)
        .outerjoin(inventories, inventories.c.registration_id == of.id)
        .where(of.organization_id == organization_id, of.removed_at.is_(None), of.kind.in_(list(kinds)))
        .order_by(of.name, of.id)
    )
    return [
        InventoryFacts(
            registration_id=row.id,
            registration=row.name,
            kind=row.kind,
            host=row.own_host,
            inventory=_record(row) if row.registration_id else None,
            repositories=row.repositories,
        )
        for row in connection.execute(query)
    ]


def list_uncovered(connection: Connection, organization_id: str, *, after: Key | None, limit: int) -> list[Uncovered]:
    """Return repositories that no workflow of the organization comes from; `after`: address key and number."""
    order = (_LISTED.address_key, _LISTED.repository_id)
    query = _uncovered(organization_id)
    if after:
        query = query.where(tuple_(*order) > tuple_(*after))
    return [_to_uncovered(row) for row in connection.execute(query.order_by(*order).limit(limit))]


def count_uncovered(connection: Connection, organization_id: str, *, limit: int) -> dict[tuple[bool, bool], int]:
    """Return how many there are, by whether they are archived and whether they are forks; no more than `limit`."""
    some = _uncovered(organization_id).limit(limit).subquery()
    marks = (some.c.is_archived, some.c.is_fork)
    found = connection.execute(select(*marks, func.count()).group_by(*marks))
    return {(bool(row[0]), bool(row[1])): int(row[2]) for row in found}


def _uncovered(organization_id: str) -> Select[Any]:
    other = forge_repositories.alias("other")
    # What two credentials show is one repository.
    is_shown_already = exists().where(
        other.c.organization_id == organization_id,
        other.c.address_key == _LISTED.address_key,
        other.c.repository_id == _LISTED.repository_id,
        other.c.registration_id < _LISTED.registration_id,
    )
    return (
        select(forge_repositories, registrations.c.kind, registrations.c.name.label("registration"))
        .join(registrations, registrations.c.id == _LISTED.registration_id)
        .where(
            _LISTED.organization_id == organization_id,
            ~_has_workflow(
                organization_id, sources.c.repository_id == _LISTED.repository_id, sources.c.host == _LISTED.host
            ),
            # Of a source that no registration lists, the forge has not told the number.
            ~_has_workflow(
                organization_id, sources.c.address_key == _LISTED.address_key, sources.c.repository_id.is_(None)
            ),
            ~is_shown_already,
        )
    )


def _has_workflow(organization_id: str, *is_it: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(
        sources.c.organization_id == organization_id,
        sources.c.kind == registrations.c.kind,
        workflow_sources.c.source_id == sources.c.id,
        *is_it,
    )


def _of(table: Any, registration: StoredRegistration) -> tuple[ColumnElement[bool], ...]:
    return (
        table.c.registration_id == registration.id,
        table.c.organization_id == registration.organization_id,
    )


def _record(row: Row[Any]) -> Inventory:
    return Inventory(
        **{name: getattr(row, name) for name in _PLAIN},
        begun_at=optional_time(row.begun_at),
        after=row.next_page,
        tried_at=optional_time(row.tried_at),
        listed_at=optional_time(row.listed_at),
    )


def _to_uncovered(row: Row[Any]) -> Uncovered:
    return Uncovered(
        kind=row.kind,
        host=row.host,
        repository=ForgeRepository(row.repository_id, row.name, row.is_archived, row.is_fork),
        registration_id=row.registration_id,
        registration=row.registration,
        first_seen_at=from_text(row.first_seen_at),
        seen_at=from_text(row.seen_at),
    )
