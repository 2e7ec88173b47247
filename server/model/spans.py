"""Lengths of time in the words that people read: exactly, as a setting says it, or roughly, as an age."""

from __future__ import annotations

from datetime import timedelta

_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"))


def exactly(length: timedelta) -> str:
    """Return a length of time as it is: `30 min`, `6 h`, `1 h 30 min`."""
    minutes, seconds = divmod(int(length.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (seconds, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"


def roughly(length: timedelta) -> str:
    """Return a length of time in the largest unit of which it has two, or one: `3 days`, `36 hours`.

    A negative one, by a clock that was set back, is no time.
    """
    seconds = max(0, int(length.total_seconds()))
    for size, unit in _UNITS:
        if seconds >= 2 * size or (seconds >= size and seconds % size == 0):
            return _count(seconds // size, unit)
    return _count(seconds, "second")


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
