"""Waiting for what other processes do: the one place in which tests look again and again, and never for ever."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

DEADLINE_SECONDS = 120.0


def wait_for(
    what: Callable[[], T],
    said: str = "it did not come to pass",
    *,
    seconds: float = DEADLINE_SECONDS,
    pause_seconds: float = 0.02,
    error: type[Exception] = AssertionError,
) -> T:
    """Return what `what` returns as soon as that is true.

    Raises:
        Exception: `error`, with what was waited for, after `seconds`.
    """
    end = time.monotonic() + seconds
    while not (found := what()):
        if time.monotonic() > end:
            raise error(f"{said}: not within {seconds:g} s")
        time.sleep(pause_seconds)
    return found
