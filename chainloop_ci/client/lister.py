"""Pages of lists, one by one or all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from chainloop_ci.api.paging import Page
from chainloop_ci.client.answers import page
from chainloop_ci.client.control_plane import ControlPlane
from chainloop_ci.errors import RequestInvalidError, UsageError
from chainloop_ci.records import record

R = TypeVar("R")


@record
class Paging:
    """Which page of a list."""

    limit: int | None = None
    cursor: str | None = None


@contextmanager
def naming_the_cursor() -> Iterator[None]:
    """Turn the refusal of a cursor into one of the option that it was typed with.

    Raises:
        UsageError: it is no cursor, or one of another list.
    """
    try:
        yield
    except RequestInvalidError as error:
        if all(finding.path != "?cursor" for finding in error.findings):
            raise
        raise UsageError(
            f"--next: {error.message}",
            hint="give the --next that the page before ended with, and the same filters; or leave it out",
        ) from error


class Lister(ControlPlane):
    """The control plane with its lists."""

    def _list(self, cls: type[R], path: str, paging: Paging, **filters: str | None) -> Page[R]:
        query = {**filters, "limit": paging.limit, "cursor": paging.cursor}
        with naming_the_cursor():
            return page(cls, self.http.json("GET", path, query=query))

    def _every(self, cls: type[R], path: str, **filters: str | None) -> Iterator[R]:
        paging = Paging(limit=200)
        while True:
            found = self._list(cls, path, paging, **filters)
            yield from found.items
            if found.next_cursor is None:
                return
            paging = Paging(limit=200, cursor=found.next_cursor)
