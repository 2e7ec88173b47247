"""What an answer of GitHub's API means for a delivery.

Sources: GitHub Docs, "Troubleshooting the REST API", "Rate limits for the REST API" and "Best practices for using the
REST API" («Handle rate limit errors appropriately»).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from server.integrations.answers import RefusedError
from server.model.deliveries import Outcome, OutcomeKind

if TYPE_CHECKING:
    from github import GithubException

MAX_WORDS = 300
UNNAMED_PAUSE = timedelta(minutes=1)
"""What GitHub asks for after a secondary limit that names no time."""
MAX_SEARCHES = 8
"""Tries of a commit that GitHub does not know, some two minutes in all: it may have been pushed a moment ago."""

_LIMITS = ("rate limit", "abuse detection")
_TRANSIENT = frozenset({408, 409, 425})


def unreadable(what: str) -> RefusedError:
    """Return what ends a try whose answer is none of GitHub's: a page of whatever stands before it, say."""
    detail = f"expected {what}, found something else; is the address the forge's own?"
    return RefusedError(Outcome(OutcomeKind.RETRY, "answer-unreadable", detail, blames_target=True))


def outcome_of(error: GithubException, need: str, attempt: int, now: datetime) -> Outcome:
    """Return what an error means; `need` names the permission that the request asks for."""
    status, said = error.status, words(error)
    if status == 401:
        return Outcome(OutcomeKind.UNAUTHORIZED, "401", f"GitHub does not take the credential: {said}")
    if is_limit(error):
        return Outcome(OutcomeKind.RETRY, str(status), said, retry_after=_pause(error, now))
    if status >= 500 or status in _TRANSIENT:
        return Outcome(OutcomeKind.RETRY, str(status), said, blames_target=status >= 500)
    if status == 403:
        return _forbidden(said, need)
    if status == 422:
        return _invalid(said, attempt)
    if status == 404:
        detail = f"GitHub shows this credential no such thing: it needs access to the repository with «{need}»"
        return Outcome(OutcomeKind.REFUSED, "404", detail)
    return Outcome(OutcomeKind.REFUSED, str(status), said)


def words(error: GithubException) -> str:
    """Return what GitHub said, in one line."""
    data: Any = error.data
    if not isinstance(data, Mapping):
        return "GitHub gave no reason"
    said = [data.get("message")]
    errors = data.get("errors")
    for item in errors if isinstance(errors, list) else ():
        said.append(item.get("message") if isinstance(item, Mapping) else item)
    return " ".join(": ".join(str(item) for item in said if item).split())[:MAX_WORDS] or "GitHub gave no reason"


def is_limit(error: GithubException) -> bool:
    """Tell whether GitHub wants to be left alone for a while."""
    headers = _headers(error)
    is_marked = headers.get("x-ratelimit-remaining") == "0" or "retry-after" in headers
    is_said = any(word in words(error).lower() for word in _LIMITS)
    return error.status == 429 or (error.status == 403 and (is_marked or is_said))


def _forbidden(said: str, need: str) -> Outcome:
    if "not accessible" in said:
        return Outcome(OutcomeKind.REFUSED, "permission-missing", f"give the credential «{need}»: {said}")
    return Outcome(OutcomeKind.REFUSED, "403", f"{said}; the credential needs «{need}»")


def _invalid(said: str, attempt: int) -> Outcome:
    if "maximum number of statuses" in said:
        return Outcome(OutcomeKind.REFUSED, "status-limit", f"GitHub takes 1 000 statuses of a context: {said}")
    if "No commit found" in said:
        kind = OutcomeKind.RETRY if attempt < MAX_SEARCHES else OutcomeKind.REFUSED
        return Outcome(kind, "commit-unknown", said)
    return Outcome(OutcomeKind.REFUSED, "422", said)


def _pause(error: GithubException, now: datetime) -> timedelta:
    """Return how long GitHub wants to be left alone."""
    headers = _headers(error)
    if (seconds := _whole(headers.get("retry-after"))) is not None:
        return timedelta(seconds=seconds)
    reset = _whole(headers.get("x-ratelimit-reset"))
    if headers.get("x-ratelimit-remaining") == "0" and reset is not None:
        return max(datetime.fromtimestamp(reset, UTC) - now, timedelta(seconds=1))
    return UNNAMED_PAUSE


def _headers(error: GithubException) -> dict[str, str]:
    return {name.lower(): str(value) for name, value in (error.headers or {}).items()}


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 11 else None
