"""A database in which something happens between the reading and the writing of one request."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from sqlalchemy import Connection, Engine

from server.store.database import Database


class BetweenReadAndWrite(Database):
    """A database where somebody else is faster: `act` happens before the write that follows a read."""

    def __init__(self, engine: Engine, act: Callable[[], object]) -> None:
        super().__init__(engine)
        self._act = act

    def write(self, patience_seconds: float | None = None) -> AbstractContextManager[Connection]:
        self._act()
        return super().write(patience_seconds)
