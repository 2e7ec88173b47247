"""The soak's own judgement: it notices what must not be."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from examples.forge.exchange import Answer, Exchange, Request
from tests.soak.checks import ViolationError
from tests.soak.delivery_checks import Left, check_sent, find_pause
from tests.soak.shared_clock import SharedClock

NOW = datetime(2026, 11, 30, tzinfo=UTC)
PENDING, SUCCESS = ("pending", "waiting", "https://x.test/v"), ("success", "all there", "https://x.test/v")
VERSIONS = {("c0ffee", "chainloop/app/build"): [PENDING, SUCCESS]}


def sent(said: tuple[str, str, str]) -> Exchange:
    state, description, target_url = said
    body = {"state": state, "description": description, "target_url": target_url, "context": "chainloop/app/build"}
    request = Request("POST", "/repos/o/r/statuses/c0ffee", body=json.dumps(body).encode())
    return Exchange(1, request, Answer(502), "robot", "/repos/{owner}/{repo}/statuses/{sha}")


def test_a_status_may_be_sent_again_and_a_verdict_left_out() -> None:
    check_sent(VERSIONS, [sent(PENDING), sent(PENDING), sent(SUCCESS), sent(SUCCESS)])
    check_sent(VERSIONS, [sent(SUCCESS)])


def test_an_older_verdict_after_a_newer_one_is_noticed() -> None:
    with pytest.raises(ViolationError, match="after a newer verdict"):
        check_sent(VERSIONS, [sent(SUCCESS), sent(PENDING)])


def test_a_status_that_says_what_nobody_judged_is_noticed() -> None:
    with pytest.raises(ViolationError, match="nobody had judged so"):
        check_sent(VERSIONS, [sent(("success", "waiting", "https://x.test/v"))])


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (Left(0, 3, 0, NOW + timedelta(minutes=5)), timedelta(minutes=5)),
        (Left(1, 3, 0, NOW + timedelta(minutes=5)), None),
        (Left(0, 3, 0, NOW), None),
        (Left(0, 3, 0, None), None),
    ],
    ids=["all wait", "news", "due", "a try is being made"],
)
def test_time_is_skipped_only_while_all_wait(left: Left, expected: timedelta | None) -> None:
    assert find_pause(left, NOW) == expected


def test_a_clock_that_is_moved_is_moved_for_all_who_read_it(tmp_path: Path) -> None:
    mine, theirs = SharedClock(tmp_path / "clock"), SharedClock(tmp_path / "clock")

    mine.advance(timedelta(hours=7))

    assert abs(theirs() - mine()) < timedelta(minutes=1)
    assert theirs() - datetime.now(UTC) > timedelta(hours=6)
