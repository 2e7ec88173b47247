from __future__ import annotations

import pytest

from server.content_check.wire import CheckOutcome
from server.services.metrics_process import BOUNDS_SECONDS, ProcessMetrics


@pytest.fixture
def process() -> ProcessMetrics:
    made = ProcessMetrics(2)
    made.prepare([("GET", "/a"), ("POST", "/a")])
    return made


def test_an_answer_is_counted_by_method_route_and_status(process: ProcessMetrics) -> None:
    process.answered("GET", "/a", 200, 0.3)
    process.answered("GET", "/a", 200, 99.0)
    process.answered("GET", "/a", 799, 0.0)

    [traffic] = process.traffic()

    assert (traffic.method, traffic.route) == ("GET", "/a")
    assert traffic.statuses == (("200", 2.0), ("other", 1.0))
    assert dict(traffic.buckets)["0.25"] == 1.0
    assert dict(traffic.buckets)["0.5"] == 2.0
    assert traffic.buckets[-1] == ("+Inf", 3.0)
    assert traffic.seconds == pytest.approx(99.3)


@pytest.mark.parametrize("bound", BOUNDS_SECONDS)
def test_a_bound_belongs_to_its_bucket(process: ProcessMetrics, bound: float) -> None:
    process.answered("GET", "/a", 200, bound)

    [traffic] = process.traffic()

    assert dict(traffic.buckets)[str(bound)] == 1.0


@pytest.mark.parametrize(
    ("method", "route", "counted"),
    [
        ("GET", None, ("GET", "unknown")),
        ("GET", "/made-up", ("GET", "unknown")),
        ("DELETE", "/a", ("DELETE", "unknown")),
        ("BREW", "/a", ("unknown", "unknown")),
    ],
)
def test_t47_what_nobody_knows_makes_no_series(
    process: ProcessMetrics, method: str, route: str | None, counted: tuple[str, str]
) -> None:
    process.answered(method, route, 404, 0.0)

    assert [(entry.method, entry.route) for entry in process.traffic()] == [counted]


def test_a_worker_that_takes_the_place_of_a_dead_one_is_at_nothing(process: ProcessMetrics) -> None:
    process.begin()
    process.answered("GET", "/a", 200, 0.1)

    process.take_column(0)

    assert process.in_flight == 0.0
    assert len(list(process.traffic())) == 1


def test_requests_in_progress_come_and_go(process: ProcessMetrics) -> None:
    process.begin()
    process.begin()
    process.end()

    assert process.in_flight == 1.0


def test_every_outcome_of_a_check_is_there_from_the_beginning(process: ProcessMetrics) -> None:
    process.checked(CheckOutcome.MEMORY_LIMIT)

    checks = process.checks()

    assert set(checks) == {outcome.value for outcome in CheckOutcome}
    assert (checks["memory-limit"], checks["accepted"]) == (1.0, 0.0)


def test_nothing_is_counted_before_the_routes_are_known() -> None:
    process = ProcessMetrics(1)

    process.answered("GET", "/a", 200, 0.1)

    assert list(process.traffic()) == []
