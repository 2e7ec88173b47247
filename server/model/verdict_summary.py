"""A verdict in Markdown, for the page of a check run: what is said, and what to do about it (design decision 10)."""

from __future__ import annotations

import re

from server.model.verdict_advice import WORDS
from server.model.verdict_kinds import VerdictKind, is_passing, is_pending

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+!|~@:-])")
"""What Markdown or a forge (mentions, links) acts upon: descriptions hold texts of strangers."""


def render_summary(context: str, kind: VerdictKind, description: str) -> str:
    """Return what is said of a commit under a name, and the advice that fits."""
    word = "passes" if is_passing(kind) else "is pending" if is_pending(kind) else "fails"
    lines = [f"**{plain(context)}** {word}: {plain(description)}"]
    if advice := WORDS[kind].advice:
        lines += ["", advice]
    return "\n".join(lines) + "\n"


def plain(text: str) -> str:
    """Return a text in which Markdown and forges find nothing to act upon."""
    return _MARKDOWN.sub(lambda match: f"&#{ord(match[1])};", text)
