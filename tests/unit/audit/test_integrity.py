"""Whoever changes a cell of an audit file is found: every table, every column, rows and books."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chainloop_ci.api.audit_export import TABLES
from chainloop_ci.audit.books import summarise
from chainloop_ci.audit.integrity import check_rows, check_summaries
from chainloop_ci.audit.layout import BOOKS
from chainloop_ci.audit.rows import row_digest
from chainloop_ci.digests import sha256_digest
from tests.unit.audit.files import write

CELLS = [(name, column) for name, table in TABLES.items() for column in table.columns]
BOOK_CELLS = [(name, column) for name, (columns, _) in BOOKS.items() for column in columns]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("audit") / "a.db"
    write(path, 1, 2, 3)
    return path


@pytest.fixture
def path(original: Path, tmp_path: Path) -> Path:
    return shutil.copy(original, tmp_path / "copy.db")


@contextmanager
def changing(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as connection, connection:
        # SQL of somebody who wants to hide: no trigger and no reference keeps a change from being made.
        connection.execute("PRAGMA foreign_keys = OFF")
        yield connection


def found(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
        return {f"{finding.code} {finding.path}" for finding in check_rows(connection)}


def test_a_file_as_it_was_exported_has_nothing_to_find(path: Path) -> None:
    assert found(path) == set()


@pytest.mark.parametrize(("table", "column"), CELLS)
def test_a_changed_cell_of_any_table_is_found_and_its_row_named(path: Path, table: str, column: str) -> None:
    with changing(path) as connection:
        (row_id,) = connection.execute(f"SELECT rowid FROM {table} LIMIT 1 OFFSET 1").fetchone()
        connection.execute(f"UPDATE {table} SET {column} = 77 WHERE rowid = ?", (row_id,))

    assert [finding for finding in found(path) if finding.partition(" ")[2].startswith(f"{table} [")] != []


@pytest.mark.parametrize(("table", "column"), BOOK_CELLS)
def test_a_changed_cell_of_the_books_is_found(path: Path, table: str, column: str) -> None:
    with changing(path) as connection:
        (row_id,) = connection.execute(f"SELECT rowid FROM {table} LIMIT 1 OFFSET 1").fetchone()
        connection.execute(f"UPDATE {table} SET {column} = 77 WHERE rowid = ?", (row_id,))

    assert found(path) != set()


@pytest.mark.parametrize("table", sorted(TABLES))
def test_a_removed_row_is_named(path: Path, table: str) -> None:
    with changing(path) as connection:
        connection.execute(f"DELETE FROM {table} WHERE rowid = (SELECT max(rowid) FROM {table})")

    assert [finding for finding in found(path) if finding.startswith(f"row-removed {table} [")] != []


@pytest.mark.parametrize("table", sorted(TABLES))
def test_an_added_row_is_named(path: Path, table: str) -> None:
    key = TABLES[table].key[0]
    columns = ", ".join(TABLES[table].columns)
    values = ", ".join("9" if column == key else column for column in TABLES[table].columns)
    with changing(path) as connection:
        query = f"INSERT OR IGNORE INTO {table} ({columns}) SELECT {values} FROM {table} LIMIT 1"
        assert connection.execute(query).rowcount == 1

    assert [finding for finding in found(path) if finding.startswith(f"row-added {table} [")] != []


def test_a_row_that_refers_to_one_that_is_not_there_is_named(path: Path) -> None:
    with changing(path) as connection:
        connection.execute("UPDATE run_artifacts SET run_id = 'nobody' WHERE rowid = 2")

    assert "reference-broken run_artifacts row 2" in found(path)


def test_a_row_that_is_there_twice_is_found(path: Path) -> None:
    with changing(path) as connection:
        connection.execute("PRAGMA legacy_alter_table = ON")
        connection.execute("CREATE TABLE twice AS SELECT * FROM audit_records UNION ALL SELECT * FROM audit_records")
        connection.execute("DROP TABLE audit_records")
        connection.execute("ALTER TABLE twice RENAME TO audit_records")

    assert "rows-differ audit_records" in found(path)


def test_a_line_of_the_books_about_a_table_that_no_export_has_is_found(path: Path) -> None:
    with changing(path) as connection:
        connection.execute("INSERT INTO export_rows VALUES ('strange', '[1]', '', 'x', NULL)")

    assert found(path) == {"row-unknown strange [1]"}


@pytest.mark.parametrize("key", ["no JSON", "5", "null"])
def test_a_line_of_the_books_under_what_is_no_key_is_named(path: Path, key: str) -> None:
    with changing(path) as connection:
        connection.execute("INSERT INTO export_rows VALUES ('projects', ?, '', 'x', NULL)", (key,))

    assert f"row-removed projects {key}" in found(path)


def test_the_digest_of_a_row_is_made_as_it_is_documented() -> None:
    table = TABLES["projects"]
    row = dict.fromkeys(table.columns, "é")
    cells = ",".join(f'["{name}","\\u00e9"]' for name in table.columns)

    assert row_digest(table, row) == sha256_digest(f'["projects",[{cells}]]'.encode())


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    cell=st.sampled_from(CELLS),
    number=st.integers(0, 2),
    value=st.one_of(
        st.none(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.binary(max_size=20),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    ),
)  # fmt: skip
def test_whatever_is_written_over_any_cell_is_found(path: Path, original: Path, cell, number: int, value) -> None:
    table, column = cell
    shutil.copy(original, path)
    with changing(path) as connection:
        query = f"SELECT rowid, {column} FROM {table} LIMIT 1 OFFSET {number}"
        row_id, before = connection.execute(query).fetchone()
        try:
            connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (value, row_id))
        except sqlite3.IntegrityError:
            return
        after = connection.execute(f"SELECT {column} FROM {table} WHERE rowid = ?", (row_id,)).fetchone()
    is_changed = after is None or (type(after[0]), after[0]) != (type(before), before)

    assert bool(found(path)) is is_changed


def test_a_row_that_is_changed_with_its_books_is_found_by_a_manifest_that_was_kept_elsewhere(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        kept = summarise(connection)
    other = path.with_name("other.db")
    write(other, 1, 2)

    with closing(sqlite3.connect(other)) as connection:
        differs = {finding.path for finding in check_summaries(summarise(connection), kept, "the manifest")}

    assert found(other) == set()
    assert differs >= set(TABLES)


def test_a_view_that_was_changed_is_found(path: Path) -> None:
    with changing(path) as connection:
        connection.execute("DROP VIEW signers")

    assert found(path) == {"table-differs sqlite_schema"}
