"""Things at once."""

from __future__ import annotations

import threading

import pytest

from bench.together import run_together


def test_all_run_at_once() -> None:
    meet = threading.Barrier(3)

    seconds = run_together([lambda: meet.wait(10)] * 3)

    assert seconds > 0
    assert not meet.broken


def fail(error: Exception) -> None:
    """Raise it."""
    raise error


def test_any_exception_in_a_thread_is_a_failure_and_the_commonest_reason_stands_first() -> None:
    errors = [OSError("reset"), KeyError("digest"), OSError("reset")]

    with pytest.raises(RuntimeError) as failed:
        run_together([lambda: None, *(lambda error=error: fail(error) for error in errors)])

    assert str(failed.value) == "3 of 4 failed: 2 times OSError: reset; 1 times KeyError: 'digest'"
