"""Texts as GitHub takes them: of bounded length, without what it refuses, and without commands to it."""

from __future__ import annotations

import re

from server.model.verdict_content import VerdictContent
from server.model.verdict_kinds import CheckConclusion, GithubState
from server.model.verdict_text import clip

MAX_OUTPUT_BYTES = 65_535
"""Of the summary of a check run, and of a comment. Source: REST page «Check runs»."""
_CUT = "\n\n… The page of the run has the rest."
_BEYOND = re.compile("[\U00010000-\U0010ffff]")
_ACTIVE = re.compile(r"[&<>|`*_\[\]@#~\\!$\r\n]")


def describe(content: VerdictContent, prior: str | None = None) -> str:
    """Return the description of a status: at most 140 code points, none beyond the basic plane, which GitHub refuses.

    `prior`: the older name of the context that it is written under.
    """
    said = f"now {content.context}: {content.description}" if prior else content.description
    return clip(_BEYOND.sub("\N{REPLACEMENT CHARACTER}", said))


def title(content: VerdictContent) -> str:
    """Return the title of a check run; a failure that is nobody's change says so."""
    is_infrastructure = (
        content.surfaces.github is GithubState.ERROR and content.surfaces.check_conclusion is CheckConclusion.FAILURE
    )
    return clip(f"infrastructure: {content.description}" if is_infrastructure else content.description)


def fit(text: str, limit: int = MAX_OUTPUT_BYTES) -> str:
    """Return a text cut to so many bytes of UTF-8, at the end of a line where there is one, and say that it was."""
    whole = text.encode()
    if len(whole) <= limit:
        return text
    kept = whole[: limit - len(_CUT.encode())].decode(errors="ignore")
    return kept.rpartition("\n")[0] + _CUT if "\n" in kept else kept + _CUT


def plain(text: str) -> str:
    """Return Markdown that shows a text as it is: no markup, nobody mentioned, nothing referred to."""
    return _ACTIVE.sub(lambda found: f"&#{ord(found[0])};" if found[0] not in "\r\n" else " ", text)
