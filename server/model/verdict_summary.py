"""A verdict in Markdown, for the page of a check run: what is said, and what to do about it (design decision 10)."""

from __future__ import annotations

import re

from server.model.verdict_kinds import VerdictKind, is_passing, is_pending

_ADVICE = {
    VerdictKind.NOT_MET: "Add what is missing to the job's step, or ask who keeps the contract.",
    VerdictKind.MISSING: "Run the CI workflow on this commit: its step attests it.",
    VerdictKind.CLAIMED: "The forge is asked; nothing has to be done unless this stays.",
    VerdictKind.UNTRUSTED_HEAD: "A maintainer runs the CI workflow on this commit from a branch of the repository.",
    VerdictKind.EXPIRED: "Run the job again: it has to push before its run expires.",
    VerdictKind.LATE: "It came after its job: run the job again, or ask an operator to let the commit pass.",
    VerdictKind.UNVERIFIED: "Sign with a key that is registered for this workflow.",
}
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+!|~@:-])")
"""What Markdown or a forge (mentions, links) acts upon: descriptions hold texts of strangers."""


def render_summary(context: str, kind: VerdictKind, description: str) -> str:
    """Return what is said of a commit under a name, and the advice that fits."""
    word = "passes" if is_passing(kind) else "is pending" if is_pending(kind) else "fails"
    lines = [f"**{_plain(context)}** {word}: {_plain(description)}"]
    if advice := _ADVICE.get(kind):
        lines += ["", advice]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    return _MARKDOWN.sub(lambda match: f"&#{ord(match[1])};", text)
