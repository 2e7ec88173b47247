"""Durations, moments and sizes as people type them: `24h`, `2026-01-31`, `10GB`."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from chainloop_ci.api.limits import MAX_RUN_EXPIRY_SECONDS, MIN_RUN_EXPIRY_SECONDS
from chainloop_ci.attestation.times import render_time
from chainloop_ci.errors import UsageError

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"(?:[0-9]{1,9}[smhdw])+\Z")
_PART = re.compile(r"([0-9]+)([smhdw])")
_SIZES = {"": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_SIZE = re.compile(r"([0-9]{1,15}) ?([a-z]{0,3})\Z")


def parse_duration(text: str, option: str) -> int:
    """Return seconds: `90s`, `30m`, `24h`, `7d`, `1h30m`.

    Raises:
        UsageError: names the option and the form.
    """
    if not _DURATION.match(text):
        raise UsageError(f"{option}: expected a duration like 30m, 24h or 7d, found {text[:40]!r}")
    return sum(int(number) * _SECONDS[unit] for number, unit in _PART.findall(text))


def parse_run_expiry(text: str) -> int:
    """Return the seconds of `--run-expiry` (R15).

    Raises:
        UsageError: no duration, or one that no run may have.
    """
    seconds = parse_duration(text, "--run-expiry")
    if not MIN_RUN_EXPIRY_SECONDS <= seconds <= MAX_RUN_EXPIRY_SECONDS:
        shortest, longest = render_duration(MIN_RUN_EXPIRY_SECONDS), render_duration(MAX_RUN_EXPIRY_SECONDS)
        raise UsageError(f"--run-expiry: expected {shortest} to {longest}, found {text[:40]!r}")
    return seconds


def parse_moment(text: str, option: str, now: datetime) -> str:
    """Return an RFC 3339 time: one that was typed, the begin of a day in UTC, or so long ago (`24h`).

    Raises:
        UsageError: names the option and the forms.
    """
    found = _read_time(text, lambda seconds: now - timedelta(seconds=seconds), option)
    if found is None:
        raise UsageError(
            f"{option}: expected a day, a time or a duration ago, found {text[:40]!r}",
            hint="write 2026-01-31, 2026-01-31T12:00:00Z or 24h",
        )
    return found


def parse_date_ahead(text: str, option: str, now: datetime) -> str:
    """Return an RFC 3339 time: one that was typed, the begin of a day in UTC, or so far ahead (`14d`).

    Raises:
        UsageError: names the option and the forms.
    """
    found = _read_time(text, lambda seconds: now + timedelta(seconds=seconds), option)
    if found is None:
        raise UsageError(
            f"{option}: expected a day, a time or a duration, found {text[:40]!r}",
            hint="write 2026-12-31, 2026-12-31T12:00:00Z or 14d",
        )
    return found


def _read_time(text: str, at: Callable[[int], datetime], option: str) -> str | None:
    """Return an RFC 3339 time, or None when it is none; `at`: what so many seconds mean."""
    try:
        if _DURATION.match(text):
            return render_time(at(parse_duration(text, option)))
        moment = datetime.fromisoformat(text)
        return render_time(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        # Overflow: before the year 1 in UTC, or after the year 9999.
        return None


def parse_enforcement(text: str | None, now: datetime) -> str | None:
    """Return what `--enforce-from` means: an RFC 3339 time, `now`, or None when it was not given.

    Raises:
        UsageError: names the option and the forms.
    """
    return text if text is None or text == "now" else parse_date_ahead(text, "--enforce-from", now)


def parse_size(text: str, option: str) -> int:
    """Return bytes: `500MB`, `10GiB`, or a plain number.

    Raises:
        UsageError: names the option and the form.
    """
    match = _SIZE.match(text.strip().lower())
    if match is None or match[2] not in _SIZES:
        raise UsageError(f"{option}: expected a size like 500MB or 10GiB, found {text[:40]!r}")
    return int(match[1]) * _SIZES[match[2]]


def render_duration(seconds: int) -> str:
    """Return a duration as it would be typed: `6h`, `1h30m`."""
    parts = []
    for unit in ("d", "h", "m", "s"):
        count, seconds = divmod(seconds, _SECONDS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
