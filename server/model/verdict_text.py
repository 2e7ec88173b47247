"""Descriptions of commit statuses: one line, at most 140 code points, that says what is missing.

GitHub refuses longer ones (422), and PyGithub sends them as they are. Names of materials go to a public repository
only when that is allowed (R47); then a count stands for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

MAX_DESCRIPTION = 140
"""In code points."""


def clip(text: str, limit: int = MAX_DESCRIPTION) -> str:
    """Return `text` on one line without control characters, cut with an ellipsis."""
    if not text.isprintable():
        text = "".join(character if character.isprintable() else " " for character in text)
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def list_names(names: Sequence[str], limit: int = 100) -> str:
    """Return as many names as fit, and how many more there are: `sbom, junit and 3 more`."""
    shown = ""
    for at, name in enumerate(names):
        longer = f"{shown}, {name}" if shown else name
        rest = len(names) - at - 1
        if at and len(longer) + (len(f" and {rest} more") if rest else 0) > limit:
            return f"{shown} and {len(names) - at} more"
        shown = longer
    return shown


def missing(names: Sequence[str], *, names_allowed: bool, required: int = 0) -> str:
    """Say which materials are missing, or only how many."""
    if names_allowed:
        return f"missing: {list_names(names)}"
    return materials_missing(len(names), required)


def materials_missing(count: int, required: int) -> str:
    """Say how many materials are missing: `3 of 5 materials missing`."""
    of = f" of {required}" if required >= count else ""
    return f"{count}{of} material{'' if count == 1 and not of else 's'} missing"


def count(number: int, noun: str) -> str:
    """Return a number with its noun: `1 job`, `3 jobs`; `policy violation` and the like take an s, too."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def day(moment: datetime) -> str:
    """Return the date of a moment: `2026-12-01`, with the time when it is not midnight."""
    return f"{moment:%Y-%m-%d}" if moment.time().isoformat() == "00:00:00" else f"{moment:%Y-%m-%d %H:%M} UTC"
