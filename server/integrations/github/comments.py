"""One comment of a pull request that lists its verdicts, kept in place. Source: REST page «Issue comments».

A hidden mark tells it from others, together with its author: anybody may write the mark.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from chainloop_ci.api.record import from_dict, to_dict
from server.integrations.github.outcomes import unreadable
from server.integrations.github.texts import fit, plain
from server.integrations.types import Message
from server.model.deliveries import Outcome, OutcomeKind
from server.model.verdict_content import VerdictContent

if TYPE_CHECKING:
    from github.Repository import Repository

NEED = "Pull requests: write"
MARK = "<!-- chainloop: verdicts of this pull request -->"
MAX_PAST = 50
"""Older heads that are known as such."""


@dataclass(frozen=True, slots=True)
class Row:
    """What the comment says of one context."""

    state: str
    description: str
    version: int
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Board:
    """What is remembered of the comment of a pull request."""

    comment_id: int | None = None
    sha: str = ""
    past: tuple[str, ...] = ()
    """Heads before this one: what is judged of them later says nothing of the pull request any more."""
    rows: Mapping[str, Row] = field(default_factory=dict)
    """By context."""

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Board:
        """Return what was remembered; nothing, where another version of the server wrote something else."""
        try:
            return from_dict(cls, kept)
        except ValueError:
            return cls()

    def take(self, content: VerdictContent) -> Board | None:
        """Return it with a verdict; None: it says nothing new."""
        if content.sha in self.past:
            return None
        board = self
        if content.sha != self.sha:
            past = (*self.past, self.sha)[-MAX_PAST:] if self.sha else ()
            board = replace(self, sha=content.sha, past=past, rows={})
        known = board.rows.get(content.context)
        if known is not None and known.version >= content.version:
            return None
        state = content.surfaces.github.value
        row = Row(state, content.description, content.version, content.target_url)
        return replace(board, rows={**board.rows, content.context: row})


def put_comment(repository: Repository, content: VerdictContent, message: Message, login: Callable[[], str]) -> Outcome:
    """Write the comment of a pull request. `login` returns who writes it; it is asked when it has to be looked for.

    Raises:
        GithubException, EgressError, RefusedError: it was not taken, or that is not known.
    """
    from github import UnknownObjectException

    board = Board.read(message.memory).take(content)
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
    return Outcome(OutcomeKind.DELIVERED, "200", remember=to_dict(board))
