"""Values of a CI system's variables in the form that the `ci` record asks for; any other form counts as not told.

A system may leave a variable out, set it empty, or hand in a text that it never resolved. None of that is a reason to
stop a job, and none of it may become a fact: what is not told is `None` (R30, design section 3).
"""

from __future__ import annotations

from chainloop_ci.deferred import deferred_pattern
from chainloop_ci.runners.repository_url import without_credentials
from chainloop_ci.runners.types import Env

MAX_CHARACTERS = 1024
"""Longer texts name nothing that a CI system has."""
MAX_SHORT_CHARACTERS = 128
"""Of what identifies: ids, numbers, events. A longer one is not cut: half an id names something else."""

_CONTROL = deferred_pattern(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_UNRESOLVED = deferred_pattern(r"\$\([\w.-]+\)|%[\w.-]+%")
"""Azure and Tekton pass `$(Name)` on as it is when there is no such variable, TeamCity `%name%`."""
_COMMIT = deferred_pattern(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_NEVER = r"\x00-\x20\x7f-\x9f\"<>\\^`{|}\ud800-\udfff"
_LINK = deferred_pattern(
    rf"(?P<scheme>https?://)(?:[^{_NEVER}/?#]*@)?(?P<host>[^{_NEVER}/?#@]+)(?P<rest>(?:[/?#][^{_NEVER}]*)?)"
)
_MAX_LINK_CHARACTERS = 2048


def text(env: Env, *names: str) -> str | None:
    """Return the first of the variables that says something, as one line."""
    return next((found for name in names if (found := clean(env.get(name), MAX_CHARACTERS))), None)


def identifier(env: Env, *names: str) -> str | None:
    """Return the first of the variables that may name a run, an event or a number."""
    return next((found for name in names if (found := clean(env.get(name), MAX_SHORT_CHARACTERS))), None)


def number(env: Env, *names: str) -> int | None:
    """Return the first of the variables that is a count from 0 to 999 999 999."""
    return next((int(found) for name in names if (found := digits(env.get(name)))), None)


def commit(*values: object) -> str | None:
    """Return the first value that is a Git commit, in lower case; a Subversion revision or a changeset is none."""
    for value in values:
        if isinstance(value, str) and _COMMIT.fullmatch(lowered := value.strip().lower()):
            return lowered
    return None


def link(value: str | None) -> str | None:
    """Return an http(s) address, without credentials, that a browser may be sent to (T43)."""
    found = (value or "").strip()
    match = _LINK.fullmatch(found) if len(found) <= _MAX_LINK_CHARACTERS else None
    return match["scheme"] + match["host"] + match["rest"] if match else None


def server(value: str | None) -> str | None:
    """Return an http(s) address as a server is named: without the slash at its end."""
    found = link(value)
    return found.rstrip("/") if found else None


def origin(value: str | None) -> str | None:
    """Return scheme and host of an http(s) address."""
    found = link(value)
    match = _LINK.fullmatch(found) if found else None
    return match["scheme"] + match["host"] if match else None


def repository(value: str | None) -> str | None:
    """Return the address or the path of a repository, without credentials."""
    found = clean(value, MAX_CHARACTERS)
    return (without_credentials(found) or None) if found else None


def digits(value: str | None) -> str | None:
    """Return a text of one to nine ASCII digits."""
    found = (value or "").strip()
    return found if found.isascii() and found.isdecimal() and len(found) <= 9 else None


def clean(value: str | None, limit: int) -> str | None:
    """Return a text of one line and at most `limit` characters that a system resolved."""
    found = (value or "").strip()
    if not found or len(found) > limit or _CONTROL.search(found) or _UNRESOLVED.fullmatch(found):
        return None
    return found
