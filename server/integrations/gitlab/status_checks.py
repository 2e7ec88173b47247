"""External status checks of a merge request (GitLab Ultimate). Source: GitLab Docs, "External status checks API"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from server.integrations.answers import refuse
from server.integrations.gitlab.access import Access
from server.model.roll_up import ROLL_UP_CONTEXT
from server.model.verdict_content import VerdictContent

if TYPE_CHECKING:
    from gitlab import GitlabError

NEED = "the scope `api` and the role Developer in a project of GitLab Ultimate"


class SupersededError(Exception):
    """The merge request has another head by now."""


def find_status_check(access: Access, content: VerdictContent, project_id: int, public_url: str) -> int | None:
    """Return the project's check that a verdict answers: the one of its name, and the roll-up's also the one that
    calls this server. None: another verdict answers the one that does.

    Raises:
        RefusedError: there is none of ours.
        GitlabError, EgressError: that is not known.
    """
    calls_us: int | None = None
    for check in _listed(access, content, project_id):
        if check.name == content.context:
            return int(check.id)
        if public_url and str(check.external_url).startswith(f"{public_url.rstrip('/')}/"):
            calls_us = int(check.id)
    if calls_us is None:
        raise refuse(
            "status-check-missing",
            f"the project has no external status check named {content.context}, nor one that calls this server: "
            "a maintainer adds it",
        )
    return calls_us if content.context == ROLL_UP_CONTEXT else None


def answer_status_check(access: Access, content: VerdictContent, project_id: int, check_id: int) -> None:
    """Answer a check.

    Raises:
        SupersededError: the commit is not the head any more.
        GitlabError, EgressError: it was not taken, or that is not known.
    """
    from gitlab import GitlabError

    body = {
        "sha": content.sha,
        "external_status_check_id": check_id,
        "status": content.surfaces.gitlab_check.value,
    }
    path = f"/projects/{project_id}/merge_requests/{content.pull_request}/status_check_responses"
    try:
        # python-gitlab has no method for it.
        access.client.http_post(path, post_data=body)
    except GitlabError as error:
        if error.response_code == 409:
            raise SupersededError from error
        raise


def _listed(access: Access, content: VerdictContent, project_id: int) -> Any:
    request = access.project(project_id).mergerequests.get(content.pull_request or 0, lazy=True)
    try:
        return request.status_checks.list(get_all=True)
    except _error() as error:
        if error.response_code in (403, 404):
            raise refuse("no-status-checks", f"external status checks cannot be read: they ask for {NEED}") from error
        raise


def _error() -> type[GitlabError]:
    from gitlab import GitlabError

    return GitlabError
