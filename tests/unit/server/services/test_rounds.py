"""Whose turn it is with the dispatcher (T30)."""

from __future__ import annotations

import pytest

from server.services.rounds import OWNERS, Rounds, in_turns


def lister(*owners: str):  # what a store returns
    return lambda after, limit: [owner for owner in sorted(owners) if owner > after][:limit]


def test_the_next_batch_begins_behind_who_was_served_last() -> None:
    rounds = Rounds()
    first = rounds.choose(lister("a", "b", "c"))
    rounds.end("b")

    assert first == ["a", "b", "c"]
    assert rounds.choose(lister("a", "b", "c")) == ["c", "a", "b"]


def test_everybody_is_served_however_many_wait() -> None:
    owners = [f"{number:03}" for number in range(3 * OWNERS + 1)]
    rounds, served = Rounds(), []
    for _ in range(4):
        batch = rounds.choose(lister(*owners))
        rounds.end(batch[-1])
        served += batch

    assert set(served) == set(owners)
    assert all(len(served[at : at + OWNERS]) == OWNERS for at in range(0, 4 * OWNERS, OWNERS))


def test_a_batch_that_begins_anew_with_the_first_is_no_longer_than_others() -> None:
    owners = [f"{number:03}" for number in range(OWNERS + 1)]
    rounds = Rounds()
    rounds.end(owners[OWNERS - 2])

    assert rounds.choose(lister(*owners)) == [*owners[OWNERS - 1 :], *owners[: OWNERS - 2]]


def test_who_is_set_aside_takes_nobody_s_place() -> None:
    owners = [f"{number:03}" for number in range(OWNERS + 2)]

    chosen = Rounds().choose(lister(*owners), {"000", "001"})

    assert chosen == owners[2:]


@pytest.mark.parametrize("last", ["", "b", "z"])
def test_nothing_waits(last: str) -> None:
    rounds = Rounds()
    rounds.end(last)

    assert rounds.choose(lister()) == []


def test_one_of_each_comes_before_a_second_one() -> None:
    assert in_turns([[1, 2, 3], [10], [20, 21]]) == [1, 10, 20, 2, 21, 3]
