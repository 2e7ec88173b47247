"""Times as the documents write them: RFC 3339 in UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def parse_time(text: str) -> datetime:
    """Return an RFC 3339 time as aware UTC; nanoseconds are cut to microseconds.

    Raises:
        ValueError: no time zone, or not a time.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"a time needs a zone, like 2026-01-31T12:00:00Z: found {text[:80]!r}")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"a time outside the years 1 to 9999: {text[:80]!r}") from error


def render_time(moment: datetime) -> str:
    """Return an aware time as RFC 3339 in UTC with `Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
