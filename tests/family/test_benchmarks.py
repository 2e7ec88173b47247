"""The rows of the benchmarks and the page that describes them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.__main__ import ROWS, main
from bench.harness import Pairs, Row, percentile, row

PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"


def make_row(ours: list[float], baseline: list[float], goal: float, *, at_least: bool = False) -> Row:
    pairs = Pairs()
    for figures in zip(ours, baseline, strict=True):
        pairs.add(*figures)
    return row("name", "ours / baseline", goal, pairs, at_least=at_least)


def test_the_page_describes_every_row_and_no_other() -> None:
    described = set(re.findall(r"^\| `(\w+)`", PAGE.read_text(), re.MULTILINE))

    assert described == set(ROWS)


def test_the_list_says_what_each_row_compares(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["--list"])

    lines = capsys.readouterr().out.splitlines()
    assert status == 0
    assert [line.split()[0] for line in lines] == list(ROWS)
    assert all(len(line.split()) > 3 for line in lines)


def test_an_unknown_row_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["no-such-row"])

    assert ended.value.code == 2
    assert "no-such-row" in capsys.readouterr().err


def test_the_ratio_is_that_of_the_medians() -> None:
    measured = make_row([4.0, 6.0, 100.0], [1.0, 2.0, 3.0], goal=3.0)

    assert measured.ratio == 3.0
    assert measured.ok


@pytest.mark.parametrize(("at_least", "met"), [(False, False), (True, True)])
def test_a_rate_must_reach_its_goal_and_a_time_must_not_go_beyond(at_least: bool, met: bool) -> None:
    measured = make_row([5.0], [1.0], goal=4.0, at_least=at_least)

    assert measured.ok is met


def test_the_interval_holds_the_ratio_and_is_the_same_each_time() -> None:
    measured = make_row([4.0, 5.0, 6.0, 7.0], [1.0, 1.1, 0.9, 1.0], goal=5.0)

    low, high = measured.interval

    assert low <= measured.ratio <= high
    assert measured.interval == (low, high)


@pytest.mark.parametrize(
    ("count", "percent", "expected"),
    [(100, 99, 99), (100, 100, 100), (100, 50, 50), (1, 99, 1), (10, 99, 10), (3, 0, 1)],
)
def test_a_percentile_is_a_value_that_no_more_than_its_share_go_beyond(
    count: int, percent: float, expected: float
) -> None:
    assert percentile(range(count, 0, -1), percent) == expected
