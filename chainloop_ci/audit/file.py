"""The audit file: an SQLite database that is written thing by thing, and goes on where it ended.

Each page is one transaction together with the cursor behind it: whenever the writing ends, the file is whole, says that
it is not complete, and the next export goes on from there. Written with sqlite-utils, which is loaded here.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from chainloop_ci.api.audit_export import BYTES, INTEGER, KINDS, TABLES, ExportKind, ExportPage, ExportTable
from chainloop_ci.audit.books import manifest_of, read_about, summarise
from chainloop_ci.audit.layout import BOOKS, FORMAT, INDEXES, SEARCHED, VIEWS
from chainloop_ci.audit.rows import key_text, row_digest, to_row
from chainloop_ci.errors import FileUnwritableError, ServerFaultError, UsageError

_TYPES: Mapping[str, type] = {INTEGER: int, BYTES: bytes}
Place = tuple[str, str]
"""Table and key of a row."""
_ANOTHER = "give another path"


@dataclass(slots=True)
class Thing:
    """A thing with its parts, as a page brought it."""

    rows: dict[Place, dict[str, Any]] = field(default_factory=dict)
    """By table and key."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What came of one page."""

    added: int = 0
    changed: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.added + other.added, self.changed + other.changed)


class AuditFile:
    """One open file."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._db = Database(connection)
        self._connection = connection

    def begin(self, about: Mapping[str, str], identity: Iterable[str]) -> None:
        """Make the tables of a new file; of one that was there, check that it is of the same export.

        `identity` names those of `about` that never change.

        Raises:
            UsageError: the file is of another organization, or was made with other filters.
            FileUnwritableError: it is no audit file, or of another version.
        """
        with self._db.atomic():
            if not self._db.table_names():
                self._make()
            else:
                self._require_same(about, identity)
            rows = [{"name": name, "value": value} for name, value in {**about, "completed_at": ""}.items()]
            self._db.table("export_about").insert_all(rows, replace=True)

    def _make(self) -> None:
        for name, (columns, key) in BOOKS.items():
            self._db.table(name).create(columns, pk=key, not_null=set(columns) - {"cursor", "gone_at"})
        for kind in reversed(KINDS):
            for table in kind.tables:
                self._make_table(table)
        for name, columns_ in SEARCHED.items():
            self._db.table(name).enable_fts(columns_, create_triggers=True)
        self._db.index_foreign_keys()
        for name, indexed in INDEXES:
            self._db.table(name).create_index(indexed, if_not_exists=True)
        for name, query in VIEWS.items():
            self._db.create_view(name, query)

    def _make_table(self, table: ExportTable) -> None:
        columns = {name: _TYPES.get(kind, str) for name, kind in table.columns.items()}
        # Where a part of a key may be absent, the rows have a number of SQLite's own.
        key = None if table.name == "verification_key_scopes" else table.key
        targets = [(column, *target) for column, target in table.refers.items()]
        self._db.table(table.name).create(
            columns, pk=key if key is None or len(key) > 1 else key[0], foreign_keys=targets
        )

    def _require_same(self, about: Mapping[str, str], identity: Iterable[str]) -> None:
        if not set(BOOKS) <= set(self._db.table_names()):
            raise FileUnwritableError(
                f"{self.path} is a database, but none that `audit export` wrote; nothing was changed", hint=_ANOTHER
            )
        known = read_about(self._connection)
        if known.get("format") != FORMAT or not all(_fits(self._db, table) for table in TABLES.values()):
            raise FileUnwritableError(
                f"{self.path} was written by another version of chainloop; nothing was changed",
                hint="keep it, and export to another path",
            )
        differs = [name for name in identity if known.get(name) != about[name]]
        if differs:
            told = ", ".join(f"{name.replace('_', ' ')} {known.get(name)!r}, not {about[name]!r}" for name in differs)
            raise UsageError(f"{self.path} is another export: of {told}; nothing was changed", hint=_ANOTHER)

    def cursor(self, kind: str) -> str | None:
        """Return where the export of a kind goes on."""
        found = self._connection.execute("SELECT cursor FROM export_cursors WHERE kind = ?", (kind,)).fetchone()
        return found[0] if found else None

    def take(self, kind: ExportKind, page: ExportPage) -> tuple[Counts, frozenset[str]]:
        """Write what is new or has changed in a page, with the cursor behind it; return which things it had.

        Raises:
            ServerFaultError: the page does not hold what the kind is made of.
        """
        things = _things(kind, page)
        with self._db.atomic():
            counts = self._write(kind, things)
            self._db.table("export_cursors").insert({"kind": kind.name, "cursor": page.cursor}, replace=True)
        return counts, frozenset(things)

    def _write(self, kind: ExportKind, things: Mapping[str, Thing]) -> Counts:
        known = self._known(kind, list(things))
        new: dict[str, list[dict[str, Any]]] = {}
        lines: list[dict[str, object]] = []
        counts = Counts()
        for name, thing in things.items():
            before = known.get(name, {})
            digests = {place: row_digest(TABLES[place[0]], row) for place, row in thing.rows.items()}
            for place in before.keys() - digests.keys():
                self._remove(*place)
            for place, digest in digests.items():
                if before.get(place) == digest:
                    continue
                counts += Counts(changed=1) if place in before else Counts(added=1)
                if place in before:
                    self._remove(*place)
                new.setdefault(place[0], []).append(thing.rows[place])
                lines.append(dict(zip(BOOKS["export_rows"][0], (*place, name, digest, None), strict=True)))
        for table, rows in new.items():
            self._db.table(table).insert_all(rows)
        if lines:
            self._db.table("export_rows").insert_all(lines)
        return counts

    def _known(self, kind: ExportKind, names: list[str]) -> dict[str, dict[Place, str]]:
        """Return the digests of what the file has of some things; none of what was gone: that is written anew."""
        tables = [table.name for table in kind.tables]
        marks = (",".join("?" * len(names)), ",".join("?" * len(tables)))
        wanted = f"thing IN ({marks[0]}) AND table_name IN ({marks[1]})"
        digest = "CASE WHEN gone_at IS NULL THEN digest ELSE '' END"
        query = f"SELECT thing, table_name, row_key, {digest} FROM export_rows WHERE {wanted}"  # noqa: S608  # marks
        found: dict[str, dict[Place, str]] = {}
        for thing, table, key, digest in self._connection.execute(query, (*names, *tables)):
            found.setdefault(thing, {})[table, key] = digest
        return found

    def _remove(self, name: str, key: str) -> None:
        import json

        table = TABLES[name]
        condition = " AND ".join(f'"{column}" IS ?' for column in table.key)
        self._connection.execute(f'DELETE FROM "{name}" WHERE {condition}', json.loads(key))  # noqa: S608  # our names
        self._connection.execute("DELETE FROM export_rows WHERE table_name = ? AND row_key = ?", (name, key))

    def mark_gone(self, kind: ExportKind, there: frozenset[str], moment: str) -> int:
        """Write down that the server has no others of a kind any more; what it had stays. Return how many are new."""
        query = "SELECT row_key FROM export_rows WHERE table_name = ? AND gone_at IS NULL"
        gone = [key for (key,) in self._connection.execute(query, (kind.root.name,)) if key not in there]
        marked = "UPDATE export_rows SET gone_at = ? WHERE table_name = ? AND row_key = ?"
        with self._db.atomic():
            for key in gone:
                self._connection.execute(marked, (moment, kind.root.name, key))
        return len(gone)

    def complete(self, moment: str) -> dict[str, Any]:
        """Write down that everything is there, and return the manifest."""
        with self._db.atomic():
            self._db.table("export_about").insert({"name": "completed_at", "value": moment}, replace=True)
            summaries = summarise(self._connection)
            lines = [{"name": name, "rows": item.rows, "digest": item.digest} for name, item in summaries.items()]
            self._db.table("export_tables").delete_where()
            self._db.table("export_tables").insert_all(lines)
        return manifest_of(read_about(self._connection), summaries)


def _fits(db: Database, table: ExportTable) -> bool:
    return db.table(table.name).exists() and set(db.table(table.name).columns_dict) == set(table.columns)


def _things(kind: ExportKind, page: ExportPage) -> dict[str, Thing]:
    """Return the things of a page by their keys, each with its parts."""
    tables = {table.name: table for table in kind.tables}
    things: dict[str, Thing] = {}
    by_link: dict[tuple[str, object], str] = {}
    try:
        for item in page.rows:
            row = to_row(tables[item.table], item.row)
            place = (item.table, key_text(tables[item.table], row))
            if item.table == kind.root.name:
                things[place[1]] = Thing({place: row})
                by_link.update({(column, row[column]): place[1] for column in ("id", "sequence") if column in row})
            else:
                own, of_root = kind.link(tables[item.table])
                things[by_link[of_root, row[own]]].rows[place] = row
    except (KeyError, ValueError) as error:
        raise ServerFaultError(
            f"the control plane's page of {kind.name} does not hold what it should: {error}",
            hint="client and control plane may be of different versions: compare `chainloop version`",
        ) from error
    return things


@contextmanager
def opened(path: Path) -> Iterator[AuditFile]:
    """Open a file, or make one that only its owner may read.

    Raises:
        FileUnwritableError: it cannot be made or written, is no database, or another program is writing into it.
    """
    try:
        if not path.exists():
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        connection = sqlite3.connect(path, timeout=5)
        try:
            # Held for the whole export: two would write the same rows.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            yield AuditFile(path, connection)
        finally:
            connection.close()
    except OSError as error:
        raise FileUnwritableError(f"{path} cannot be written: {error.strerror or error}", hint=_ANOTHER) from error
    # The second one where what SQLite has to say quotes bytes that are no text.
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise FileUnwritableError(
            f"{path} cannot be written: {error}",
            hint="what was written before stays: repeat the same command, or give another path",
        ) from error
