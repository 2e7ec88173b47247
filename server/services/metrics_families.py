"""Metric families with a bound on their label sets, and an honest count of those that are left out (T47)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

MAX_SERIES = 1000
"""Label sets of one metric in one answer."""

DROPPED = "chainloop_metrics_series_dropped"

T = TypeVar("T")
Labels = tuple[str, ...]
Series = Sequence[tuple[Labels, float]]
Histogram = tuple[Labels, Sequence[tuple[str, float]], float]
"""Labels, cumulative buckets, sum."""


class Families:
    """Makes the families of one answer and remembers what did not fit."""

    def __init__(self) -> None:
        self._dropped: dict[str, int] = {}

    def gauge(self, name: str, text: str, labels: Sequence[str], series: Series) -> Metric:
        """Return a gauge."""
        family = GaugeMetricFamily(name, text, labels=labels)
        for values, number in self._cap(name, series):
            family.add_metric(values, number)
        return family

    def counter(self, name: str, text: str, labels: Sequence[str], series: Series) -> Metric:
        """Return a counter; `name` ends in `_total`."""
        family = CounterMetricFamily(name, text, labels=labels)
        for values, number in self._cap(name, series):
            family.add_metric(values, number)
        return family

    def histogram(self, name: str, text: str, labels: Sequence[str], series: Sequence[Histogram]) -> Metric:
        """Return a histogram."""
        family = HistogramMetricFamily(name, text, labels=labels)
        for values, buckets, total in self._cap(name, series):
            family.add_metric(values, buckets, total)
        return family

    def dropped(self) -> Metric:
        """Return how many label sets each family left out; made after all others."""
        return self.gauge(
            DROPPED, "Series left out of this answer, per metric.", ("metric",), list(_labelled(self._dropped))
        )

    def _cap(self, name: str, series: Sequence[T]) -> Sequence[T]:
        if name != DROPPED:
            self._dropped[name] = max(0, len(series) - MAX_SERIES)
        return series[:MAX_SERIES]


def single(number: float) -> Series:
    """Return the series of a metric without labels."""
    return [((), number)]


def _labelled(numbers: Mapping[str, int]) -> Iterator[tuple[Labels, float]]:
    return (((name,), float(number)) for name, number in numbers.items())
