"""Ask for the CI run that a run claims. Sources: GitHub Docs, REST pages «Workflow runs» and «Workflow jobs»."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

from chainloop_ci.api.record import to_dict
from server.integrations.github.access import ask
from server.integrations.github.outcomes import unreadable
from server.integrations.github.patience import Patience
from server.integrations.questions import no_ci_run, wait_for
from server.integrations.types import Message, Target, Tools
from server.model.ci_words import github_conclusion, github_status
from server.model.deliveries import Outcome, OutcomeKind
from server.model.forge_answers import CiRunAnswer, JobAnswer
from server.model.forge_facts import CiStatus

if TYPE_CHECKING:
    from github import Github
    from github.Repository import Repository
    from github.WorkflowJob import WorkflowJob
    from github.WorkflowRun import WorkflowRun

NEED = "Actions: read"
MAX_JOBS = 1000
UNKNOWN = "GitHub knows no such run and attempt"


def ask_ci_run(target: Target, message: Message, tools: Tools) -> Outcome:
    """Make one try."""
    content = message.content
    bound = target.find_named(str(content["host"]), str(content["repository"]))
    if bound is None:
        return Outcome(OutcomeKind.SKIPPED, "repository-not-bound", "the registration does not list this repository")
    if not str(content["ciRunId"]).isdigit():
        return no_ci_run(content, UNKNOWN)

    def work(client: Github) -> Outcome:
        repository = client.get_repo(int(bound.repository_id))
        answer = _read(repository, int(content["ciRunId"]), content.get("attempt"), Patience(tools.now))
        return Outcome(OutcomeKind.DELIVERED, "200", answer=to_dict(answer))

    outcome = ask(target, tools, NEED, message.attempt, work)
    return wait_for(outcome, ("404",), message, tools, no_ci_run(content, UNKNOWN))


def _read(repository: Repository, run_id: int, attempt: int | None, patience: Patience) -> CiRunAnswer:
    run = repository.get_workflow_run(run_id)
    if attempt is not None:
        run = run.get_attempt(attempt)
    if run.complete().id != run_id or _id_of(run.repository) is None:
        raise unreadable("the CI run that was asked for")
    patience.require()
    jobs = _jobs(repository, run_id, run.run_attempt, patience)
    status = github_status(run.status)
    return CiRunAnswer(
        ci_run_id=str(run.id),
        attempt=run.run_attempt,
        # GitHub writes the ref behind some.
        path=(run.path or "").partition("@")[0],
        head_sha=run.head_sha,
        head_branch=run.head_branch,
        repository_id=str(run.repository.id),
        # The repository of a fork may be gone.
        head_repository_id=_id_of(run.head_repository),
        event=run.event,
        status=status,
        conclusion=github_conclusion(run.conclusion, status),
        started_at=run.run_started_at,
        ended_at=_end(run, jobs) if status is CiStatus.ENDED else None,
        pull_requests=tuple(each.number for each in run.pull_requests or ()),
        jobs=jobs,
    )


def _jobs(repository: Repository, run_id: int, attempt: int, patience: Patience) -> tuple[JobAnswer, ...]:
    from github.PaginatedList import PaginatedList
    from github.WorkflowJob import WorkflowJob

    # PyGithub lists the jobs of the newest attempt only.
    url = f"{repository.url}/actions/runs/{run_id}/attempts/{attempt}/jobs"
    listed: PaginatedList[WorkflowJob] = PaginatedList(WorkflowJob, repository.requester, url, None, list_item="jobs")
    found: Iterable[WorkflowJob] = patience.each(islice(listed, MAX_JOBS))
    return tuple(_job(job) for job in found)


def _job(job: WorkflowJob) -> JobAnswer:
    status = github_status(job.status)
    return JobAnswer(
        id=str(job.id),
        name=job.name,
        status=status,
        conclusion=github_conclusion(job.conclusion, status),
        started_at=job.started_at if status is not CiStatus.QUEUED else None,
        ended_at=job.completed_at if status is CiStatus.ENDED else None,
        runner_name=job.runner_name or None,
    )


def _end(run: WorkflowRun, jobs: tuple[JobAnswer, ...]) -> datetime:
    """Return when an attempt ended: with its last job. The run itself only says when it was changed, which goes on."""
    ends = [job.ended_at for job in jobs]
    known = [end for end in ends if end is not None]
    return max(known) if known and len(known) == len(ends) else run.updated_at


def _id_of(repository: Repository | None) -> str | None:
    return str(repository.id) if repository is not None else None
