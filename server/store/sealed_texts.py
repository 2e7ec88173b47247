"""Queries of everything that is sealed, of all organizations: what is sealed anew when the key changes (R44)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, func, or_, select, update

from server.store.event_tables import registrations
from server.store.source_tables import sources

_NAME_ENDS = len("sb1:") + 16
"""Where the name of the key ends in a sealed text (`server.secret_box`)."""


@dataclass(frozen=True, slots=True)
class SealedRow:
    """A row that holds sealed texts."""

    id: str
    organization_id: str
    host: str
    """Base URL that they are sealed for."""
    texts: dict[str, str]
    """By the name of the column; those that are there."""


@dataclass(frozen=True, slots=True)
class SealedColumns:
    """Where a table holds sealed texts."""

    table: Any
    names: tuple[str, ...]

    @property
    def columns(self) -> list[Column[Any]]:
        """Return the columns."""
        return [self.table.c[name] for name in self.names]


REGISTRATIONS = SealedColumns(registrations, ("sealed",))
SOURCES = SealedColumns(sources, ("hook_secret", "previous_hook_secret"))
EVERY: Sequence[SealedColumns] = (REGISTRATIONS, SOURCES)


def list_rows(connection: Connection, where: SealedColumns, *, after: str, limit: int) -> list[SealedRow]:
    """Return rows with sealed texts, by id."""
    own = where.table.c
    query = select(own.id, own.organization_id, own.host, *where.columns)
    query = query.where(or_(*(column.is_not(None) for column in where.columns)), own.id > after)
    return [
        SealedRow(
            row.id,
            row.organization_id,
            row.host,
            {name: getattr(row, name) for name in where.names if getattr(row, name) is not None},
        )
        for row in connection.execute(query.order_by(own.id).limit(limit))
    ]


def save(connection: Connection, where: SealedColumns, row: SealedRow, texts: dict[str, str]) -> None:
    """Write sealed texts of a row in the place of those that it has."""
    own = (where.table.c.id == row.id, where.table.c.organization_id == row.organization_id)
    connection.execute(update(where.table).where(*own).values(**texts))


def count_by_key(connection: Connection) -> dict[str, int]:
    """Return how many texts are sealed with each key, by its name."""
    found: dict[str, int] = {}
    for column in (column for where in EVERY for column in where.columns):
        name = func.substr(column, 5, _NAME_ENDS - 4).label("key_name")
        query = select(name, func.count()).where(column.is_not(None)).group_by(name)
        for row in connection.execute(query):
            found[row[0]] = found.get(row[0], 0) + int(row[1])
    return found
