"""Notes of a merge request, kept in place. Source: GitLab Docs, "Notes API"; "GitLab Flavored Markdown".

A hidden mark tells ours from others, together with its author: anybody may write the mark. Texts of others stand in
code spans: GitLab looks for mentions and references after it has read escapes, but not inside of code.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from server.integrations.gitlab.access import Access
from server.integrations.verdict_board import Board, Row, row_of
from server.model.verdict_content import VerdictContent
from server.model.verdict_text import clip

if TYPE_CHECKING:
    from gitlab.v4.objects import ProjectMergeRequest

NEED = "the scope `api` and the role Reporter"
MARK = "<!-- chainloop: verdicts of this merge request -->"
MAX_ROWS = 500


def render(board: Board) -> str:
    """Return the Markdown of the note that lists all verdicts of a merge request."""
    lines = [render_row(context, row) for context, row in sorted(board.rows.items())[:MAX_ROWS]]
    return "\n".join([MARK, f"Attestations of {board.sha[:12]}:", "", *lines])


def render_last_resort(content: VerdictContent, why: str) -> str:
    """Return the Markdown of a note about one verdict that is shown nowhere else."""
    lines = [mark_of(content.context), f"Attestation of {content.sha[:12]}:", ""]
    return "\n".join(
        [
            *lines,
            render_row(content.context, row_of(content, content.surfaces.gitlab.value)),
            "",
            f"(A note, since {why}.)",
        ]
    )


def mark_of(context: str) -> str:
    """Return the mark of the note about one context; a name may hold what ends a comment."""
    return f"<!-- chainloop: verdict {hashlib.sha256(context.encode()).hexdigest()[:16]} -->"


def render_row(context: str, row: Row) -> str:
    """Return the line of a context; it begins with no command to GitLab."""
    name = code(context)
    linked = f"[{name}]({row.url})" if row.url and not set(row.url) & set("()<> \n") else name
    return f"- **{row.state}** {linked}: {code(row.description)}"


def code(text: str) -> str:
    """Return Markdown that shows a text as it is, on one line."""
    return f"`{clip(text.replace('`', chr(39)), 200) or '-'}`"


def put_note(access: Access, request: ProjectMergeRequest, mark: str, note_id: int | None, body: str) -> int:
    """Write a note where it is, or find it by its mark, or make it; return its id.

    Raises:
        GitlabError, EgressError: it was not taken, or that is not known.
    """
    from gitlab import GitlabError

    if note_id is not None:
        try:
            request.notes.update(note_id, {"body": body})
            return note_id
        except GitlabError as error:
            # Somebody took it away, or another token of ours wrote it.
            if error.response_code not in (403, 404):
                raise
    access.client.auth()
    own = access.client.user.username if access.client.user else ""
    for found in request.notes.list(iterator=True):
        if found.author["username"] == own and found.body.startswith(mark):
            request.notes.update(found.id, {"body": body})
            return int(found.id)
    return int(request.notes.create({"body": body}).id)
