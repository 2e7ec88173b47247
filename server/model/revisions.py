"""Which contract revision a run has to meet at least, and which ones later (R19, R38). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

MAX_UPCOMING = 5
"""Newer revisions that an attestation is judged by beside its own, those that come first."""


@dataclass(frozen=True, slots=True)
class Enforcement:
    """A revision and from when on runs have to meet it."""

    revision: int
    enforced_from: datetime


@dataclass(frozen=True, slots=True)
class Minimum:
    """The oldest revision that a workflow takes."""

    revision: int
    since: datetime
    """Runs that were begun before keep their pin."""
    is_set: bool = False
    """True: an operator has set it; False: it is the enforced revision."""

    def takes(self, revision: int) -> bool:
        """Tell whether a run may be begun with that pin."""
        return revision >= self.revision

    def keeps(self, revision: int, begun_at: datetime) -> bool:
        """Tell whether a run that was begun at that time may be stored with that pin."""
        return self.takes(revision) or begun_at < self.since


def minimum_of(
    enforced: Enforcement | None, *, set_revision: int | None, changed_at: datetime | None
) -> Minimum | None:
    """Return what a workflow asks of its runs; None: nothing.

    `set_revision` is the operator's, `changed_at` when that was set, taken back, or another contract was chosen.
    """
    if set_revision is not None and changed_at is not None:
        return Minimum(set_revision, changed_at, is_set=True)
    if enforced is None:
        return None
    return Minimum(enforced.revision, max(enforced.enforced_from, changed_at or enforced.enforced_from))


def find_upcoming(newer: Iterable[Enforcement], now: datetime) -> tuple[Enforcement, ...]:
    """Return those of the newer revisions that runs will be held to, or are already; the first of them first.

    One whose date comes no earlier than that of a still newer one is overtaken by it: nobody is ever held to it.
    """
    kept: list[Enforcement] = []
    for item in sorted(newer, key=lambda item: item.revision, reverse=True):
        if not kept or max(item.enforced_from, now) < max(kept[-1].enforced_from, now):
            kept.append(item)
    return tuple(reversed(kept))[:MAX_UPCOMING]
