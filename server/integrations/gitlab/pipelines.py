"""Which pipeline of a commit holds a status (R41).

A status that is posted to a commit without a pipeline makes one, whose success can let a merge request through that
waits for a pipeline. The same is true of a pipeline that has no job, since the CI file is broken or the commit asks for
none, or that skips all of them. So a pipeline in which nothing but our statuses would count never gets a success.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from server.integrations.gitlab.access import Access
from server.model.verdict_content import VerdictContent

if TYPE_CHECKING:
    from gitlab.v4.objects import Project

PREFIX = "chainloop/"
"""What all our contexts begin with."""
_IDLE = frozenset({"skipped", "manual"})
"""States of jobs that do not run: a pipeline of these alone is skipped, and our success would make it one."""
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
    """Of those with work of others the newest one: of the source project, else of the target."""
    idle: tuple[Place, ...] = ()
    """Those before it in that order, in which nothing but our statuses would count."""
    of_merged_result: bool = False
    """Only the merge on trial has pipelines: the head will have none."""


def find_pipelines(
    access: Access, content: VerdictContent, project_id: int, working: Collection[int] = ()
) -> Pipelines:
    """Ask for the pipelines of a commit; `working` are those that are known to hold work of others.

    Raises:
        GitlabError, EgressError: they are not known.
    """
    listed = list(_listed(access.project(project_id), content))
    places = [
        Place(int(found.get("project_id") or project_id), int(found["id"]))
        for found in listed
        if found["sha"] == content.sha
    ]
    places = [place for place in places if _may_write(access, content, place)]
    idle: list[Place] = []
    for place in sorted(places, key=lambda item: (item.project_id != project_id, item.pipeline_id), reverse=True):
        if place.pipeline_id in working or _has_work(access, content.sha, place):
            return Pipelines(place, tuple(idle))
        idle.append(place)
    on_trial = any(str(found.get("ref", "")).endswith(_TRIALS) for found in listed)
    return Pipelines(None, tuple(idle), of_merged_result=on_trial)


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


def _has_work(access: Access, sha: str, place: Place) -> bool:
    commit = access.project(place.project_id).commits.get(sha, lazy=True)
    statuses = commit.statuses.list(iterator=True, pipeline_id=place.pipeline_id)
    return any(
        is_of(each.attributes, place) and not each.name.startswith(PREFIX) and each.status not in _IDLE
        for each in statuses
    )


def is_of(status: Mapping[str, Any], place: Place) -> bool:
    """Tell whether a status is of a pipeline: an older GitLab lists those of all pipelines of the commit."""
    return bool(status.get("pipeline_id", place.pipeline_id) == place.pipeline_id)
