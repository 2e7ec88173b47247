"""The buckets in which durations of finished runs are counted (reference section 6.6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate

BUCKETS_SECONDS = (10, 30, 60, 90, 120, 180, 240, 300, 600, 900, 1200)
"""Upper bounds; what lasted longer is in the bucket `INFINITE`."""
INFINITE = 0
"""How the bucket without upper bound is stored."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """The runs of one kind whose duration lies between two bounds."""

    bound_seconds: int
    runs: int
    sum_milliseconds: int


def bucket_of(duration: timedelta) -> int:
    """Return the bound of the bucket that a duration falls into."""
    seconds = duration.total_seconds()
    return next((bound for bound in BUCKETS_SECONDS if seconds <= bound), INFINITE)


def milliseconds(begun: datetime, ended: datetime) -> int:
    """Return how long a run lasted; a clock that was set back counts as no time."""
    return max(0, (ended - begun) // timedelta(milliseconds=1))


def cumulative(buckets: Iterable[Bucket]) -> tuple[list[tuple[str, float]], float]:
    """Return the buckets as Prometheus wants them, each with all smaller ones, and the sum in seconds."""
    counted: Counter[int] = Counter()
    total_milliseconds = 0
    for bucket in buckets:
        counted[bucket.bound_seconds] += bucket.runs
        total_milliseconds += bucket.sum_milliseconds
    bounds = [*((str(float(bound)), counted[bound]) for bound in BUCKETS_SECONDS), ("+Inf", counted[INFINITE])]
    sums = accumulate(count for _, count in bounds)
    return [(bound, float(seen)) for (bound, _), seen in zip(bounds, sums, strict=True)], total_milliseconds / 1000
