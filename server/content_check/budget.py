"""How much memory all checks of one worker process may take at once, and whose turn it is (R11; threat T30).

No organization holds more than half of it in several checks, and the one that was served longest ago comes first: many
large documents of one do not keep the others from theirs.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from server.errors import CheckerBusyError

MAX_WAITING = 8
"""Checks of one organization that wait at once: each holds a thread of its worker, half of the usual number."""


@dataclass(frozen=True, slots=True, eq=False)
class _Wish:
    owner: str
    wanted: int


class MemoryBudget:
    """Hands out memory to checks. Safe for any number of threads."""

    def __init__(self, total_bytes: int) -> None:
        self._free = total_bytes
        self._total = total_bytes
        self._changed = threading.Condition()
        self._waiting: list[_Wish] = []
        self._held: Counter[str] = Counter()
        self._turns = 0
        self._served: dict[str, int] = {}
        """The last turn of each organization."""

    @contextmanager
    def reserve(self, owner: str, wanted_bytes: int, wait_seconds: float) -> Iterator[None]:
        """Hold `wanted_bytes` for an organization inside the block; a large wish waits for others, not for ever.

        Raises:
            CheckerBusyError: others did not give enough back in time, or enough of its own organization wait already.
        """
        wish = _Wish(owner, min(wanted_bytes, self._total))
        with self._changed:
            if sum(other.owner == owner for other in self._waiting) >= MAX_WAITING:
                raise CheckerBusyError(f"{MAX_WAITING} others of this organization wait for memory")
            self._waiting.append(wish)
            try:
                granted = self._changed.wait_for(
                    lambda: self._next() is wish and self._free >= wish.wanted, wait_seconds
                )
            finally:
                self._waiting.remove(wish)
                self._changed.notify_all()
            if not granted:
                raise CheckerBusyError("all the memory for content checks is in use")
            self._take(wish)
        try:
            yield
        finally:
            with self._changed:
                self._give_back(wish)
                self._changed.notify_all()

    def _next(self) -> _Wish | None:
        """Return whose turn it is; what its own organization's checks keep back stands before nobody."""
        able = (wish for wish in self._waiting if self._is_within_share(wish))
        return min(able, key=self._rank, default=None)

    def _is_within_share(self, wish: _Wish) -> bool:
        held = self._held[wish.owner]
        return not held or held + wish.wanted <= self._total // 2

    def _rank(self, wish: _Wish) -> tuple[bool, int]:
        """Order organizations; of equals the first comes first."""
        return self._held[wish.owner] > 0, self._served.get(wish.owner, 0)

    def _take(self, wish: _Wish) -> None:
        self._turns += 1
        self._served[wish.owner] = self._turns
        self._held[wish.owner] += wish.wanted
        self._free -= wish.wanted

    def _give_back(self, wish: _Wish) -> None:
        self._free += wish.wanted
        self._held[wish.owner] -= wish.wanted
        if not self._held[wish.owner]:
            del self._held[wish.owner]
