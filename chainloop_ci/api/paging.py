"""Pages: every list is `{items, nextCursor}`; a cursor is opaque and belongs to one list with one set of filters."""

from __future__ import annotations

from typing import Generic, TypeVar

from chainloop_ci.records import record

T = TypeVar("T")


@record
class Page(Generic[T]):
    """One page of a list, newest first unless the list says otherwise."""

    items: tuple[T, ...]
    next_cursor: str | None = None
