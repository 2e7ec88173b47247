from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from server.services.metrics_cells import SharedCells


def in_child(work: object) -> None:
    """Run something in a forked process to its end."""
    pid = os.fork()
    if pid == 0:
        work()  # type: ignore[operator]
        os._exit(0)
    os.waitpid(pid, 0)


def test_what_processes_add_is_one_sum() -> None:
    cells = SharedCells(2, 4)

    def work() -> None:
        cells.take(1)
        cells.add(1, 2.5)

    cells.add(1)
    in_child(work)

    assert (cells.total(0), cells.total(1)) == (0.0, 3.5)


def test_a_column_goes_on_after_its_process_died() -> None:
    cells = SharedCells(1, 2)

    def work() -> None:
        cells.take(1)
        cells.add(0)

    in_child(work)
    in_child(work)

    assert cells.total(0) == 2.0


def test_only_those_that_live_are_counted_as_alive() -> None:
    cells = SharedCells(1, 3)

    def work() -> None:
        cells.take(2)
        cells.put(0, 7.0)

    cells.put(0, 1.0)
    in_child(work)

    assert (cells.count_alive(), cells.total_alive(0), cells.total(0)) == (1, 1.0, 8.0)


def test_threads_lose_nothing() -> None:
    cells = SharedCells(1, 1)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: [cells.add(0) for _ in range(500)], range(8)))

    assert cells.total(0) == 4000.0


def test_more_processes_than_columns_share_one() -> None:
    cells = SharedCells(1, 2)

    in_child(lambda: (cells.take(3), cells.add(0)))

    assert cells.total(0) == 1.0


def test_a_process_that_belongs_to_somebody_else_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = SharedCells(1, 1)

    def refuse(_pid: int, _signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)

    assert cells.count_alive() == 1
