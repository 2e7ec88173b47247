"""How long the dispatcher writes in one go while requests wait for the database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from server.store.writer_turns import TURN_SECONDS

T = TypeVar("T")


def for_one_turn(items: Iterable[T], monotonic: Callable[[], float], is_waited_for: Callable[[], bool]) -> Iterator[T]:
    """Yield the first of `items`, and others until the turn is over and somebody waits to write."""
    end = monotonic() + TURN_SECONDS
    for item in items:
        yield item
        if monotonic() >= end and is_waited_for():
            return
