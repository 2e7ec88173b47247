from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from chainloop_ci.api.audit_export import KINDS, PROJECTS, RUNS, TABLES, ExportPage, ExportRow
from chainloop_ci.audit.file import Counts, opened
from chainloop_ci.audit.layout import SEARCHED, VIEWS
from chainloop_ci.errors import FileUnwritableError, ServerFaultError, UsageError
from tests.unit.audit.files import ABOUT, IDENTITY, NOW, page_of, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.db"


def select(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def test_only_its_owner_may_read_the_file(path: Path) -> None:
    write(path, 1)

    assert path.stat().st_mode & 0o777 == 0o600


def test_every_table_has_its_rows_and_every_reference_leads_somewhere(path: Path) -> None:
    write(path, 1, 2)

    assert {name: select(path, f"SELECT count(*) FROM {name}") for name in TABLES} == {name: [(2,)] for name in TABLES}
    assert select(path, "PRAGMA foreign_key_check") == []


def test_the_same_page_again_adds_nothing(path: Path) -> None:
    write(path, 1, 2)

    with opened(path) as file:
        counts = [file.take(kind, page_of(kind, 1, 2))[0] for kind in KINDS]

    assert counts == [Counts()] * len(KINDS)


def test_a_thing_that_changed_takes_the_place_of_what_it_was(path: Path) -> None:
    write(path, 1, 2)

    with opened(path) as file:
        counts, _ = file.take(RUNS, page_of(RUNS, 2, state="success"))

    assert counts == Counts(changed=1)
    assert select(path, "SELECT state FROM workflow_runs ORDER BY id") == [("state 1",), ("success",)]


def test_a_part_that_is_no_more_goes_with_the_change(path: Path) -> None:
    write(path, 1, 2)
    page = page_of(RUNS, 2)
    left = tuple(item for item in page.rows if item.table != "run_materials")

    with opened(path) as file:
        file.take(RUNS, replace(page, rows=left))

    assert select(path, "SELECT name FROM run_materials") == [("name 1",)]


def test_what_the_server_has_no_more_stays_with_the_time_of_that(path: Path) -> None:
    write(path, 1, 2)

    with opened(path) as file:
        _, there = file.take(PROJECTS, page_of(PROJECTS, 2))
        gone = file.mark_gone(PROJECTS, there, NOW)

    assert gone == 1
    assert select(path, "SELECT count(*) FROM projects") == [(2,)]
    assert select(path, "SELECT row_key FROM export_rows WHERE gone_at IS NOT NULL") == [('["id 1"]',)]


def test_what_comes_back_is_there_again(path: Path) -> None:
    write(path, 1)
    with opened(path) as file:
        file.mark_gone(PROJECTS, frozenset(), NOW)

        file.take(PROJECTS, page_of(PROJECTS, 1))

    assert select(path, "SELECT count(*) FROM export_rows WHERE gone_at IS NOT NULL") == [(0,)]


def test_a_file_of_another_organization_is_refused_and_stays(path: Path) -> None:
    write(path, 1)
    before = path.read_bytes()

    with pytest.raises(UsageError, match="organization id 'o-1', not 'o-2'"), opened(path) as file:
        file.begin({**ABOUT, "organization_id": "o-2"}, IDENTITY)

    assert path.read_bytes() == before


def test_a_file_with_other_filters_is_refused(path: Path) -> None:
    write(path, 1)

    with pytest.raises(UsageError, match="project '', not 'app'"), opened(path) as file:
        file.begin({**ABOUT, "project": "app"}, IDENTITY)


def test_a_file_of_something_else_is_refused_and_stays(path: Path) -> None:
    path.write_text("minutes of a meeting, kept for years " * 100)

    with pytest.raises(FileUnwritableError, match="not a database"), opened(path) as file:
        file.begin(ABOUT, IDENTITY)

    assert path.read_text().startswith("minutes")


def test_another_program_s_database_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")

    with pytest.raises(FileUnwritableError, match="none that `audit export` wrote"), opened(path) as file:
        file.begin(ABOUT, IDENTITY)


def test_a_file_of_another_version_is_refused(path: Path) -> None:
    write(path, 1)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE projects DROP COLUMN created_at")

    with pytest.raises(FileUnwritableError, match="another version"), opened(path) as file:
        file.begin(ABOUT, IDENTITY)


def test_a_file_of_another_format_is_refused(path: Path) -> None:
    write(path, 1)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE export_about SET value = '0' WHERE name = 'format'")

    with pytest.raises(FileUnwritableError, match="another version"), opened(path) as file:
        file.begin(ABOUT, IDENTITY)


def test_two_exports_do_not_write_into_one_file(path: Path) -> None:
    write(path, 1)

    with opened(path) as file:
        file.begin(ABOUT, IDENTITY)

        with pytest.raises(FileUnwritableError, match="locked"), opened(path) as other:
            other.begin(ABOUT, IDENTITY)


def test_a_page_that_breaks_off_leaves_neither_rows_nor_cursor(path: Path) -> None:
    write(path, 1)
    page = page_of(RUNS, 2, cursor="behind 2")
    orphan = ExportRow("run_materials", {**page.rows[-1].row, "run_id": "somebody's"})

    with pytest.raises(ServerFaultError, match="does not hold what it should"), opened(path) as file:
        file.take(RUNS, ExportPage((*page.rows, orphan), True, page.cursor))

    assert select(path, "SELECT count(*) FROM workflow_runs") == [(1,)]
    assert select(path, "SELECT cursor FROM export_cursors WHERE kind = 'runs'") == [("behind 1",)]


def test_bytes_that_are_no_base64_are_refused(path: Path) -> None:
    write(path, 1)
    page = page_of(RUNS, 2)
    rows = tuple(
        replace(item, row={**item.row, "bundle": "a bundle"}) if item.table == "attestations" else item
        for item in page.rows
    )

    with pytest.raises(ServerFaultError, match="does not hold what it should"), opened(path) as file:
        file.take(RUNS, replace(page, rows=rows))


def test_columns_that_a_newer_server_has_are_left_out(path: Path) -> None:
    with opened(path) as file:
        file.begin(ABOUT, IDENTITY)
        counts, _ = file.take(PROJECTS, page_of(PROJECTS, 1, colour="green"))

    assert counts == Counts(added=1)


@pytest.mark.parametrize("view", sorted(VIEWS))
def test_every_view_can_be_read(path: Path, view: str) -> None:
    write(path, 1)

    # Documents of made-up rows are no JSON, which only these two look into.
    if view not in ("findings_of_refused_stores", "versions_of_statuses"):
        assert len(select(path, f"SELECT * FROM {view}")) <= 1
    assert select(path, f"SELECT * FROM {view} LIMIT 0") == []


@pytest.mark.parametrize("table", sorted(SEARCHED))
def test_words_are_found_also_after_a_change(path: Path, table: str) -> None:
    write(path, 1, 2)
    kind = next(kind for kind in KINDS if table in {item.name for item in kind.tables})
    column = SEARCHED[table][0]
    page = page_of(kind, 2)
    changed = [
        ExportRow(item.table, {**item.row, column: "unmistakable"})
        if item.table == table and column != "name"
        else item
        for item in page.rows
    ]

    with opened(path) as file:
        file.take(kind, replace(page, rows=tuple(changed)))

    word = "2" if column == "name" else "unmistakable"
    assert select(path, f"SELECT count(*) FROM {table}_fts WHERE {table}_fts MATCH '{word}'") == [(1,)]
