"""The use case `audit verify`: everything in an audit file again, without network. Standard library only."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from chainloop_ci.api.audit_export import TABLES
from chainloop_ci.audit.books import Summary, find_lacking, find_views, manifest_of, read_about, summarise
from chainloop_ci.audit.integrity import check_rows, check_summaries
from chainloop_ci.audit.signed import LoadKey, Signed
from chainloop_ci.errors import FileUnreadableError
from chainloop_ci.findings import Finding

MAX_NAMED = 1000
"""Rows that are named; of more it is said how many there are."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was found."""

    about: Mapping[str, str]
    rows: int
    attestations: int
    """How many were verified."""
    digest: str
    """Of the manifest."""
    findings: tuple[Finding, ...]
    """The first `MAX_NAMED`."""
    findings_count: int
    revoked: Mapping[str, int]
    """Names of keys that were revoked to how many of the attestations they signed."""


def verify_file(path: Path, load_key: LoadKey, manifest: Mapping[str, Any] | None) -> Report:
    """Check a file, and compare it with a manifest that was kept elsewhere.

    Raises:
        FileUnreadableError: it is no audit file, or one whose export was not completed.
    """
    if not path.is_file():
        raise FileUnreadableError(f"{path} cannot be read: there is no such file")
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            # What somebody wrote there may be no UTF-8.
            connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
            return _verify(connection, load_key, manifest)
    # The second one where what SQLite has to say quotes bytes that are no text.
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise FileUnreadableError(
            f"{path} cannot be read as an audit file: {error}", hint="export again, to another path"
        ) from error


def _verify(connection: sqlite3.Connection, load_key: LoadKey, manifest: Mapping[str, Any] | None) -> Report:
    if views := find_views(connection):
        raise FileUnreadableError(
            f"this is no audit file as it was exported: {', '.join(views)} should be tables, and are views",
            hint="export again, to another path",
        )
    if lacking := find_lacking(connection):
        raise FileUnreadableError(
            f"this is no audit file as this version exports it: there is no {', '.join(lacking)}",
            hint="verify it with the version that exported it; if it was this one, export again, to another path",
        )
    about = read_about(connection)
    if not about.get("completed_at"):
        raise FileUnreadableError(
            "the export into this file was not completed", hint="repeat the same `chainloop audit export`: it goes on"
        )
    summaries = summarise(connection)
    digest = manifest_of(about, summaries)["digest"]
    signed = Signed(connection, load_key)
    found = list(_check(connection, signed, summaries, manifest))
    rows = sum(item.rows for name, item in summaries.items() if name in TABLES)
    return Report(about, rows, signed.attestations, digest, tuple(found[:MAX_NAMED]), len(found), signed.revoked)


def _check(
    connection: sqlite3.Connection,
    signed: Signed,
    summaries: Mapping[str, Summary],
    manifest: Mapping[str, Any] | None,
) -> Iterator[Finding]:
    # Not quick_check: it passes over indexes, and one that was altered hides rows from whoever asks for them.
    (intact,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if intact != "ok":
        yield Finding("file-damaged", str(intact))
    yield from chain(check_rows(connection), signed.check())
    if manifest is not None:
        yield from check_summaries(summaries, read_manifest(manifest), "the manifest")


def read_manifest(document: Mapping[str, Any]) -> dict[str, Summary]:
    """Return what a manifest says of each table.

    Raises:
        FileUnreadableError: it is none.
    """
    try:
        return {name: Summary(int(item["rows"]), item["digest"]) for name, item in document["tables"].items()}
    # The last one where the number of rows is infinite, which JSON's numbers may be in Python.
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise FileUnreadableError("the manifest is not one that `audit export --manifest` wrote") from error


def parse_manifest(raw: bytes) -> Mapping[str, Any]:
    """Return the document of a manifest.

    Raises:
        FileUnreadableError: it is none.
    """
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise FileUnreadableError("the manifest is not one that `audit export --manifest` wrote") from error
    if not isinstance(document, dict):
        raise FileUnreadableError("the manifest is not one that `audit export --manifest` wrote")
    read_manifest(document)
    return document
