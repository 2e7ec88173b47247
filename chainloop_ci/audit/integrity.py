"""Whether an audit file's rows are those that were exported, by the file's own books."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import chain

from chainloop_ci.api.audit_export import TABLES, ExportTable
from chainloop_ci.audit.books import Summary, read_summaries, strange_rows, summarise
from chainloop_ci.audit.layout import SEARCHED
from chainloop_ci.audit.rows import key_text, row_digest
from chainloop_ci.findings import Finding

_NOTED = "SELECT digest FROM export_rows WHERE table_name = ? AND row_key = ?"


def check_rows(connection: sqlite3.Connection) -> Iterator[Finding]:
    """Return each row that was changed, added or removed since the export, and each line of the books that was."""
    yield from chain.from_iterable(_check_table(connection, table) for table in TABLES.values())
    for name, key in strange_rows(connection):
        yield Finding("row-unknown", "the books name a row of a table that no export has", path=f"{name} {key}")
    yield from check_summaries(summarise(connection), read_summaries(connection), "what was written down at the export")
    for name, columns in SEARCHED.items():
        if not _is_searched_well(connection, name, columns):
            yield Finding("search-differs", "a search does not find what stands in the rows", path=name)
    for table, row_id, parent, _ in connection.execute("PRAGMA foreign_key_check"):
        yield Finding(
            "reference-broken", f"refers to a row of {parent} that is not there", path=f"{table} row {row_id}"
        )


def _check_table(connection: sqlite3.Connection, table: ExportTable) -> Iterator[Finding]:
    columns = ", ".join(f'"{name}"' for name in table.columns)
    count = 0
    for values in connection.execute(f'SELECT {columns} FROM "{table.name}"'):  # noqa: S608  # names of ours
        count += 1
        row = dict(zip(table.columns, values, strict=True))
        key = key_text(table, row)
        noted = connection.execute(_NOTED, (table.name, key)).fetchone()
        if noted is None:
            yield Finding("row-added", "the row was not exported", path=f"{table.name} {key}")
        elif noted[0] != row_digest(table, row):
            yield Finding("row-changed", "the row is not as it was exported", path=f"{table.name} {key}")
    yield from _check_removed(connection, table)
    (noted_count,) = connection.execute(
        "SELECT count(*) FROM export_rows WHERE table_name = ?", (table.name,)
    ).fetchone()
    if noted_count != count:
        message = f"expected {noted_count} rows, as exported, found {count}"
        yield Finding("rows-differ", message, path=table.name)


def _check_removed(connection: sqlite3.Connection, table: ExportTable) -> Iterator[Finding]:
    condition = " AND ".join(f'"{column}" IS ?' for column in table.key)
    query = f'SELECT 1 FROM "{table.name}" WHERE {condition}'  # noqa: S608  # names of ours
    for (key,) in connection.execute("SELECT row_key FROM export_rows WHERE table_name = ?", (table.name,)):
        try:
            there = connection.execute(query, json.loads(key)).fetchone()
        except (ValueError, TypeError, OverflowError, RecursionError, sqlite3.Error):
            # Not a key that an export wrote.
            there = None
        if there is None:
            yield Finding("row-removed", "the row was exported and is not there", path=f"{table.name} {key}")


def _is_searched_well(connection: sqlite3.Connection, table: str, columns: tuple[str, ...]) -> bool:
    """Tell whether the search index of a table has each word of its rows at its place, and no other.

    The file stays as it is: the index that there should be is made in SQLite's temporary database.
    """
    named = ", ".join(f'"{column}"' for column in columns)
    try:
        connection.executescript(
            f"""
            CREATE VIRTUAL TABLE temp.right_fts USING fts5 ({named});
            INSERT INTO temp.right_fts (rowid, {named}) SELECT rowid, {named} FROM main."{table}";
            CREATE VIRTUAL TABLE temp.right_words USING fts5vocab (temp, right_fts, instance);
            CREATE VIRTUAL TABLE temp.found_words USING fts5vocab (main, "{table}_fts", instance);
            """  # noqa: S608  # names of ours
        )
        words = "SELECT term, doc, col, offset FROM temp.{}_words"
        both = (("right", "found"), ("found", "right"))
        queries = (f"{words.format(one)} EXCEPT {words.format(other)} LIMIT 1" for one, other in both)
        return not any(connection.execute(query).fetchone() for query in queries)
    except sqlite3.Error:
        # An index that cannot be read, or none.
        return False
    finally:
        for name in ("found_words", "right_words", "right_fts"):
            with suppress(sqlite3.Error):
                connection.execute(f"DROP TABLE IF EXISTS temp.{name}")


def check_summaries(found: Mapping[str, Summary], noted: Mapping[str, Summary], by: str) -> Iterator[Finding]:
    """Return each table whose rows are not those of a manifest; `by` says in a message whose word it is."""
    for name in sorted(found.keys() | noted.keys()):
        here, there = found.get(name), noted.get(name)
        if here != there:
            rows = f" ({there.rows} rows there, {here.rows} here)" if here and there and here.rows != there.rows else ""
            yield Finding("table-differs", f"the table is not as {by} says{rows}", path=name)
