from __future__ import annotations

from datetime import timedelta

import pytest

from server.model.spans import exactly, roughly


@pytest.mark.parametrize(("seconds", "said"), [(1800, "30 min"), (21600, "6 h"), (5400, "1 h 30 min"), (0, "0 s")])
def test_a_length_of_time_is_said_in_few_words(seconds: int, said: str) -> None:
    assert exactly(timedelta(seconds=seconds)) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "0 seconds"),
        (1, "1 second"),
        (60, "1 minute"),
        (119, "119 seconds"),
        (3600, "1 hour"),
        (5400, "90 minutes"),
        (129_600, "36 hours"),
        (300_000, "3 days"),
    ],
)
def test_an_age_is_said_in_the_largest_unit_that_says_enough(seconds: int, said: str) -> None:
    assert roughly(timedelta(seconds=seconds)) == said
