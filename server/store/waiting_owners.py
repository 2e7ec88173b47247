"""Whose rows wait in a table, found by an index without reading what waits."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, bindparam, func, select


def list_owners(connection: Connection, query: Select[Any], after: str, limit: int) -> list[str]:
    """Return ids of organizations of which something waits, in their order, those after `after`."""
    return list(connection.execute(query, {"after": after, "most": limit}).scalars())


def owners_of(table: Table, is_waiting: ColumnElement[bool]) -> Select[Any]:
    """Return the query of `list_owners`: it jumps from one organization to the next, however much waits of each.

    It wants an index by organization of the rows that are waiting.
    """
    owner = table.c.organization_id
    first = select(func.min(owner).label("id")).where(is_waiting, owner > bindparam("after"))
    found = first.cte("owners", recursive=True)
    following = select(func.min(owner)).where(is_waiting, owner > found.c.id).scalar_subquery()
    found = found.union_all(select(following).select_from(found).where(found.c.id.is_not(None)))
    return select(found.c.id).where(found.c.id.is_not(None)).limit(bindparam("most"))
