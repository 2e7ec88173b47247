from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from server.content_check.budget import MemoryBudget
from server.errors import CheckerBusyError

LONG = 30.0


def test_what_does_not_fit_is_told_to_come_again() -> None:
    budget = MemoryBudget(10)

    with budget.reserve(6, LONG), pytest.raises(CheckerBusyError), budget.reserve(5, 0.01):
        raise AssertionError("nothing was left")


def test_memory_that_is_given_back_goes_to_who_waits() -> None:
    budget = MemoryBudget(10)
    first, entered = threading.Event(), threading.Event()

    def wait_for_it() -> bool:
        with budget.reserve(10, LONG):
            return first.is_set()

    with ThreadPoolExecutor(1) as pool:
        with budget.reserve(1, LONG):
            waiting = pool.submit(lambda: (entered.set(), wait_for_it())[1])
            assert entered.wait(LONG)
            first.set()

        assert waiting.result(LONG) is True


def test_a_wish_above_everything_gets_everything() -> None:
    budget = MemoryBudget(10)

    with budget.reserve(1000, 0.01), pytest.raises(CheckerBusyError), budget.reserve(1, 0.01):
        raise AssertionError("nothing was left")


def test_a_refused_wish_leaves_nothing_behind() -> None:
    budget = MemoryBudget(10)
    with budget.reserve(10, LONG), pytest.raises(CheckerBusyError), budget.reserve(1, 0.01):
        raise AssertionError("nothing was left")

    with budget.reserve(10, 0.01):
        held = True

    assert held


def test_many_threads_never_hold_more_than_there_is() -> None:
    budget, lock = MemoryBudget(10), threading.Lock()
    held: list[int] = []
    most: list[int] = []

    def work(number: int) -> None:
        wanted = number % 7 + 1
        with budget.reserve(wanted, LONG):
            with lock:
                held.append(wanted)
                most.append(sum(held))
            with lock:
                held.remove(wanted)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(300)))

    assert max(most) <= 10
