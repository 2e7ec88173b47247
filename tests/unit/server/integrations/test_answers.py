"""What answers of third parties ask for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from server.integrations.answers import parse_retry_after

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("17", timedelta(seconds=17)),
        (" 0 ", timedelta()),
        ("Fri, 20 Nov 2026 12:01:30 GMT", timedelta(seconds=90)),
        ("Fri, 20 Nov 2026 12:01:30", timedelta(seconds=90)),
        ("Fri, 20 Nov 2026 11:00:00 GMT", timedelta()),
        ("Fri, 20 Nov 2026 13:01:30 +0100", timedelta(seconds=90)),
    ],
)
def test_a_target_says_how_long_to_wait(text: str, wait: timedelta) -> None:
    assert parse_retry_after(text, NOW) == wait


@pytest.mark.parametrize(
    "text",
    ["", "soon", "-1", "1.5", "²", "Fri, 99 Nov 2026 12:00:00 GMT", "Fri, " + "9" * 70 + " Nov 2026 12:05:10 GMT"],
)
def test_a_text_that_names_no_time_asks_for_nothing(text: str) -> None:
    assert parse_retry_after(text, NOW) is None
