"""Which runs a list shows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from chainloop_ci.api.runs import RunState
from chainloop_ci.errors import Finding, RequestInvalidError

STATE_WORDS = {
    **{state.value: state for state in RunState},
    # The reference's words (1.5); compared in lower case, so its upper-case spelling fits.
    "succeeded": RunState.SUCCESS,
    "failed": RunState.ERROR,
    "cancelled": RunState.CANCELED,
}

MAX_COMMITS = 10
"""Commits that the digits of a filter may stand for."""

_FIRST_YEAR, _LAST_YEAR = 1970, 2999
_COMMIT = re.compile(r"[0-9a-f]{7,64}\Z")


@dataclass(frozen=True, slots=True)
class RunFilter:
    """What a run must be; None does not matter."""

    workflow_ids: tuple[str, ...] | None = None
    project_id: str | None = None
    state: RunState | None = None
    commits: tuple[str, ...] | None = None
    """Commits, whole: attested, or named by the CI system."""
    digest: str | None = None
    """Of the attestation, of one of its materials, or of what the run uploaded or refers to."""
    runner: str | None = None
    token_ids: tuple[str, ...] | None = None
    """Tokens that may have begun the run."""
    since: datetime | None = None
    until: datetime | None = None


def parse_state(text: str) -> RunState:
    """Return the state that a filter names, in our words or in the reference's.

    Raises:
        RequestInvalidError: lists the words.
    """
    state = STATE_WORDS.get(text.lower())
    if state is None:
        raise filter_invalid("state", f"expected one of {', '.join(STATE_WORDS)}, found {text[:40]!r}")
    return state


def parse_commit(text: str) -> str:
    """Return the beginning of a commit's hash.

    Raises:
        RequestInvalidError: not at least seven hexadecimal digits.
    """
    commit = text.lower()
    if not _COMMIT.match(commit):
        raise filter_invalid("commit", f"expected at least 7 hexadecimal digits of a commit, found {text[:80]!r}")
    return commit


def require_few_commits(digits: str, found: tuple[str, ...]) -> tuple[str, ...]:
    """Return the commits that begin with `digits`.

    Raises:
        RequestInvalidError: they are more than `MAX_COMMITS`.
    """
    if len(found) > MAX_COMMITS:
        raise filter_invalid("commit", f"more than {MAX_COMMITS} commits begin with {digits}: type more of its digits")
    return found


def parse_moment(name: str, text: str) -> datetime:
    """Return the time that a filter names.

    Raises:
        RequestInvalidError: not an RFC 3339 time with a zone.
    """
    from chainloop_ci.attestation.times import parse_time

    try:
        moment = parse_time(text)
    except (ValueError, OverflowError):
        raise filter_invalid(name, f"expected a time like 2026-01-31T12:00:00Z, found {text[:40]!r}") from None
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise filter_invalid(name, f"expected a time from {_FIRST_YEAR} to {_LAST_YEAR}, found {text[:40]!r}")
    return moment


def filter_invalid(name: str, message: str) -> RequestInvalidError:
    """Return the error for a filter of a list that cannot be used."""
    return RequestInvalidError(
        f"the filter {name} cannot be used: {message}",
        findings=[Finding("invalid-parameter", message, path=f"?{name}")],
    )
