"""Progress of long work on standard error: a line now and then, none for what is done at once."""

from __future__ import annotations

from collections.abc import Callable

FIRST_SECONDS = 2.0
"""What is done sooner says nothing."""
EVERY_SECONDS = 5.0


class Progress:
    """Says how far the work is."""

    def __init__(self, say: Callable[[str], object], monotonic: Callable[[], float]) -> None:
        self._say = say
        self._monotonic = monotonic
        self._next = monotonic() + FIRST_SECONDS

    def of(self, what: str, unit: str) -> Callable[[int, int], None]:
        """Return what is to be told how much of how much of one part of the work is done."""

        def report(done: int, total: int) -> None:
            now = self._monotonic()
            if now >= self._next:
                self._next = now + EVERY_SECONDS
                percent = 100 * done // total if total else 100
                self._say(f"{what}: {percent} % ({done} of {total} {unit})\n")

        return report
