from __future__ import annotations

from datetime import UTC, datetime

import pytest

from chainloop_ci.api.runs import RunState
from chainloop_ci.errors import RequestInvalidError
from server.model.run_filters import MAX_COMMITS, parse_commit, parse_moment, parse_state, require_few_commits


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("success", RunState.SUCCESS),
        ("SUCCEEDED", RunState.SUCCESS),
        ("FAILED", RunState.ERROR),
        ("CANCELLED", RunState.CANCELED),
        ("canceled", RunState.CANCELED),
        ("INITIALIZED", RunState.INITIALIZED),
        ("EXPIRED", RunState.EXPIRED),
    ],
)
def test_states_are_named_in_our_words_and_in_the_references(word: str, state: RunState) -> None:
    assert parse_state(word) is state


def test_an_unknown_state_is_refused_with_the_words() -> None:
    with pytest.raises(RequestInvalidError, match="initialized"):
        parse_state("running")


@pytest.mark.parametrize("text", ["", "abc", "abcdef", "zzzzzzz", "a" * 65, "abcdef1\n"])
def test_what_is_no_commit_is_refused(text: str) -> None:
    with pytest.raises(RequestInvalidError):
        parse_commit(text)


def test_a_commit_may_be_shortened_and_written_in_capitals() -> None:
    assert parse_commit("ABCDEF1") == "abcdef1"


def test_a_time_needs_a_zone() -> None:
    assert parse_moment("since", "2026-01-31T12:00:00+01:00") == datetime(2026, 1, 31, 11, tzinfo=UTC)
    for text in ("2026-01-31T12:00:00", "0001-01-01T00:00:00+23:59"):
        with pytest.raises(RequestInvalidError, match="since"):
            parse_moment("since", text)


def test_digits_may_stand_for_a_few_commits() -> None:
    commits = tuple(f"{number:040x}" for number in range(MAX_COMMITS + 1))

    assert require_few_commits("0000000", commits[1:]) == commits[1:]
    with pytest.raises(RequestInvalidError, match="type more of its digits"):
        require_few_commits("0000000", commits)


@pytest.mark.parametrize("text", ["1969-12-31T23:59:59Z", "3000-01-01T00:00:00Z"])
def test_a_time_outside_of_the_years_that_are_stored_is_refused(text: str) -> None:
    with pytest.raises(RequestInvalidError, match="expected a time from 1970 to 2999"):
        parse_moment("until", text)


@pytest.mark.parametrize("year", [1970, 2999])
def test_the_first_and_the_last_year_are_taken(year: int) -> None:
    assert parse_moment("until", f"{year}-06-01T00:00:00Z") == datetime(year, 6, 1, tzinfo=UTC)
