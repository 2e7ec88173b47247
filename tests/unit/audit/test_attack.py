"""Changes to an audit file that leave every row as it was, and show an auditor something else."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from chainloop_ci.audit.integrity import check_rows
from tests.unit.audit.files import write

CHANGES = {
    "the search index emptied": "INSERT INTO workflow_runs_fts (workflow_runs_fts) VALUES ('delete-all')",
    "a row taken out of the search index": (
        "INSERT INTO contracts_fts (contracts_fts, rowid, name, description) "
        "SELECT 'delete', rowid, name, description FROM contracts LIMIT 1"
    ),
    "another name that begins like SQLite's own": "CREATE VIEW sqlitex AS SELECT 'success' AS state",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_an_auditor_sees_beside_the_rows_is_checked_too(tmp_path: Path, change: str) -> None:
    path = tmp_path / "a.db"
    write(path, 1, 2, 3)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(change)

    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        found = [finding.code for finding in check_rows(connection)]

    assert found != []
