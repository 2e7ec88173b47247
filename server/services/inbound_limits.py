"""How many webhooks are taken from one sender, before anything of them is read (3.5, rule 10; T30).

Of each source so many a second; and of those that no secret fits only a few of each address, so that nobody makes the
server compute signatures for others. Each process counts for itself.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from server.errors import TooManyRequestsError

MAX_KEYS = 10_000
"""Senders that are remembered; the one that was quiet for longest is forgotten first."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many at once, and so many more each second."""

    burst: float
    per_second: float


OF_SOURCE = Rate(burst=2000, per_second=200)
OF_STRANGER = Rate(burst=30, per_second=0.5)
"""Of one address, for one source: refused for their signature."""


class InboundLimits:
    """Counts who sends, in buckets that fill again with time."""

    def __init__(self, monotonic: Callable[[], float], source: Rate = OF_SOURCE, stranger: Rate = OF_STRANGER) -> None:
        self._monotonic = monotonic
        self._rates = {"source": source, "stranger": stranger}
        self._lock = threading.Lock()
        self._buckets: OrderedDict[tuple[str, str, str], tuple[float, float]] = OrderedDict()

    def admit(self, address: str, source_id: str | None) -> None:
        """Refuse who sends too much; `source_id` is None for a source that does not exist.

        Raises:
            TooManyRequestsError: later it is taken.
        """
        with self._lock:
            if self._left("stranger", address, source_id or "") < 1:
                raise TooManyRequestsError
            if source_id is not None:
                self._take("source", "", source_id)

    def refused(self, address: str, source_id: str | None) -> None:
        """Count one that no secret fitted."""
        with self._lock:
            key = ("stranger", address, source_id or "")
            self._put(key, max(0.0, self._left(*key) - 1))

    def _take(self, kind: str, address: str, source_id: str) -> None:
        left = self._left(kind, address, source_id)
        if left < 1:
            raise TooManyRequestsError
        self._put((kind, address, source_id), left - 1)

    def _left(self, kind: str, address: str, source_id: str) -> float:
        rate = self._rates[kind]
        left, then = self._buckets.get((kind, address, source_id), (rate.burst, 0.0))
        return min(rate.burst, left + (self._monotonic() - then) * rate.per_second)

    def _put(self, key: tuple[str, str, str], left: float) -> None:
        self._buckets[key] = (left, self._monotonic())
        self._buckets.move_to_end(key)
        while len(self._buckets) > MAX_KEYS:
            self._buckets.popitem(last=False)
