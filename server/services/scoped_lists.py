"""Lists of what an administrator of a part of the organization sees of it, ended entries too."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from chainloop_ci.api.paging import Page
from server.model.paging import Key, Paging, bind
from server.model.principal import Principal
from server.store.database import Database
from server.store.times import to_text

W = TypeVar("W", covariant=True)
T = TypeVar("T")


class Entry(Protocol[W]):
    """Something that was created at a time under an id."""

    @property
    def id(self) -> str:
        """Return its id."""

    @property
    def created_at(self) -> datetime:
        """Return when it was created."""

    def api(self) -> W:
        """Return its wire form."""


class Query(Protocol[W]):
    """A query of the store, newest first; with `project_id` what lies within that project."""

    def __call__(
        self, connection: Connection, organization_id: str, *, project_id: str | None, after: Key | None, limit: int
    ) -> Sequence[Entry[W]]:
        """Return at most `limit` entries after `after`."""


def list_in_scope(database: Database, principal: Principal, paging: Paging, noun: str, query: Query[T]) -> Page[T]:
    """Return a page of what lies in the token's scope, newest first; `noun` binds its cursors to this list."""
    binding = bind(noun, principal.organization_id, project=principal.project_id)
    after = paging.after(binding, ("", ""))
    with database.read() as connection:
        found = query(
            connection,
            principal.organization_id,
            project_id=principal.project_id,
            after=after,
            limit=paging.limit + 1,
        )
    page = paging.page(found, binding, lambda item: (to_text(item.created_at), item.id))
    return Page(tuple(item.api() for item in page.items), page.next_cursor)
