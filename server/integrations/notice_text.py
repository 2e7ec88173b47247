"""What an issue tells the teams of a repository that a contract revision will ask of them (R38)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from server.model.announcements import AnnouncedWorkflow, Announcement

MAX_TITLE = 250


@dataclass(frozen=True, slots=True)
class Quoting:
    """How a forge's Markdown shows texts of others, and carries none of them out."""

    text: Callable[[str], str]
    command: Callable[[str], str]


def render_title(announced: Announcement) -> str:
    """Return the title of the issue."""
    day = f"{announced.enforced_from:%Y-%m-%d}"
    return f"Contract {announced.name} asks for more from {day} on (revision {announced.revision})"[:MAX_TITLE]


def render_body(announced: Announcement, mark: str, quoting: Quoting) -> str:
    """Return the Markdown, of any length; it begins with the mark."""
    lines = [
        mark,
        f"From {announced.enforced_from:%Y-%m-%d %H:%M} UTC on, runs are held to revision {announced.revision} of the "
        f"contract {quoting.text(announced.name)}. Until then nothing fails for it.",
        "",
        "The last attestations of these workflows lack something of it:",
        "",
    ]
    for workflow in announced.workflows:
        lines += _workflow(workflow, quoting)
    lines += ["", "`chainloop attestation status` in the job says the same, and `push` warns."]
    return "\n".join(lines)


def mark_of(what: str) -> str:
    """Return a hidden mark by which what was written is found again whose answer was lost."""
    return f"<!-- chainloop: notice {hashlib.sha256(what.encode()).hexdigest()[:16]} -->"


def _workflow(workflow: AnnouncedWorkflow, quoting: Quoting) -> Iterator[str]:
    team = f" (team {quoting.text(workflow.team)})" if workflow.team else ""
    yield f"- {quoting.text(f'{workflow.project}/{workflow.name}')}{team}"
    for asked in workflow.requirements:
        hint = f": {quoting.command(asked.hint)}" if asked.hint else ""
        yield f"  - {quoting.text(asked.message)}{hint}"
