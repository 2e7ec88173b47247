"""Commit statuses. Source: GitHub Docs, REST page «Commit statuses»: newest per context wins, none is taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.integrations.github.texts import describe
from server.model.verdict_content import VerdictContent

if TYPE_CHECKING:
    from github.Repository import Repository

NEED = "Commit statuses: write"


def put_status(repository: Repository, content: VerdictContent, prior: str | None = None) -> None:
    """Post a status in one request, under the context or an older name of it.

    Raises:
        GithubException, EgressError: it was not taken, or that is not known.
    """
    from github.GithubObject import NotSet

    repository.get_commit(content.sha).create_status(
        state=content.surfaces.github.value,
        target_url=content.target_url or NotSet,
        description=describe(content, prior),
        context=prior or content.context,
    )
