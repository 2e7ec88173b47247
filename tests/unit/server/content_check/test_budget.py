from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from server.content_check.budget import MAX_WAITING, MemoryBudget
from server.errors import CheckerBusyError

LONG = 30.0


def test_what_does_not_fit_is_told_to_come_again() -> None:
    budget = MemoryBudget(10)

    with budget.reserve("acme", 6, LONG), pytest.raises(CheckerBusyError), budget.reserve("rival", 5, 0.01):
        raise AssertionError("nothing was left")


def test_memory_that_is_given_back_goes_to_who_waits() -> None:
    budget = MemoryBudget(10)
    first, entered = threading.Event(), threading.Event()

    def wait_for_it() -> bool:
        with budget.reserve("acme", 10, LONG):
            return first.is_set()

    with ThreadPoolExecutor(1) as pool:
        with budget.reserve("acme", 1, LONG):
            waiting = pool.submit(lambda: (entered.set(), wait_for_it())[1])
            assert entered.wait(LONG)
            first.set()

        assert waiting.result(LONG) is True


def test_a_wish_above_everything_gets_everything() -> None:
    budget = MemoryBudget(10)

    with budget.reserve("acme", 1000, 0.01), pytest.raises(CheckerBusyError), budget.reserve("rival", 1, 0.01):
        raise AssertionError("nothing was left")


def test_a_refused_wish_leaves_nothing_behind() -> None:
    budget = MemoryBudget(10)
    with budget.reserve("acme", 10, LONG), pytest.raises(CheckerBusyError), budget.reserve("rival", 1, 0.01):
        raise AssertionError("nothing was left")

    with budget.reserve("acme", 10, 0.01):
        held = True

    assert held


def test_many_threads_never_hold_more_than_there_is() -> None:
    budget, lock = MemoryBudget(10), threading.Lock()
    held: list[int] = []
    most: list[int] = []

    def work(number: int) -> None:
        wanted = number % 7 + 1
        with budget.reserve(f"organization-{number % 3}", wanted, LONG):
            with lock:
                held.append(wanted)
                most.append(sum(held))
            with lock:
                held.remove(wanted)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(300)))

    assert max(most) <= 10


def test_a_large_wish_that_waits_is_not_overtaken_by_small_ones() -> None:
    budget = MemoryBudget(10)

    def is_overtaken() -> bool:
        try:
            with budget.reserve("rival", 1, 0.01):
                return True
        except CheckerBusyError:
            return False

    def wait_for_all() -> bool:
        with budget.reserve("acme", 10, LONG):
            return True

    with ThreadPoolExecutor(1) as pool:
        with budget.reserve("other", 6, LONG):
            large = pool.submit(wait_for_all)
            end = time.monotonic() + LONG / 2
            while is_overtaken():
                assert time.monotonic() < end, "small wishes are served for ever"

        assert large.result(LONG) is True


def test_r11_several_checks_of_one_organization_hold_half_and_keep_nobody_waiting() -> None:
    budget = MemoryBudget(10)

    with budget.reserve("acme", 3, LONG), budget.reserve("acme", 2, LONG):
        with pytest.raises(CheckerBusyError), budget.reserve("acme", 1, 0.01):
            raise AssertionError("that is more than half")
        with budget.reserve("rival", 5, 0.01):
            both = True

    assert both


def test_r11_one_check_may_take_more_than_half() -> None:
    budget = MemoryBudget(10)

    with budget.reserve("acme", 8, 0.01), budget.reserve("rival", 2, 0.01):
        both = True

    assert both


class Queue:
    """Threads that wait for all of a budget, in the order in which they came."""

    def __init__(self, budget: MemoryBudget, pool: ThreadPoolExecutor) -> None:
        self.served: list[str] = []
        self._budget = budget
        self._pool = pool
        self._count = 0

    def add(self, owner: str, wanted: int) -> Future[None]:
        """Return when the thread stands in the queue."""
        self._count += 1
        future = self._pool.submit(self._serve, owner, wanted)
        deadline = time.monotonic() + LONG
        while len(self._budget._waiting) < self._count:
            assert time.monotonic() < deadline
            threading.Event().wait(0.001)
        return future

    def _serve(self, owner: str, wanted: int) -> None:
        with self._budget.reserve(owner, wanted, LONG):
            self.served.append(owner)


def test_r11_the_organization_that_was_served_longest_ago_comes_first() -> None:
    budget = MemoryBudget(10)

    with ThreadPoolExecutor(4) as pool:
        queue = Queue(budget, pool)
        with budget.reserve("acme", 10, LONG):
            waiting = [queue.add("acme", 10), queue.add("acme", 10), queue.add("rival", 10), queue.add("other", 10)]
        for future in waiting:
            future.result(LONG)

    assert queue.served == ["rival", "other", "acme", "acme"]


def test_r11_a_wish_that_its_own_organization_keeps_back_stands_before_nobody() -> None:
    budget = MemoryBudget(10)

    with ThreadPoolExecutor(1) as pool:
        with budget.reserve("acme", 6, LONG):
            queue = Queue(budget, pool)
            waiting = queue.add("acme", 4)
            with budget.reserve("rival", 4, 0.01):
                overtaken = list(queue.served)
        waiting.result(LONG)

    assert (overtaken, queue.served) == ([], ["acme"])


def test_who_stands_behind_a_wish_that_is_given_up_has_its_turn_at_once() -> None:
    budget = MemoryBudget(10)

    def give_up() -> None:
        with pytest.raises(CheckerBusyError), budget.reserve("acme", 10, 0.5):
            raise AssertionError("there is not so much")

    def wait_behind() -> bool:
        with budget.reserve("rival", 2, LONG):
            return True

    with ThreadPoolExecutor(2) as pool, budget.reserve("other", 6, LONG):
        first = pool.submit(give_up)
        while not budget._waiting and not first.done():
            threading.Event().wait(0.001)
        behind = pool.submit(wait_behind)
        first.result(LONG)

        assert behind.result(LONG / 2) is True


def test_t30_so_many_checks_of_one_organization_wait_and_no_more() -> None:
    budget = MemoryBudget(10)

    with ThreadPoolExecutor(MAX_WAITING + 1) as pool:
        queue = Queue(budget, pool)
        with budget.reserve("other", 10, LONG):
            waiting = [queue.add("acme", 10) for _ in range(MAX_WAITING)]
            with pytest.raises(CheckerBusyError, match="of this organization wait"), budget.reserve("acme", 1, LONG):
                raise AssertionError("there is no place left")
            waiting.append(queue.add("rival", 10))
        for future in waiting:
            future.result(LONG)

    assert sorted(queue.served) == ["acme"] * MAX_WAITING + ["rival"]
