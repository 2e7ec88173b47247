"""A database of very many runs, and SQL that finds a page of them, written by hand.

The SQL is not what the server asks: that follows whatever plan the server's query gets, and a lost index would slow
both down alike. Each query here names its index, in the server's own tables: it stays as fast as it is, and fails when
the index is gone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from server.store.tables import workflow_runs

_OWN = {
    "sequence": "own.place",
    # As wide as real ones; where they fall in the index is as scattered as that of real ones.
    "id": "printf('%08x-0000-4000-8000-%012x', (own.place * 2654435761) & 0xffffffff, own.place)",
    "state": "CASE WHEN n % 10 = 0 THEN 'error' WHEN n % 33 = 0 THEN 'canceled' ELSE 'success' END",
    "runner_type": "CASE WHEN n % 3 = 0 THEN 'GITLAB_PIPELINE' ELSE 'GITHUB_ACTION' END",
    "ci_head_sha": "printf('%040x', own.place * 40503)",
    "attestation_digest": "NULL",
}
"""What differs from run to run; everything else is that of the run that is copied."""

FIRST_PAGE = (
    "SELECT sequence FROM workflow_runs INDEXED BY ix_runs_organization WHERE organization_id = :organization"
    " ORDER BY sequence DESC LIMIT :limit"
)
"""Sequences of an organization's newest runs."""

FILTERED_PAGE = (
    "SELECT sequence FROM workflow_runs INDEXED BY ix_runs_runner_state WHERE organization_id = :organization"
    " AND runner_type = 'GITLAB_PIPELINE' AND state = 'error' AND state <> 'success'"
    " ORDER BY sequence DESC LIMIT :limit"
)
"""Sequences of the newest of them that failed on GitLab; the last condition is the index's own."""

_WITH_NAMES = (
    "SELECT r.*, o.name, p.name, w.name, w.team, c.name, c.latest_revision, t.name FROM workflow_runs AS r"
    " CROSS JOIN organizations AS o ON o.id = r.organization_id CROSS JOIN projects AS p ON p.id = r.project_id"
    " CROSS JOIN workflows AS w ON w.id = r.workflow_id CROSS JOIN contracts AS c ON c.id = r.contract_id"
    " LEFT JOIN api_tokens AS t ON t.id = r.token_id WHERE r.sequence IN ({places}) AND r.organization_id = ?"
)
"""All that a page shows of runs; a cross join is walked in the order in which it is written."""


def copy_run(database: Path, run_id: str, count: int, changed: Mapping[str, str] | None = None) -> None:
    """Copy a run `count` times, each newer than all there are, with its own id, state, runner and commit.

    `changed` has other SQL for some columns; `n` counts the copies from 1.
    """
    own = {**_OWN, **(changed or {})}
    names = [column.name for column in workflow_runs.columns]
    values = [own.get(name, f"first.{name}") for name in names]
    numbers = (
        "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count),"
        " own(n, place) AS (SELECT n, :newest + n FROM numbers)"
    )
    copies = f"SELECT {', '.join(values)} FROM own, workflow_runs AS first WHERE first.id = :run"
    statement = f"INSERT INTO workflow_runs ({', '.join(names)}) {numbers} {copies}"
    with closing(sqlite3.connect(database, isolation_level=None, timeout=60)) as connection:
        connection.execute("PRAGMA cache_size = -262144")
        (newest,) = connection.execute("SELECT max(sequence) FROM workflow_runs").fetchone()
        connection.execute(statement, {"count": count, "newest": newest, "run": run_id})
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


class BareSql:
    """A page by SQL alone: one query for the sequences, one for all that is shown of these runs."""

    def __init__(self, connection: sqlite3.Connection, organization_id: str, sequences: str, limit: int) -> None:
        self._connection = connection
        self._organization_id = organization_id
        self._sequences = sequences
        # One more than the page: that is how a list knows that it goes on.
        self._values = {"organization": organization_id, "limit": limit + 1}
        self._with_names = _WITH_NAMES.format(places=", ".join("?" * (limit + 1)))

    def __call__(self) -> Sequence[Any]:
        """Return the rows, in no order; there must be more runs than the page has."""
        found = [sequence for (sequence,) in self._connection.execute(self._sequences, self._values)]
        return self._connection.execute(self._with_names, [*found, self._organization_id]).fetchall()

    def run_ids(self) -> set[str]:
        """Return which runs it finds."""
        place = [column.name for column in workflow_runs.columns].index("id")
        return {row[place] for row in self()}
