import itertools

import pytest

from server.services.short_turns import for_one_turn
from server.store.writer_turns import TURN_SECONDS


@pytest.mark.parametrize(("is_waited_for", "taken"), [(True, 3), (False, 10)])
def test_a_turn_ends_after_its_time_when_somebody_waits(is_waited_for, taken):
    clock = (number * TURN_SECONDS / 3 for number in itertools.count())

    found = list(for_one_turn(range(10), lambda: next(clock), lambda: is_waited_for))

    assert found == list(range(taken))


def test_the_first_thing_is_always_done():
    clock = itertools.count()

    assert list(for_one_turn("ab", lambda: next(clock), lambda: True)) == ["a"]
