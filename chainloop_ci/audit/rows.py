"""Rows of an audit file: what they hold, what tells them apart, and their digest."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence

from chainloop_ci.api.audit_export import BYTES, ExportTable
from chainloop_ci.digests import Digest, sha256_digest

Row = Mapping[str, object]


def to_row(table: ExportTable, wire: Mapping[str, object]) -> dict[str, object]:
    """Return a row as the file keeps it; columns that only a newer server knows are left out.

    Raises:
        ValueError: a value is not base64 where bytes are expected.
    """
    return {name: _value(kind, wire.get(name)) for name, kind in table.columns.items()}


def _value(kind: str, value: object) -> object:
    return base64.b64decode(value, validate=True) if kind == BYTES and isinstance(value, str) else value


def key_text(table: ExportTable, row: Row) -> str:
    """Return what tells a row apart, as a text: a JSON array."""
    return _json([_plain(part) for part in table.key_of(row)])


def row_digest(table: ExportTable, row: Row) -> Digest:
    """Return the digest of everything that a row holds.

    It is that of a JSON array: the table's name, then name and value of each column. Bytes are `{"bytes": base64}`.
    """
    cells = [[name, _plain(row[name])] for name in table.columns]
    return sha256_digest(_json([table.name, cells]).encode("ascii"))


def digest_of_lines(lines: Iterable[Sequence[object]]) -> tuple[int, Digest]:
    """Return how many lines there are, and the digest of all of them in this order."""
    import hashlib

    count, whole = 0, hashlib.sha256()
    for line in lines:
        count += 1
        whole.update(_json([_plain(part) for part in line]).encode("ascii") + b"\n")
    return count, Digest(f"sha256:{whole.hexdigest()}")


def to_parameter(value: object) -> object:
    """Return a value of a file as a query takes it: text that is no UTF-8 as its bytes, which no text is equal to."""
    if not isinstance(value, str):
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogateescape")
    return value


def _plain(value: object) -> object:
    return {"bytes": base64.b64encode(value).decode("ascii")} if isinstance(value, bytes) else value


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
