"""How every benchmark measures: ours and its baseline in turn, the ratio of the medians, never an absolute claim."""

from __future__ import annotations

import gc
import math
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

PAIRS = 15
"""Rounds of a comparison, unless a row can afford fewer only."""

_RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Settings:
    """What the caller of a row asked for."""

    pairs: int | None = None
    """Rounds instead of the row's own number."""
    long: bool = False
    """Sizes that take long or much disk."""

    def rounds(self, usual: int = PAIRS) -> int:
        """Return how many rounds a row takes whose usual number is `usual`."""
        return self.pairs or usual


@dataclass(frozen=True, slots=True)
class Row:
    """The outcome of one comparison. Figures are those of one run on one machine: only their ratio says something."""

    name: str
    what: str
    """What was compared: ours / baseline."""
    goal: float
    ours: tuple[float, ...]
    baseline: tuple[float, ...]
    unit: str = "ms"
    at_least: bool = False
    """Whether more is better: a rate must reach the goal, a time or a size must not go beyond it."""
    note: str = ""

    @property
    def ratio(self) -> float:
        """Return the median of ours divided by the median of the baseline."""
        return statistics.median(self.ours) / statistics.median(self.baseline)

    @property
    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval of the ratio: rounds drawn again and again from those that were measured."""
        draw = random.Random(len(self.ours))  # the same figures give the same interval
        paired = list(zip(self.ours, self.baseline, strict=False))
        found = sorted(_ratio(draw.choices(paired, k=len(paired))) for _ in range(_RESAMPLES))
        return found[_RESAMPLES // 40], found[-_RESAMPLES // 40]

    @property
    def ok(self) -> bool:
        """Tell whether the goal is met."""
        return self.ratio >= self.goal if self.at_least else self.ratio <= self.goal

    def to_dict(self) -> dict[str, object]:
        """Return the row as a document."""
        low, high = self.interval
        return {
            "name": self.name,
            "what": self.what,
            "ratio": self.ratio,
            "interval95": [low, high],
            "goal": self.goal,
            "goalIs": "at least" if self.at_least else "at most",
            "met": self.ok,
            "unit": self.unit,
            "ours": list(self.ours),
            "baseline": list(self.baseline),
            "note": self.note,
        }

    def __str__(self) -> str:
        low, high = self.interval
        verdict = "met" if self.ok else "MISSED"
        sign = ">=" if self.at_least else "<="
        text = (
            f"{self.name}: {self.what}: {self.ratio:.2f} [{low:.2f} to {high:.2f}], "
            f"goal {sign} {self.goal:g}: {verdict}\n"
            f"    ours {_spread(self.ours)}, baseline {_spread(self.baseline)} {self.unit}, {len(self.ours)} rounds"
        )
        return f"{text}\n    {self.note}" if self.note else text


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row that has nothing to measure here."""

    name: str
    reason: str

    def to_dict(self) -> dict[str, object]:
        """Return the row as a document."""
        return {"name": self.name, "skipped": self.reason}

    def __str__(self) -> str:
        return f"{self.name}: skipped: {self.reason}"


@dataclass(slots=True)
class Pairs:
    """What was measured round by round."""

    ours: list[float] = field(default_factory=list)
    baseline: list[float] = field(default_factory=list)

    def add(self, ours: float, baseline: float) -> None:
        """Keep one round."""
        self.ours.append(ours)
        self.baseline.append(baseline)


def measure(rounds: int, ours: Callable[[], float], baseline: Callable[[], float], *, warm: int = 1) -> Pairs:
    """Call `ours` and `baseline` in turn (A B A B …) and keep the figures that they return.

    The first `warm` rounds are not counted: they compile, import and fill caches.
    """
    pairs = Pairs()
    for number in range(warm + rounds):
        figures = ours(), baseline()
        if number >= warm:
            pairs.add(*figures)
    return pairs


def milliseconds(action: Callable[[], object]) -> Callable[[], float]:
    """Return a function that runs `action` and says how long it took."""

    def timed() -> float:
        gc.collect()
        start = time.perf_counter()
        action()
        return 1000 * (time.perf_counter() - start)

    return timed


def row(
    name: str, what: str, goal: float, pairs: Pairs, unit: str = "ms", *, at_least: bool = False, note: str = ""
) -> Row:
    """Return a row of the figures in `pairs`."""
    return Row(name, what, goal, tuple(pairs.ours), tuple(pairs.baseline), unit, at_least, note)


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest of `values` that `percent` % of them do not go beyond."""
    ordered = sorted(values)
    return ordered[max(math.ceil(len(ordered) * percent / 100), 1) - 1]


def _ratio(drawn: Sequence[tuple[float, float]]) -> float:
    return statistics.median(ours for ours, _ in drawn) / statistics.median(baseline for _, baseline in drawn)


def _spread(values: Sequence[float]) -> str:
    low, middle, high = (f"{value:.4g}" for value in (min(values), statistics.median(values), max(values)))
    return f"{middle} [{low} to {high}]"
