"""What one comment of a pull request lists: the newest verdict of each context on its newest head. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from chainloop_ci.api.record import from_dict, to_dict
from server.model.verdict_content import VerdictContent

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
    """What is remembered of the comment."""

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

    def write(self) -> dict[str, Any]:
        """Return the form in which it is kept."""
        return to_dict(self)

    def take(self, content: VerdictContent, state: str) -> Board | None:
        """Return it with a verdict that the forge calls `state`; None: it says nothing new."""
        if content.sha in self.past:
            return None
        board = self
        if content.sha != self.sha:
            past = (*self.past, self.sha)[-MAX_PAST:] if self.sha else ()
            board = replace(self, sha=content.sha, past=past, rows={})
        known = board.rows.get(content.context)
        if known is not None and known.version >= content.version:
            return None
        return replace(board, rows={**board.rows, content.context: row_of(content, state)})


def row_of(content: VerdictContent, state: str) -> Row:
    """Return what is said of a verdict."""
    return Row(state, content.description, content.version, content.target_url)
