"""How every benchmark measures: ours and its baseline in turn, the ratio of the medians, never an absolute claim."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """The outcome of one comparison; times in seconds."""

    name: str
    goal: float
    """The ratio must not be above it."""
    ours: tuple[float, ...]
    baseline: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Return the median of ours divided by the median of the baseline."""
        return statistics.median(self.ours) / statistics.median(self.baseline)

    @property
    def ok(self) -> bool:
        """Tell whether the goal is met."""
        return self.ratio <= self.goal

    def __str__(self) -> str:
        verdict = "ok" if self.ok else "MISSED"
        return (
            f"{self.name}: ratio {self.ratio:.2f}, goal <= {self.goal:g}: {verdict}"
            f" (ours {_spread(self.ours)}, baseline {_spread(self.baseline)}, {len(self.ours)} rounds)"
        )


def pair(name: str, goal: float, ours: Callable[[], object], baseline: Callable[[], object], rounds: int = 15) -> Row:
    """Run `ours` and `baseline` in turn (A B A B …), print the row and return it.

    One round of each goes before and is not counted: it compiles, imports and fills caches.
    """
    _measure(ours), _measure(baseline)
    times = [(_measure(ours), _measure(baseline)) for _ in range(rounds)]
    row = Row(name, goal, tuple(ours for ours, _ in times), tuple(theirs for _, theirs in times))
    print(row, flush=True)
    return row


def _measure(action: Callable[[], object]) -> float:
    gc.collect()
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _spread(times: tuple[float, ...]) -> str:
    low, middle, high = (1000 * value for value in (min(times), statistics.median(times), max(times)))
    return f"{middle:.1f} ms [{low:.1f} to {high:.1f}]"
