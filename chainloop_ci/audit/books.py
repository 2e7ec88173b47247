"""The books of an audit file: what it says of itself, so that a row that is changed later is found.

Whoever changes a row and its digests here as well is not found by these books; a manifest that is kept elsewhere finds
that, and signatures find it for what was signed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chainloop_ci.api.audit_export import TABLES
from chainloop_ci.audit.layout import BOOKS
from chainloop_ci.audit.rows import digest_of_lines
from chainloop_ci.digests import Digest, sha256_digest

_OF_ITSELF: Mapping[str, str] = {
    "export_about": "SELECT name, value FROM export_about ORDER BY name",
    "export_cursors": "SELECT kind, cursor FROM export_cursors ORDER BY kind",
    # Tables, views and triggers as they were made; not the tables of the search index, which follow from the others.
    "sqlite_schema": "SELECT type, name, sql FROM sqlite_master WHERE name NOT GLOB 'sqlite_*' ORDER BY type, name",
}
_ROWS = "SELECT row_key, thing, digest, gone_at FROM export_rows WHERE table_name = ? ORDER BY row_key"


def find_views(connection: sqlite3.Connection) -> list[str]:
    """Return the tables of an export in whose place there is a view: what it computes may have no end."""
    names = (*BOOKS, *TABLES, *(f"{name}_fts" for name in TABLES))
    marks = ", ".join("?" * len(names))
    query = f"SELECT name FROM sqlite_master WHERE type = 'view' AND lower(name) IN ({marks}) ORDER BY name"  # noqa: S608  # marks
    return [str(name) for (name,) in connection.execute(query, names)]


def find_lacking(connection: sqlite3.Connection) -> list[str]:
    """Return the tables and columns of an export that are not there: SQLite takes such a column's name for a text."""
    books = {name: tuple(columns) for name, (columns, _) in BOOKS.items()}
    lacking = []
    for table, columns in {**books, **{name: tuple(item.columns) for name, item in TABLES.items()}}.items():
        found = {str(name) for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))}
        lacking += [f"{table}.{name}" for name in columns if name not in found] if found else [table]
    return lacking


@dataclass(frozen=True, slots=True)
class Summary:
    """What there is in a table."""

    rows: int
    digest: Digest


def summarise(connection: sqlite3.Connection) -> dict[str, Summary]:
    """Return what the books say of each table, and of themselves."""
    found = {name: Summary(*digest_of_lines(connection.execute(_ROWS, (name,)))) for name in TABLES}
    return found | {name: Summary(*digest_of_lines(connection.execute(query))) for name, query in _OF_ITSELF.items()}


def read_summaries(connection: sqlite3.Connection) -> dict[str, Summary]:
    """Return what was written down when the file was completed."""
    found = connection.execute("SELECT name, rows, digest FROM export_tables")
    # What somebody wrote there may be no text.
    return {str(name): Summary(rows, digest) for name, rows, digest in found}


def read_about(connection: sqlite3.Connection) -> dict[str, str]:
    """Return what the file says of itself as a whole."""
    return {str(name): str(value) for name, value in connection.execute("SELECT name, value FROM export_about")}


def manifest_of(about: Mapping[str, str], summaries: Mapping[str, Summary]) -> dict[str, Any]:
    """Return the document that is kept elsewhere: what the file is, and of each table its number of rows and digest."""
    tables = {name: {"rows": item.rows, "digest": item.digest} for name, item in sorted(summaries.items())}
    document = {"about": dict(sorted(about.items())), "tables": tables}
    return {**document, "digest": sha256_digest(json.dumps(document, sort_keys=True).encode())}


def strange_rows(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    """Return table and key of lines in the books that are about no table of an export."""
    marks = ", ".join("?" * len(TABLES))
    query = f"SELECT table_name, row_key FROM export_rows WHERE table_name NOT IN ({marks})"  # noqa: S608  # marks
    yield from connection.execute(query, tuple(TABLES))
