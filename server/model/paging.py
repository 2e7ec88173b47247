"""Pages of a list: keyset cursors, each bound to one list of one organization with one set of filters."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from chainloop_ci.api.limits import DEFAULT_PAGE
from chainloop_ci.api.paging import Page
from chainloop_ci.errors import Finding, RequestInvalidError

T = TypeVar("T")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
Key = tuple[str | int, ...]
"""The sort key of a row; the next page begins behind it."""


@dataclass(frozen=True, slots=True)
class Paging:
    """The part of a list that a request asks for."""

    limit: int = DEFAULT_PAGE
    cursor: str | None = None

    def after(self, binding: str, like: Key) -> Key | None:
        """Return the key behind which the page begins; None: at the beginning.

        Args:
            binding: from `bind`: the list and filters of this request.
            like: a key of the list's form; a cursor whose key has other types is refused.

        Raises:
            RequestInvalidError: not a cursor, or one of another list or other filters.
        """
        if self.cursor is None:
            return None
        key = _parse(self.cursor, binding)
        if key is None or [type(part) for part in key] != [type(part) for part in like]:
            message = "the cursor does not belong to this list with these filters"
            raise RequestInvalidError(
                message,
                hint="repeat the list without `cursor`, with the same filters on every page",
                findings=[Finding("cursor-invalid", message, path="?cursor")],
            )
        return key

    def page(self, rows: Sequence[T], binding: str, key: Callable[[T], Key]) -> Page[T]:
        """Return the page of `rows`, which were read with a limit of one more than `limit`."""
        items = tuple(rows[: self.limit])
        more = len(rows) > self.limit
        return Page(items, render_cursor(key(items[-1]), binding) if more else None)


def bind(name: str, organization_id: str, /, **filters: object) -> str:
    """Return what a cursor is bound to; filters that are None count as absent."""
    present = {key: str(value) for key, value in sorted(filters.items()) if value is not None}
    text = json.dumps([name, organization_id, present])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def render_cursor(key: Key, binding: str) -> str:
    """Return the cursor behind which a page begins after `key`, for `Paging.after` with the same binding."""
    text = json.dumps([binding, *key], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _parse(cursor: str, binding: str) -> Key | None:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        found, *key = json.loads(raw)
    except (ValueError, binascii.Error, TypeError, RecursionError):
        return None
    # What the database's driver would refuse: NUL, halves of surrogate pairs, and integers of more than 63 bits.
    fits = all(
        (isinstance(part, str) and not _UNSTORABLE.search(part)) or (type(part) is int and abs(part) < 2**63)
        for part in key
    )
    return tuple(key) if found == binding and fits else None
