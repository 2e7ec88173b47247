"""Read payloads of others: whatever is not as expected is absent, and nothing that is returned breaks a database."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime

from server.model.stored_text import storable

MAX_TEXT = 1024
"""Characters of a text that are kept."""
MAX_ITEMS = 5000
"""Elements of a list that are looked at."""

_IDENT = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_NO_COMMIT = re.compile(r"0+\Z")
_ZONE = re.compile(r" ([+-][0-9]{2}:?[0-9]{2})\Z")


def at(document: object, *path: str) -> object:
    """Return what stands at the end of a path of names, or None."""
    for name in path:
        if not isinstance(document, Mapping):
            return None
        document = document.get(name)
    return document


def text(document: object, *path: str) -> str | None:
    """Return a text that is not empty."""
    return clean(at(document, *path))


def clean(value: object) -> str | None:
    """Return a text as it may be stored: of bounded length, without NUL and halves of surrogate pairs."""
    if not isinstance(value, str):
        return None
    return storable(value, MAX_TEXT) or None


def ident(document: object, *path: str) -> str | None:
    """Return an id, which forges write as a number or as a text."""
    value = at(document, *path)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63:
        return str(value)
    return value if isinstance(value, str) and _IDENT.match(value) else None


def count(document: object, *path: str) -> int | None:
    """Return a whole number that is not negative."""
    value = at(document, *path)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31 else None


def flag(document: object, *path: str) -> bool | None:
    """Return true or false."""
    value = at(document, *path)
    return value if isinstance(value, bool) else None


def commit(document: object, *path: str) -> str | None:
    """Return the id of a commit; a row of zeros, which stands for none, is None."""
    value = at(document, *path)
    if not isinstance(value, str) or not _SHA.match(value) or _NO_COMMIT.match(value):
        return None
    return value


def moment(document: object, *path: str) -> datetime | None:
    """Return a time: RFC 3339, one of GitLab's forms, or seconds since 1970; there is none before that."""
    value, found = at(document, *path), None
    with suppress(ValueError, OverflowError, OSError):
        if isinstance(value, int) and not isinstance(value, bool):
            found = datetime.fromtimestamp(value, UTC)
        elif isinstance(value, str) and len(value) <= 64:
            found = _parse(value)
    return found if found and found.year >= 1970 else None


def items(document: object, *path: str) -> Iterator[object]:
    """Yield the elements of a list."""
    value = at(document, *path)
    yield from value[:MAX_ITEMS] if isinstance(value, list) else ()


def _parse(value: str) -> datetime | None:
    # GitLab writes «2026-01-31 12:00:00 UTC», and the offset behind a blank too.
    found = datetime.fromisoformat(_ZONE.sub(r"\1", value.removesuffix(" UTC") + "Z" * value.endswith(" UTC")))
    return None if found.tzinfo is None else found.astimezone(UTC)
