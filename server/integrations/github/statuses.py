"""Commit statuses. Source: GitHub Docs, REST page «Commit statuses»: newest per context wins, none is taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.integrations.github.outcomes import unreadable
from server.integrations.github.texts import describe
from server.model.verdict_content import VerdictContent

if TYPE_CHECKING:
    from github.Repository import Repository

NEED = "Commit statuses: write"


def put_status(repository: Repository, content: VerdictContent, prior: str | None = None) -> None:
    """Post a status in one request, under the context or an older name of it.

    Raises:
        GithubException, EgressError, RefusedError: it was not taken, or that is not known.
    """
    from github.GithubObject import NotSet

    state = content.surfaces.github.value
    made = repository.get_commit(content.sha).create_status(
        state=state,
        target_url=content.target_url or NotSet,
        description=describe(content, prior),
        context=prior or content.context,
    )
    if made.state != state:
        raise unreadable("the status that was posted")
