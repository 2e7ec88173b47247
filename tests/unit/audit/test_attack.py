"""Changes to an audit file that leave every row as it was, and show an auditor something else."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from chainloop_ci.audit.integrity import check_rows
from chainloop_ci.audit.verify import MAX_NAMED, parse_manifest, verify_file
from chainloop_ci.errors import FileUnreadableError, FileUnwritableError
from chainloop_ci.signing.public_keys import load_public_key
from tests.unit.audit.files import write

CHANGES = {
    "the search index emptied": "INSERT INTO workflow_runs_fts (workflow_runs_fts) VALUES ('delete-all')",
    "a row taken out of the search index": (
        "INSERT INTO contracts_fts (contracts_fts, rowid, name, description) "
        "SELECT 'delete', rowid, name, description FROM contracts LIMIT 1"
    ),
    "a word more in the search index": (
        "INSERT INTO contracts_fts (rowid, name, description) VALUES (1, 'unheard', 'of')"
    ),
    "words of the search index in another column": (
        "INSERT INTO contracts_fts (contracts_fts, rowid, name, description) "
        "SELECT 'delete', rowid, name, description FROM contracts LIMIT 1;"
        "INSERT INTO contracts_fts (rowid, name, description) SELECT rowid, description, name FROM contracts LIMIT 1"
    ),
    "a search index that cannot be read": "DELETE FROM contracts_fts_data",
    "a view that says something else": "DROP VIEW signers; CREATE VIEW signers AS SELECT 1 AS name",
    "another name that begins like SQLite's own": "CREATE VIEW sqlitex AS SELECT 'success' AS state",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_an_auditor_sees_beside_the_rows_is_checked_too(tmp_path: Path, change: str) -> None:
    path = tmp_path / "a.db"
    write(path, 1, 2, 3)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(change)

    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        found = [finding.code for finding in check_rows(connection)]

    assert found != []


def test_an_index_that_hides_a_row_from_who_asks_for_it_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    write(path, 1, 2, 3)
    before, word, after = path.read_bytes().rpartition(b"ci_head_sha 2")  # the row has it first, then the index
    path.write_bytes(before + word.replace(b"2", b"9") + after)
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT ci_head_sha FROM workflow_runs {} WHERE ci_head_sha = 'ci_head_sha 2'"
        assert connection.execute(query.format("NOT INDEXED")).fetchall() == [("ci_head_sha 2",)]
        assert connection.execute(query.format("")).fetchall() == []

    found = {finding.code for finding in verify_file(path, load_public_key, None).findings}

    assert "file-damaged" in found


def test_of_many_differences_the_first_are_named_and_all_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    write(path, 1)
    before = verify_file(path, load_public_key, None).findings_count
    with closing(sqlite3.connect(path)) as connection, connection:
        lines = [("strange", f"[{number}]", "", "x") for number in range(MAX_NAMED + 5)]
        connection.executemany("INSERT INTO export_rows VALUES (?, ?, ?, ?, NULL)", lines)

    report = verify_file(path, load_public_key, None)

    assert (len(report.findings), report.findings_count) == (MAX_NAMED, before + MAX_NAMED + 5)


BROKEN_BOOKS = {
    "a name that is no text": "UPDATE export_about SET name = x'ff' WHERE name = 'project'",
    "a value that is no text": "UPDATE export_about SET value = x'ff' WHERE name = 'project'",
    "a table that is no text": "UPDATE export_tables SET name = x'ff' WHERE name = 'projects'",
    "a key that no number holds": "UPDATE export_rows SET row_key = '[99999999999999999999]' WHERE rowid = 1",
    "a key of no end": "UPDATE export_rows SET row_key = replace(hex(zeroblob(60000)), '0', '[') WHERE rowid = 1",
}


@pytest.mark.parametrize("change", BROKEN_BOOKS.values(), ids=BROKEN_BOOKS)
def test_books_that_no_export_writes_are_found_and_end_no_check(tmp_path: Path, change: str) -> None:
    path = tmp_path / "a.db"
    write(path, 1)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(change)

    found = {finding.code for finding in verify_file(path, load_public_key, None).findings}

    assert found & {"table-differs", "row-removed"} != set()


def test_a_schema_of_bytes_that_are_no_text_is_refused_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    write(path, 1)
    raw = path.read_bytes().replace(b"CREATE TABLE", b"CREATE TABL\x90")
    path.write_bytes(raw)

    with pytest.raises(FileUnreadableError, match="cannot be read as an audit file"):
        verify_file(path, load_public_key, None)
    with pytest.raises(FileUnwritableError, match="cannot be written"):
        write(path, 2)
    assert path.read_bytes() == raw


@pytest.mark.parametrize(
    ("change", "lacking"),
    [
        ("ALTER TABLE verification_keys RENAME COLUMN id TO ident", "verification_keys.id"),
        ("ALTER TABLE attestations RENAME COLUMN bundle TO content", "attestations.bundle"),
        ("ALTER TABLE export_rows RENAME COLUMN digest TO hash", "export_rows.digest"),
        ("DROP TABLE projects", "projects"),
    ],
)
def test_a_file_without_a_column_or_a_table_is_none(tmp_path: Path, change: str, lacking: str) -> None:
    path = tmp_path / "a.db"
    write(path, 1)
    with closing(sqlite3.connect(path)) as connection, connection:
        # Views would keep columns of theirs from being renamed.
        for (view,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'view'").fetchall():
            connection.execute(f"DROP VIEW {view}")
        connection.execute(change)

    with pytest.raises(FileUnreadableError, match=f"there is no {lacking}$"):
        verify_file(path, load_public_key, None)


@pytest.mark.parametrize("rows", ["Infinity", "1e999", "NaN", '"many"', "null"])
def test_a_manifest_with_another_number_of_rows_than_a_number_is_none(rows: str) -> None:
    raw = b'{"tables": {"workflow_runs": {"rows": %s, "digest": "sha256:0"}}}' % rows.encode()

    with pytest.raises(FileUnreadableError, match="the manifest is not one"):
        parse_manifest(raw)


@pytest.mark.parametrize("name", ["workflow_runs", "export_rows", "Export_About", "workflow_runs_fts"])
def test_a_view_in_the_place_of_a_table_is_not_read(tmp_path: Path, name: str) -> None:
    """What a view computes may have no end, and then neither has its check."""
    path = tmp_path / "a.db"
    write(path, 1)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"CREATE TABLE stolen AS SELECT * FROM {name}")  # of this test
        connection.execute(f"DROP TABLE {name}")
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM stolen")  # of this test

    with pytest.raises(FileUnreadableError, match="should be tables, and are views"):
        verify_file(path, load_public_key, None)
