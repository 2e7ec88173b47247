"""Times in the database: UTC, fixed width, so that they sort as text on every engine."""

from __future__ import annotations

from datetime import UTC, datetime


def to_text(moment: datetime) -> str:
    """Return an aware time as `2026-01-31T12:00:00.000000Z`."""
    # Not by `strftime`, which writes the year 500 with three digits: nothing would read that again.
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def from_text(text: str) -> datetime:
    """Return the time that `to_text` wrote."""
    return datetime.fromisoformat(text)


def optional_text(moment: datetime | None) -> str | None:
    """Return `to_text` of a time that may be absent."""
    return to_text(moment) if moment else None


def optional_time(text: str | None) -> datetime | None:
    """Return `from_text` of a text that may be absent."""
    return from_text(text) if text else None
