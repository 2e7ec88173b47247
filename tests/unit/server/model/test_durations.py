from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from server.model.durations import BUCKETS_SECONDS, INFINITE, Bucket, bucket_of, cumulative, milliseconds

START = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "bound"), [(0, 10), (10, 10), (10.001, 30), (1200, 1200), (1200.5, INFINITE), (1e6, INFINITE)]
)
def test_a_duration_falls_into_the_first_bucket_that_holds_it(seconds: float, bound: int) -> None:
    assert bucket_of(timedelta(seconds=seconds)) == bound


def test_buckets_hold_all_smaller_ones_too() -> None:
    counts, total_seconds = cumulative([Bucket(30, 2, 50_000), Bucket(INFINITE, 1, 2_000_000), Bucket(30, 1, 20_000)])

    found = dict(counts)
    assert (found["10.0"], found["30.0"], found["1200.0"], found["+Inf"]) == (0, 3, 3, 4)
    assert total_seconds == 2070
    assert len(counts) == len(BUCKETS_SECONDS) + 1


def test_a_clock_that_was_set_back_counts_as_no_time() -> None:
    assert milliseconds(START, START - timedelta(hours=1)) == 0
    assert milliseconds(START, START + timedelta(seconds=1.5)) == 1500
