"""How every benchmark measures: ours and its baseline in turn, the ratio of the medians, never an absolute claim."""

from __future__ import annotations

import gc
import math
import random
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TypeVar

PAIRS = 15
"""Rounds of a comparison, unless a row can afford fewer only."""

FEWEST_FOR_INTERVAL = 6
"""Of fewer rounds no interval is given: five figures drawn again say little but which of them was the smallest."""

_RESAMPLES = 2000

T = TypeVar("T")


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
    goal: float | None
    """None: for information only."""
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
    def rounds(self) -> int:
        """Return how often both were measured."""
        return len(self.ours)

    @property
    def extremes(self) -> tuple[float, float]:
        """Return the smallest and the largest ratio of one round."""
        found = [ours / baseline for ours, baseline in self._paired]
        return min(found), max(found)

    @property
    def interval(self) -> tuple[float, float] | None:
        """Return the 95 % interval of the ratio: rounds drawn again and again from those that were measured.

        None: there were fewer than `FEWEST_FOR_INTERVAL`.
        """
        if self.rounds < FEWEST_FOR_INTERVAL:
            return None
        draw, paired = random.Random(self.rounds), self._paired  # the same figures give the same interval
        found = sorted(_ratio(draw.choices(paired, k=len(paired))) for _ in range(_RESAMPLES))
        return found[_RESAMPLES // 40], found[-_RESAMPLES // 40]

    @property
    def between(self) -> str:
        """Return how far the ratio can be trusted, in words: an interval, or what the few rounds lie between."""
        low, high = self.interval or self.extremes
        return f"{low:.2f} to {high:.2f}" + ("" if self.interval else f", {self._counted}")

    @property
    def wanted(self) -> str:
        """Return the goal in words."""
        return "none" if self.goal is None else f"{'>=' if self.at_least else '<='} {self.goal:g}"

    @property
    def ok(self) -> bool:
        """Tell whether the goal is met; without one nothing can be missed."""
        if self.goal is None:
            return True
        return self.ratio >= self.goal if self.at_least else self.ratio <= self.goal

    @property
    def verdict(self) -> str:
        """Return what the ratio says about the goal, in a word."""
        if self.goal is None:
            return "-"
        return "met" if self.ok else "MISSED"

    @property
    def _counted(self) -> str:
        return "1 round" if self.rounds == 1 else f"{self.rounds} rounds"

    @property
    def _paired(self) -> list[tuple[float, float]]:
        return list(zip(self.ours, self.baseline, strict=True))

    def to_dict(self) -> dict[str, object]:
        """Return the row as a document."""
        return {
            "name": self.name,
            "what": self.what,
            "ratio": self.ratio,
            "rounds": self.rounds,
            "extremes": list(self.extremes),
            "interval95": list(self.interval) if self.interval else None,
            "goal": self.goal,
            "goalIs": "at least" if self.at_least else "at most",
            "met": None if self.goal is None else self.ok,
            "unit": self.unit,
            "ours": list(self.ours),
            "baseline": list(self.baseline),
            "note": self.note,
        }

    def __str__(self) -> str:
        goal = "no goal" if self.goal is None else f"goal {self.wanted}: {self.verdict}"
        text = (
            f"{self.name}: {self.what}: {self.ratio:.2f} [{self.between}], {goal}\n"
            f"    ours {_spread(self.ours)}, baseline {_spread(self.baseline)} {self.unit}, {self._counted}"
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


@dataclass(frozen=True, slots=True)
class Failed:
    """A row that could not be measured to its end."""

    name: str
    reason: str
    """What happened, with the end of the server's log where one was running; several lines."""

    def to_dict(self) -> dict[str, object]:
        """Return the row as a document."""
        return {"name": self.name, "failed": self.reason}

    def __str__(self) -> str:
        return f"{self.name}: FAILED: {self.reason}"


Result = Row | Skipped | Failed
"""What becomes of a row."""


def attempt(
    name: str, action: Callable[[], Iterable[Result]], log: AbstractContextManager[object] | None = None
) -> Iterator[Result]:
    """Return what `action` measures, row by row; when it fails, `Failed` stands in the place of the rest.

    `log` adds to an exception what a server wrote.
    """
    try:
        with log or nullcontext():
            yield from action()
    except Exception as error:  # noqa: BLE001  # whatever it is: rows before and after it are worth as much as ever
        yield Failed(name, "\n".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())]))


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
    """Call `ours` and `baseline` in turn and keep the figures that they return.

    The first `warm` rounds are not counted: they compile, import and fill caches.
    """
    pairs = Pairs()
    for number in range(warm + rounds):
        figures = in_turn(number, ours, baseline)
        if number >= warm:
            pairs.add(*figures)
    return pairs


def in_turn(number: int, ours: Callable[[], T], baseline: Callable[[], T]) -> tuple[T, T]:
    """Call both in round `number` and return ours and the baseline's.

    Who begins changes with each round (A B, B A, A B …): what one leaves behind, like a disk that still writes, hits
    both alike.
    """
    if number % 2:
        theirs = baseline()
        return ours(), theirs
    return ours(), baseline()


def milliseconds(action: Callable[[], object]) -> Callable[[], float]:
    """Return a function that runs `action` and says how long it took."""

    def timed() -> float:
        gc.collect()
        start = time.perf_counter()
        action()
        return 1000 * (time.perf_counter() - start)

    return timed


def row(
    name: str, what: str, goal: float | None, pairs: Pairs, unit: str = "ms", *, at_least: bool = False, note: str = ""
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
