from __future__ import annotations

import pytest

from server.errors import TooManyRequestsError
from server.services.inbound_limits import MAX_KEYS, InboundLimits, Rate


class Watch:
    """A clock that a test turns."""

    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def limits(watch: Watch) -> InboundLimits:
    return InboundLimits(watch, source=Rate(5, 1), stranger=Rate(3, 0.5))


def admitted(limits: InboundLimits, address: str = "192.0.2.1", source_id: str | None = "s", times: int = 100) -> int:
    """Return how many of so many are taken."""
    for count in range(times):
        try:
            limits.admit(address, source_id)
        except TooManyRequestsError:
            return count
    return times


def refuse(limits: InboundLimits, times: int, address: str = "192.0.2.1", source_id: str | None = "s") -> None:
    for _ in range(times):
        limits.refused(address, source_id)


def test_of_a_source_so_many_at_once_are_taken_and_more_with_time(limits: InboundLimits, watch: Watch) -> None:
    assert admitted(limits) == 5
    watch.seconds += 2
    assert admitted(limits) == 2


def test_a_source_that_was_quiet_for_long_has_no_more_than_its_burst(limits: InboundLimits, watch: Watch) -> None:
    admitted(limits)
    watch.seconds += 3600

    assert admitted(limits) == 5


def test_who_was_refused_too_often_is_not_looked_at_until_time_has_passed(limits: InboundLimits, watch: Watch) -> None:
    refuse(limits, 3)
    assert admitted(limits) == 0

    watch.seconds += 2
    assert admitted(limits, times=1) == 1


def test_refusals_that_go_on_shut_nobody_out_for_longer(limits: InboundLimits, watch: Watch) -> None:
    refuse(limits, 500)

    watch.seconds += 2
    assert admitted(limits, times=1) == 1


def test_a_stranger_shuts_out_neither_another_address_nor_another_source(limits: InboundLimits) -> None:
    refuse(limits, 3)

    assert admitted(limits, address="192.0.2.2", times=1) == 1
    assert admitted(limits, source_id="other", times=1) == 1


def test_a_source_that_does_not_exist_is_limited_by_its_refusals_alone(limits: InboundLimits) -> None:
    assert admitted(limits, source_id=None) == 100
    refuse(limits, 3, source_id=None)
    assert admitted(limits, source_id=None) == 0


def test_of_more_senders_than_are_remembered_the_quietest_is_forgotten(limits: InboundLimits) -> None:
    refuse(limits, 3, address="first", source_id=None)
    refuse(limits, 3, address="second", source_id=None)
    for number in range(MAX_KEYS - 1):
        limits.refused(f"a{number}", None)

    assert admitted(limits, address="first", source_id=None, times=1) == 1
    assert admitted(limits, address="second", source_id=None, times=1) == 0
