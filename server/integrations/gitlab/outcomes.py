"""What an answer of GitLab's API means for a delivery.

Sources: GitLab Docs, "REST API", «Status codes»; "Rate limits", «Response headers»; "Commits API", «Set commit status».
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from server.model.deliveries import Outcome, OutcomeKind

if TYPE_CHECKING:
    from gitlab import GitlabError

MAX_WORDS = 300
LOCK_PAUSE = timedelta(seconds=1)
"""GitLab has waited ten seconds for its lock when it answers 409: the next try need not wait long."""
MAX_SEARCHES = 8
"""Tries of what GitLab does not know, some two minutes in all: it may have been pushed a moment ago."""

_TRANSIENT = frozenset({408, 425})
_YOUNG = ("Commit", "References", "Pipeline for")
"""What a 404 names that may be there in a moment."""


def outcome_of(error: GitlabError, need: str, attempt: int, headers: Mapping[str, str]) -> Outcome:
    """Return what an error means.

    Args:
        error: as python-gitlab raises it.
        need: scope and role that the request asks for.
        attempt: the number of the try.
        headers: of the answer, names in lower case; python-gitlab does not hand them on.
    """
    status, said = error.response_code, words(error)
    if status is None:
        detail = f"the answer is none of GitLab's API: {said}"
        return Outcome(OutcomeKind.RETRY, "answer-unreadable", detail, blames_target=True)
    code = str(status)
    if status == 401:
        return Outcome(OutcomeKind.UNAUTHORIZED, code, f"GitLab does not take the token: {said}")
    if status == 409:
        # Not the target's fault, and the library repeats it in other cases only.
        return Outcome(OutcomeKind.RETRY, code, said, retry_after=_pause(headers) or LOCK_PAUSE)
    if status == 429 or status >= 500 or status in _TRANSIENT:
        return Outcome(OutcomeKind.RETRY, code, said, retry_after=_pause(headers), blames_target=status >= 500)
    if status == 403:
        return _forbidden(said, need)
    if status == 404:
        return _unknown(said, need, attempt)
    return Outcome(
        OutcomeKind.REFUSED, "pipeline-full" if status == 422 and "exceeded the limit" in said else code, said
    )


def words(error: GitlabError) -> str:
    """Return what GitLab said, in one line: a text, or a map of fields to texts."""
    said: Any = error.error_message
    if isinstance(said, Mapping):
        said = "; ".join(f"{name}: {_joined(texts)}" for name, texts in said.items())
    return " ".join(_joined(said).split())[:MAX_WORDS] or "GitLab gave no reason"


def _joined(texts: object) -> str:
    return ", ".join(map(str, texts)) if isinstance(texts, list) else str(texts)


def _forbidden(said: str, need: str) -> Outcome:
    if "insufficient_scope" in said or "higher privileges" in said:
        return Outcome(OutcomeKind.REFUSED, "scope-missing", f"{said}; the token needs {need}")
    return Outcome(OutcomeKind.REFUSED, "permission-missing", f"{said}; the token needs {need}")


def _unknown(said: str, need: str, attempt: int) -> Outcome:
    if any(name in said for name in _YOUNG):
        kind = OutcomeKind.RETRY if attempt < MAX_SEARCHES else OutcomeKind.REFUSED
        return Outcome(kind, "commit-unknown", said)
    return Outcome(OutcomeKind.REFUSED, "404", f"GitLab shows this token no such thing ({said}): it needs {need}")


def _pause(headers: Mapping[str, str]) -> timedelta | None:
    """Return how long GitLab wants to be left alone; it says so in seconds."""
    text = headers.get("retry-after", "").strip()
    return timedelta(seconds=int(text)) if text.isascii() and text.isdigit() and len(text) < 9 else None
