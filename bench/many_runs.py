"""A database of very many runs, and the queries that the server asks of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import event

from server.model.run_filters import RunFilter
from server.store import run_lists
from server.store.database import Database, open_engine, sqlite_url
from server.store.tables import workflow_runs

_OWN = {
    "sequence": "first.sequence + n",
    # As wide as real ones; where they fall in the index is as scattered as that of real ones.
    "id": "printf('%08x-0000-4000-8000-%012x', (n * 2654435761) & 0xffffffff, n)",
    "state": "CASE WHEN n % 10 = 0 THEN 'error' WHEN n % 33 = 0 THEN 'canceled' ELSE 'success' END",
    "runner_type": "CASE WHEN n % 3 = 0 THEN 'GITLAB_PIPELINE' ELSE 'GITHUB_ACTION' END",
    "ci_head_sha": "printf('%040x', n * 40503)",
    "attestation_digest": "NULL",
}
"""What differs from run to run; everything else is that of the run that is copied."""


def copy_run(database: Path, run_id: str, count: int) -> None:
    """Copy a run `count` times, each with its own id, place, state, runner and commit."""
    names = [column.name for column in workflow_runs.columns]
    values = [_OWN.get(name, f"first.{name}") for name in names]
    numbers = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)"
    copies = f"SELECT {', '.join(values)} FROM numbers, workflow_runs AS first WHERE first.id = ?"
    statement = f"INSERT INTO workflow_runs ({', '.join(names)}) {numbers} {copies}"
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size = -262144")
        connection.execute(statement, (count, run_id))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


class BareSql:
    """The queries of one page as the server asks them, sent to SQLite by its driver alone."""

    def __init__(self, database: Path, organization_id: str, wanted: RunFilter, limit: int) -> None:
        self._queries = tuple(_listen(database, organization_id, wanted, limit))
        self._connection = sqlite3.connect(database)

    def __call__(self) -> list[list[Any]]:
        """Return the rows of each query."""
        return [self._connection.execute(text, values).fetchall() for text, values in self._queries]


def _listen(database: Path, organization_id: str, wanted: RunFilter, limit: int) -> Iterator[tuple[str, Sequence[Any]]]:
    """Return the queries that the store asks for a page, with their values."""
    engine = open_engine(sqlite_url(database))
    heard: list[tuple[str, Sequence[Any]]] = []

    def hear(_connection: Any, _cursor: Any, text: str, values: Any, _context: Any, _many: bool) -> None:
        heard.append((text, values))

    with Database(engine).read() as connection:
        event.listen(engine, "before_cursor_execute", hear)
        # One more than the page: that is how a list knows that it goes on.
        run_lists.list_page(connection, organization_id, wanted, before=None, limit=limit + 1, now=datetime.now(UTC))
    engine.dispose()
    yield from (query for query in heard if query[0].startswith("SELECT"))
