from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from chainloop_ci.cli.durations import (
    parse_date_ahead,
    parse_duration,
    parse_enforcement,
    parse_moment,
    parse_size,
    render_duration,
)
from chainloop_ci.errors import UsageError

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("24h", 86400), ("7d", 604800), ("2w", 1209600), ("1h30m", 5400)]
)
def test_a_duration_is_read_in_seconds(text: str, seconds: int) -> None:
    assert parse_duration(text, "--x") == seconds


@pytest.mark.parametrize("text", ["", "1", "h", "1.5h", "-1h", "1y", "1h ", "1h\n", "٣h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--x: expected a duration"):
        parse_duration(text, "--x")


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (90, "1m30s"), (21600, "6h"), (90000, "1d1h")])
def test_a_duration_is_written_as_it_is_typed(seconds: int, text: str) -> None:
    assert render_duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31", "2026-01-31T00:00:00Z"),
        ("2026-01-31T12:00:00+02:00", "2026-01-31T10:00:00Z"),
        ("2h", "2026-11-20T10:00:00Z"),
    ],
)
def test_a_moment_is_a_day_a_time_or_so_long_ago(text: str, moment: str) -> None:
    assert parse_moment(text, "--since", NOW) == moment


@pytest.mark.parametrize(
    "text",
    ["", "now", "2026-13-01", "1770000000", "999999999w", "9999999d", "0001-01-01T00:00:00+14:00"],
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--since"):
        parse_moment(text, "--since", NOW)


@pytest.mark.parametrize(
    ("text", "size"), [("0", 0), ("500", 500), ("10GB", 10**10), ("1 GiB", 2**30), ("5kb", 5000), ("2TB", 2 * 10**12)]
)
def test_a_size_is_read_in_bytes(text: str, size: int) -> None:
    assert parse_size(text, "--quota") == size


@pytest.mark.parametrize("text", ["", "GB", "1.5GB", "-1", "10 PB", "1e9"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--quota"):
        parse_size(text, "--quota")


def test_a_day_begins_in_utc_wherever_it_is_typed() -> None:
    script = (
        "from datetime import UTC, datetime; from chainloop_ci.cli.durations import parse_moment\n"
        "print(parse_moment('2026-01-31', '--since', datetime.now(UTC)))"
    )
    environment = {**os.environ, "TZ": "Asia/Tokyo"}

    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)

    assert done.stdout == "2026-01-31T00:00:00Z\n"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-12-31", "2026-12-31T00:00:00Z"),
        ("2026-12-31T12:00:00+02:00", "2026-12-31T10:00:00Z"),
        ("14d", "2026-02-14T12:00:00Z"),
        ("1h30m", "2026-01-31T13:30:00Z"),
    ],
)
def test_r38_a_date_ahead_is_a_day_a_time_or_so_far_ahead(text: str, moment: str) -> None:
    assert parse_date_ahead(text, "--enforce-from", datetime(2026, 1, 31, 12, tzinfo=UTC)) == moment


@pytest.mark.parametrize("text", ["", "soon", "14", "-14d", "2026-13-01", "999999999w"])
def test_r38_what_is_no_date_ahead_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--enforce-from: expected a day, a time or a duration"):
        parse_date_ahead(text, "--enforce-from", datetime(2026, 1, 31, 12, tzinfo=UTC))


@pytest.mark.parametrize(("typed", "sent"), [(None, None), ("now", "now"), ("14d", "2026-02-14T12:00:00Z")])
def test_r38_what_is_enforced_now_is_sent_as_that_word(typed: str | None, sent: str | None) -> None:
    assert parse_enforcement(typed, datetime(2026, 1, 31, 12, tzinfo=UTC)) == sent
