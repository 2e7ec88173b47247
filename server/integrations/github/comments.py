"""One comment of a pull request that lists its verdicts, kept in place. Source: REST page «Issue comments».

A hidden mark tells it from others, together with its author: anybody may write the mark.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from server.integrations.github.outcomes import unreadable
from server.integrations.github.texts import fit, plain
from server.integrations.types import Message
from server.integrations.verdict_board import Board
from server.model.deliveries import Outcome, OutcomeKind
from server.model.verdict_content import VerdictContent

if TYPE_CHECKING:
    from github.Repository import Repository

NEED = "Pull requests: write"
MARK = "<!-- chainloop: verdicts of this pull request -->"


def put_comment(repository: Repository, content: VerdictContent, message: Message, login: Callable[[], str]) -> Outcome:
    """Write the comment of a pull request. `login` returns who writes it; it is asked when it has to be looked for.

    Raises:
        GithubException, EgressError, RefusedError: it was not taken, or that is not known.
    """
    from github import UnknownObjectException

    board = Board.read(message.memory).take(content, content.surfaces.github.value)
    if board is None or content.pull_request is None:
        return Outcome(OutcomeKind.SKIPPED, "nothing-new", "the comment says this or something newer")
    issue = repository.get_issue(content.pull_request)
    body = render(board)
    if board.comment_id is not None:
        try:
            issue.get_comment(board.comment_id).edit(body)
            return _written(board)
        except UnknownObjectException:
            # Somebody took it away.
            board = replace(board, comment_id=None)
    own = login()
    for comment in issue.get_comments():
        if comment.user.login == own and comment.body.startswith(MARK):
            comment.edit(body)
            return _written(replace(board, comment_id=comment.id))
    made = issue.create_comment(body)
    if made.id is None:
        raise unreadable("the comment that was made")
    return _written(replace(board, comment_id=made.id))


def render(board: Board) -> str:
    """Return the Markdown of a comment: every text in it is shown, none is carried out."""
    lines = [MARK, f"Attestations of {board.sha[:12]}:", "", "| | Context | Verdict |", "|---|---|---|"]
    for context, row in sorted(board.rows.items()):
        name = plain(context)
        linked = f"[{name}]({row.url})" if row.url and not set(row.url) & set("() \n") else name
        lines.append(f"| {row.state} | {linked} | {plain(row.description)} |")
    return fit("\n".join(lines))


def _written(board: Board) -> Outcome:
    return Outcome(OutcomeKind.DELIVERED, "200", remember=board.write())
