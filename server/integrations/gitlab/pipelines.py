"""Which pipeline of a commit holds a status (R41).

A status that is posted to a commit without a pipeline makes one, whose success can let a merge request through that
waits for a pipeline. So a pipeline that holds nothing but our statuses never gets a success from us.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from server.integrations.gitlab.access import Access
from server.model.verdict_content import VerdictContent

if TYPE_CHECKING:
    from gitlab.v4.objects import Project

PREFIX = "chainloop/"
"""What all our contexts begin with."""
_EXTERNAL = "external"
"""Source of a pipeline that statuses of others made."""
_TRIALS = ("/merge", "/train")
"""How the refs of pipelines for merged results end; their commit is no branch's."""


@dataclass(frozen=True, slots=True)
class Place:
    """A pipeline and the project that it lies in: of a merge request perhaps its source."""

    project_id: int
    pipeline_id: int


@dataclass(frozen=True, slots=True)
class Pipelines:
    """What there is of a commit, as far as the registration may write there (R44)."""

    chosen: Place | None
    """Of those with work of others in them the newest one: of the source project, else of the target."""
    alone: tuple[Place, ...] = ()
    """Those with nothing but our statuses, the newest one last."""
    of_merged_result: bool = False
    """Only the merge on trial has pipelines: the head will have none."""


def find_pipelines(access: Access, content: VerdictContent, project_id: int) -> Pipelines:
    """Ask for the pipelines of a commit.

    Raises:
        GitlabError, EgressError: they are not known.
    """
    listed = list(_listed(access.project(project_id), content))
    places: list[Place] = []
    alone: list[Place] = []
    for found in listed:
        place = Place(int(found.get("project_id") or project_id), int(found["id"]))
        if found.get("sha") != content.sha or not _may_write(access, content, place):
            continue
        is_alone = found.get("source") == _EXTERNAL and _is_alone(access, content.sha, place)
        (alone if is_alone else places).append(place)
    chosen = max(places, key=lambda item: (item.project_id != project_id, item.pipeline_id), default=None)
    alone.sort(key=lambda item: item.pipeline_id)
    on_trial = any(str(found.get("ref", "")).endswith(_TRIALS) for found in listed)
    return Pipelines(chosen, tuple(alone), of_merged_result=chosen is None and on_trial)


def _listed(project: Project, content: VerdictContent) -> Iterator[dict[str, Any]]:
    if content.pull_request is not None:
        request = project.mergerequests.get(content.pull_request, lazy=True)
        for item in request.pipelines.list(iterator=True):
            yield item.attributes
    else:
        for of_commit in project.pipelines.list(iterator=True, sha=content.sha):
            yield of_commit.attributes


def _may_write(access: Access, content: VerdictContent, place: Place) -> bool:
    return access.target.speaks_for(content.repository.host, str(place.project_id))


def _is_alone(access: Access, sha: str, place: Place) -> bool:
    commit = access.project(place.project_id).commits.get(sha, lazy=True)
    statuses = commit.statuses.list(iterator=True, pipeline_id=place.pipeline_id)
    return all(status.name.startswith(PREFIX) for status in statuses)
