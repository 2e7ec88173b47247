"""The pages that the benchmark of very many runs asks for hold what it says, and its SQL finds the same runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from bench.rows.runs_1m import BY_PAGE, BY_SQL, RARE, FilledPlane, filled_plane, run_ids
from chainloop_ci.api.limits import DEFAULT_PAGE

RUNS = 30 * (DEFAULT_PAGE + 1)
"""Enough for a whole page of the filter, which fits one in thirty."""
INDEXES = {"first": "ix_runs_organization", "filtered": "ix_runs_runner_state"}


@pytest.fixture(scope="module")
def filled() -> Iterator[FilledPlane]:
    with filled_plane(RUNS) as found:
        yield found


@pytest.mark.parametrize("page", BY_SQL)
def test_page_and_sql_find_the_same_runs(filled: FilledPlane, page: str) -> None:
    listed, found = run_ids(filled.ask(page)()), filled.bare(page).run_ids()

    assert len(listed) == DEFAULT_PAGE
    # The one more says that the list goes on.
    assert listed < found
    assert len(found) == DEFAULT_PAGE + 1


@pytest.mark.parametrize("page", BY_PAGE)
def test_the_rare_runs_are_the_oldest(filled: FilledPlane, page: str) -> None:
    with closing(sqlite3.connect(filled.database)) as database:
        oldest = {name for (name,) in database.execute("SELECT id FROM workflow_runs ORDER BY sequence LIMIT ?", (31,))}

    listed = run_ids(filled.ask(page)())

    assert len(listed) == RARE
    assert listed < oldest


@pytest.mark.parametrize("page", BY_SQL)
def test_the_sql_fails_when_its_index_is_gone(filled: FilledPlane, page: str) -> None:
    with closing(sqlite3.connect(filled.database)) as database:
        (again,) = database.execute("SELECT sql FROM sqlite_master WHERE name = ?", (INDEXES[page],)).fetchone()
        database.execute(f"DROP INDEX {INDEXES[page]}")

        with pytest.raises(sqlite3.OperationalError, match=f"no such index: {INDEXES[page]}"):
            filled.bare(page)()
        database.execute(again)
