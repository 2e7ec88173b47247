"""Ask for the pipeline that a run claims.

Sources: GitLab Docs, "Pipelines API", "Jobs API", "Merged results pipelines".

GitLab counts no attempts: a job that is retried gets a new id, and its predecessors stay in the list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from chainloop_ci.api.record import to_dict
from chainloop_ci.attestation.times import parse_time
from server.integrations.gitlab.access import Access, ask
from server.integrations.gitlab.pipelines import PREFIX, Place, is_of
from server.integrations.questions import no_ci_run, wait_for
from server.integrations.types import Message, Target, Tools
from server.model.ci_words import gitlab_conclusion, gitlab_status, gitlab_whole
from server.model.deliveries import Outcome, OutcomeKind
from server.model.forge_answers import CiRunAnswer, JobAnswer
from server.model.forge_facts import CiStatus

NEED = "the scope `api` (or `read_api`) and the role Reporter"
MAX_JOBS = 1000
MAX_TRIES = 5
"""So often a pipeline is asked for whose last job has ended: GitLab skips what stands behind one that failed later."""
UNKNOWN = "GitLab knows no such pipeline"
USUAL_FILE = ".gitlab-ci.yml"
"""Where a project does not name another one. Source: GitLab Docs, "CI/CD YAML syntax"."""

_OF_REQUEST = re.compile(r"refs/merge-requests/([0-9]{1,9})/(head|merge|train)")


def ask_ci_run(target: Target, message: Message, tools: Tools) -> Outcome:
    """Make one try."""
    content = message.content
    bound = target.find_named(str(content["host"]), str(content["repository"]))
    if bound is None:
        return Outcome(OutcomeKind.SKIPPED, "repository-not-bound", "the registration does not list this project")
    if not str(content["ciRunId"]).isdigit():
        return no_ci_run(content, UNKNOWN)

    def work(access: Access) -> Outcome:
        answer = _Question(access, int(bound.repository_id), content).read()
        if content.get("mayEnd") and _may_end_yet(answer) and message.attempt < MAX_TRIES:
            return Outcome(OutcomeKind.RETRY, "not-ended", "the last job has ended, and the pipeline has not yet")
        return Outcome(OutcomeKind.DELIVERED, "200", answer=to_dict(answer))

    outcome = ask(target, tools, NEED, message.attempt, work)
    return wait_for(outcome, ("404",), message, tools, no_ci_run(content, UNKNOWN))


def _may_end_yet(answer: CiRunAnswer) -> bool:
    return answer.status is not CiStatus.ENDED and not any(job.status is CiStatus.RUNNING for job in answer.jobs)


@dataclass(frozen=True, slots=True)
class _Head:
    """What a pipeline is about."""

    sha: str
    branch: str | None
    project_id: int | None
    requests: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Question:
    access: Access
    project_id: int
    content: Mapping[str, Any]

    def read(self) -> CiRunAnswer:
        """Return the pipeline as GitLab knows it.

        Raises:
            GitlabError, EgressError: it does not, or that is not known.
        """
        project = self.access.client.projects.get(self.project_id)
        found = project.pipelines.get(int(self.content["ciRunId"])).attributes
        head, jobs = self._head(found), self._jobs()
        word = self._word(found, jobs)
        status = gitlab_status(word)
        return CiRunAnswer(
            ci_run_id=str(found["id"]),
            path=project.attributes.get("ci_config_path") or USUAL_FILE,
            head_sha=head.sha,
            head_branch=head.branch,
            repository_id=str(found.get("project_id") or self.project_id),
            head_repository_id=None if head.project_id is None else str(head.project_id),
            event=found.get("source"),
            status=status,
            conclusion=gitlab_conclusion(word),
            # A pipeline has begun before its first job does: what comes first encloses more.
            started_at=_time(found, "started_at") or _time(found, "created_at"),
            ended_at=_end_of(found, jobs) if status is CiStatus.ENDED else None,
            pull_requests=head.requests,
            is_protected=self._is_protected(head),
            jobs=jobs,
        )

    def _word(self, found: Mapping[str, Any], jobs: Sequence[JobAnswer]) -> str:
        """Return the state of a pipeline without our statuses, which lie in it as jobs and may still wait."""
        word = str(found["status"])
        if gitlab_status(word) is CiStatus.ENDED or any(job.status is CiStatus.RUNNING for job in jobs):
            return word
        place = Place(int(found.get("project_id") or self.project_id), int(found["id"]))
        commit = self.access.project(place.project_id).commits.get(found["sha"], lazy=True)
        listed = commit.statuses.list(iterator=True, pipeline_id=place.pipeline_id)
        # Jobs that start other pipelines are among them.
        statuses = [each.attributes for each in islice(listed, MAX_JOBS) if is_of(each.attributes, place)]
        others = [each for each in statuses if not each["name"].startswith(PREFIX)]
        return (gitlab_whole(others) if len(others) < len(statuses) else None) or word

    def _head(self, found: Mapping[str, Any]) -> _Head:
        match = _OF_REQUEST.fullmatch(str(found.get("ref", "")))
        if match is None:
            return _Head(found["sha"], found.get("ref"), self.project_id)
        request = self.access.project(self.project_id).mergerequests.get(int(match[1]))
        sha = found["sha"] if match[2] == "head" else self._source_of_trial(found["sha"], request.sha)
        return _Head(sha, request.source_branch, request.source_project_id, (int(match[1]),))

    def _source_of_trial(self, sha: str, newest: str) -> str:
        """Return the head that was merged on trial (R31): GitLab merges it into the target as the second parent."""
        parents = self.access.project(self.project_id).commits.get(sha).parent_ids
        return str(parents[1]) if len(parents) == 2 else newest

    def _is_protected(self, head: _Head) -> bool | None:
        from gitlab import GitlabError

        if head.branch is None or head.project_id != self.project_id:
            # Nothing of a fork is protected here.
            return None if head.branch is None else False
        try:
            return bool(self.access.project(self.project_id).branches.get(head.branch).protected)
        except GitlabError as error:
            if error.response_code == 404:
                # A tag, or a branch that was deleted since.
                return None
            raise

    def _jobs(self) -> tuple[JobAnswer, ...]:
        pipeline = self.access.project(self.project_id).pipelines.get(int(self.content["ciRunId"]), lazy=True)
        listed = pipeline.jobs.list(iterator=True, include_retried=True)
        return tuple(_job(job.attributes) for job in islice(listed, MAX_JOBS))


def _end_of(found: Mapping[str, Any], jobs: Sequence[JobAnswer]) -> datetime | None:
    """Return when a pipeline ended; where only our statuses keep it, when the last of its jobs did."""
    return _time(found, "finished_at") or max((job.ended_at for job in jobs if job.ended_at), default=None)


def _job(document: Mapping[str, Any]) -> JobAnswer:
    """Return a job as the API tells it."""
    status = gitlab_status(document["status"])
    runner = document.get("runner") or {}
    return JobAnswer(
        id=str(document["id"]),
        name=document["name"],
        status=status,
        conclusion=gitlab_conclusion(document["status"], document.get("failure_reason")),
        started_at=_time(document, "started_at"),
        ended_at=_time(document, "finished_at") if status is CiStatus.ENDED else None,
        runner_name=runner.get("description"),
    )


def _time(document: Mapping[str, Any], name: str) -> datetime | None:
    text = document.get(name)
    return parse_time(text) if isinstance(text, str) and text else None
