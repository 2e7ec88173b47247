"""Whether an audit file's rows are those that were exported, by the file's own books."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from itertools import chain

from chainloop_ci.api.audit_export import TABLES, ExportTable
from chainloop_ci.audit.books import Summary, read_summaries, strange_rows, summarise
from chainloop_ci.audit.rows import key_text, row_digest
from chainloop_ci.findings import Finding

_NOTED = "SELECT digest FROM export_rows WHERE table_name = ? AND row_key = ?"


def check_rows(connection: sqlite3.Connection) -> Iterator[Finding]:
    """Return each row that was changed, added or removed since the export, and each line of the books that was."""
    yield from chain.from_iterable(_check_table(connection, table) for table in TABLES.values())
    for name, key in strange_rows(connection):
        yield Finding("row-unknown", "the books name a row of a table that no export has", path=f"{name} {key}")
    yield from check_summaries(summarise(connection), read_summaries(connection), "what was written down at the export")
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
        except (ValueError, TypeError, sqlite3.Error):
            # Not a key that an export wrote.
            there = None
        if there is None:
            yield Finding("row-removed", "the row was exported and is not there", path=f"{table.name} {key}")


def check_summaries(found: Mapping[str, Summary], noted: Mapping[str, Summary], by: str) -> Iterator[Finding]:
    """Return each table whose rows are not those of a manifest; `by` says in a message whose word it is."""
    for name in sorted(found.keys() | noted.keys()):
        here, there = found.get(name), noted.get(name)
        if here != there:
            rows = f" ({there.rows} rows there, {here.rows} here)" if here and there and here.rows != there.rows else ""
            yield Finding("table-differs", f"the table is not as {by} says{rows}", path=name)
