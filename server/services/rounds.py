"""Whose turn it is with the dispatcher: what one organization has waiting does not hold up another's (T30)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import zip_longest
from typing import TypeVar

OWNERS = 16
"""Organizations of one batch, at most; the others come next."""

T = TypeVar("T")


class Rounds:
    """Remembers who was served last: the next batch begins behind him."""

    def __init__(self) -> None:
        self._last = ""

    def choose(self, list_owners: Callable[[str, int], Sequence[str]], aside: Collection[str] = ()) -> list[str]:
        """Return the organizations of the next batch, without those that are set aside; empty: nothing waits.

        `list_owners` returns ids of those of which something waits, in their order: after an id, at most so many.
        """
        limit = OWNERS + len(aside)
        found = list(list_owners(self._last, limit))
        if len(found) < limit and self._last:
            found += [owner for owner in list_owners("", limit) if owner not in found]
        return [owner for owner in found if owner not in aside][:OWNERS]

    def end(self, served: str) -> None:
        """Say whose was the last thing that was done."""
        self._last = served


def in_turns(waiting: Iterable[Sequence[T]]) -> list[T]:
    """Return the first of each, then the second of each, and so on."""
    return [item for row in zip_longest(*waiting) for item in row if item is not None]
