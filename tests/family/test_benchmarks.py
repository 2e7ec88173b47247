"""The rows of the benchmarks and the page that describes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.__main__ import ROWS, exit_status, main, measure_all
from bench.harness import Failed, Pairs, Result, Row, Settings, Skipped, attempt, measure, percentile, row
from bench.plane import log_noted

PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"


def make_row(ours: list[float], baseline: list[float], goal: float | None, *, at_least: bool = False) -> Row:
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
    measured = make_row([4.0, 5.0, 6.0, 7.0, 5.0, 6.0], [1.0, 1.1, 0.9, 1.0, 1.0, 1.2], goal=5.0)

    interval = measured.interval

    assert interval is not None
    assert interval[0] <= measured.ratio <= interval[1]
    assert measured.interval == interval


def test_of_few_rounds_no_interval_is_claimed_but_what_they_lie_between() -> None:
    measured = make_row([4.0, 6.0, 5.0, 5.0, 5.0], [1.0, 1.0, 1.0, 1.0, 2.0], goal=5.0)

    assert measured.interval is None
    assert measured.between == "2.50 to 6.00, 5 rounds"
    assert measured.to_dict()["interval95"] is None


def test_a_row_without_a_goal_misses_none() -> None:
    measured = make_row([5.0], [1.0], goal=None)

    assert (measured.ok, measured.verdict, measured.wanted) == (True, "-", "none")
    assert measured.to_dict()["met"] is None
    assert str(measured).splitlines()[0].endswith("no goal")


def test_the_one_that_begins_changes_with_each_round() -> None:
    calls: list[str] = []

    pairs = measure(3, lambda: calls.append("A") or 2.0, lambda: calls.append("B") or 1.0)  # type: ignore[func-returns-value]

    assert "".join(calls) == "AB" + "BA" + "AB" + "BA"
    assert (pairs.ours, pairs.baseline) == ([2.0] * 3, [1.0] * 3)


def lost_half_way(settings: Settings) -> Iterator[Result]:
    """Measure one row and fail at the next one."""
    yield make_row([1.0], [1.0], goal=2.0)
    raise OSError("the second row failed")


def test_a_row_that_fails_costs_neither_those_before_it_nor_those_after_it(capsys: pytest.CaptureFixture[str]) -> None:
    after = make_row([3.0], [1.0], goal=4.0)

    found = measure_all({"lost": lost_half_way, "next": lambda _: [after]}, Settings())

    assert [type(entry) for entry in found] == [Row, Failed, Row]
    assert found[2] is after
    assert "lost: FAILED: OSError: the second row failed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (make_row([1.0], [1.0], goal=2.0), 0),
        (make_row([3.0], [1.0], goal=2.0), 1),
        (make_row([3.0], [1.0], goal=None), 0),
        (Skipped("row", "no room"), 0),
        (Failed("row", "lost"), 1),
    ],
)
def test_the_exit_status_says_whether_all_was_measured_and_met(entry: Result, expected: int) -> None:
    assert exit_status([make_row([1.0], [1.0], goal=2.0), entry]) == expected


def test_a_failure_takes_the_end_of_the_server_s_log_with_it_and_keeps_all_of_it(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_text("".join(f"line {number}\n" for number in range(100)))

    def fail() -> Iterator[Result]:
        raise OSError("gone")

    (failed,) = attempt("row", fail, log_noted(log, tmp_path))

    (kept,) = tmp_path.glob("*/server.log")
    assert isinstance(failed, Failed)
    assert failed.reason.startswith("OSError: gone\n")
    assert str(kept) in failed.reason
    assert failed.reason.endswith("line 98\nline 99")
    assert kept.read_text() == log.read_text()


@pytest.mark.parametrize(
    ("count", "percent", "expected"),
    [(100, 99, 99), (100, 100, 100), (100, 50, 50), (1, 99, 1), (10, 99, 10), (3, 0, 1)],
)
def test_a_percentile_is_a_value_that_no_more_than_its_share_go_beyond(
    count: int, percent: float, expected: float
) -> None:
    assert percentile(range(count, 0, -1), percent) == expected
