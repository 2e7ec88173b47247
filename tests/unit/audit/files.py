"""Audit files of made-up rows: every table has two, and every column of the second one a value of its own."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

from chainloop_ci.api.audit_export import BYTES, INTEGER, KINDS, ExportKind, ExportPage, ExportRow, ExportTable
from chainloop_ci.audit.file import AuditFile, opened

ABOUT = {
    "format": "1", "organization": "acme", "organization_id": "o-1", "control_plane": "https://cp.test",
    "chainloop_version": "0", "project": "", "since": "", "until": "", "withheld": "",
}  # fmt: skip
IDENTITY = ("organization_id", "project", "since", "until")
NOW = "2026-11-20T12:00:00Z"


def row_of(table: ExportTable, number: int, **values: object) -> dict[str, object]:
    """Return a row on the wire; what refers, refers to the row with the same number."""
    made: dict[str, object] = {}
    for name, kind in table.columns.items():
        if kind == INTEGER:
            made[name] = number
        elif kind == BYTES:
            made[name] = base64.b64encode(f"{name} {number}".encode()).decode()
        else:
            made[name] = f"id {number}" if name == "id" or name in table.refers else f"{name} {number}"
    return {**made, **values}


def page_of(kind: ExportKind, *numbers: int, cursor: str | None = None, **values: object) -> ExportPage:
    """Return a page with things of these numbers; `values` are those of the roots."""
    rows = [ExportRow(kind.root.name, row_of(kind.root, number, **values)) for number in numbers]
    rows += [ExportRow(part.name, row_of(part, number)) for part in kind.parts for number in numbers]
    return ExportPage(tuple(rows), True, cursor)


def write(path: Path, *numbers: int, about: Mapping[str, str] = ABOUT) -> None:
    """Write things of these numbers of every kind."""
    with opened(path) as file:
        fill(file, *numbers, about=about)


def fill(file: AuditFile, *numbers: int, about: Mapping[str, str] = ABOUT) -> None:
    file.begin(about, IDENTITY)
    for kind in KINDS:
        file.take(kind, page_of(kind, *numbers, cursor=f"behind {numbers[-1]}"))
    file.complete(NOW)
