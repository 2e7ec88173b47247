"""Payloads of GitLab's webhooks and external status checks. Source: GitLab Docs, "Webhook events", "External status
checks".

A pipeline that ended goes on when one of its jobs is retried, and no payload says when it was made: the newest time of
the pipeline and its jobs does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from server.inbound.forge_events import changed_paths, noted, read_event, read_push
from server.inbound.reading import at, commit, count, flag, ident, items, moment, text
from server.model.ci_words import gitlab_conclusion, gitlab_status
from server.model.events import EventKind
from server.model.forge_facts import LONG_AGO, ONLY_ATTEMPT, CiStatus, ForgeJob, ForgeRun, Head
from server.model.inbound_facts import NOWHERE, InboundFacts, SeenHead, SeenJob

STATUS_CHECK = "External Status Check"
"""Name that we give to calls of external status checks: they have no `X-Gitlab-Event`."""

_CLOSED = frozenset({"merged", "closed"})


def parse(event: str, payload: object) -> InboundFacts:
    """Return what a payload says; nothing, for events that do not concern us."""
    return read_event(_EVENTS, event, payload)


def _push(payload: object) -> InboundFacts:
    return read_push(
        payload,
        told_at=_commit_time(payload),
        is_branch_new=commit(payload, "before") is None,
        is_protected=flag(payload, "ref_protected"),
        changed_paths=_pushed_paths(payload),
    )


def _commit_time(payload: object) -> datetime:
    """Return when the pushed commit was made: no payload says when it was pushed."""
    sha = commit(payload, "after")
    own = (moment(each, "timestamp") for each in items(payload, "commits") if sha and commit(each, "id") == sha)
    return next((found for found in own if found), LONG_AGO)


def _pushed_paths(payload: object) -> tuple[str, ...] | None:
    """Return what a push changed; None where its list of commits, at most twenty, need not be everything."""
    commits = list(items(payload, "commits"))
    is_new = commit(payload, "before") is None
    if is_new or not commits or len(commits) != count(payload, "total_commits_count"):
        return None
    return changed_paths(commits)


def _merge_request(payload: object) -> InboundFacts:
    head = _head_of_merge_request(payload)
    before = commit(payload, "object_attributes", "oldrev")
    return InboundFacts(heads=(SeenHead(head, before),)) if head else InboundFacts()


def _head_of_merge_request(payload: object) -> Head | None:
    request = at(payload, "object_attributes")
    sha, number = commit(request, "last_commit", "id"), ident(request, "iid")
    if sha is None or number is None:
        return None
    target = ident(request, "target_project_id")
    return Head(
        **NOWHERE,
        sha=sha,
        event="pull_request",
        branch=text(request, "source_branch") or "",
        told_at=moment(request, "updated_at") or LONG_AGO,
        pull_request=number,
        base_branch=text(request, "target_branch"),
        is_fork=target is None or ident(request, "source_project_id") != target,
        is_open=text(request, "state") not in _CLOSED,
    )


def _status_check(payload: object) -> InboundFacts:
    head, check = _head_of_merge_request(payload), at(payload, "external_approval_rule")
    check_id = ident(check, "id")
    if head is None or check_id is None:
        return InboundFacts()
    facts = {"sha": head.sha, "pullRequest": head.pull_request, "checkId": check_id, "name": text(check, "name")}
    asked = noted(EventKind.STATUS_CHECK_REQUESTED, f"{head.pull_request}/{check_id}", facts)
    return replace(asked, heads=(SeenHead(head),))


def _pipeline(payload: object) -> InboundFacts:
    pipeline, builds = at(payload, "object_attributes"), list(items(payload, "builds"))
    # That of a merged-results pipeline is a commit which exists nowhere else (R31).
    sha = commit(payload, "merge_request", "last_commit", "id") or commit(pipeline, "sha")
    run_id = ident(pipeline, "id")
    if run_id is None or sha is None:
        return InboundFacts()
    word, told_at = text(pipeline, "status"), _newest(pipeline, *builds)
    status = gitlab_status(word)
    known = ForgeRun(
        **NOWHERE,
        ci_run_id=run_id,
        attempt=ONLY_ATTEMPT,
        head_sha=sha,
        event=(text(pipeline, "source") or "")[:64],
        status=status,
        told_at=told_at,
        is_fork=_is_of_fork(payload),
        conclusion=gitlab_conclusion(word),
        started_at=moment(pipeline, "created_at"),
        ended_at=moment(pipeline, "finished_at") if status is CiStatus.ENDED else None,
        can_go_on=True,
    )
    jobs = (_job(build, run_id, "") for build in builds)
    return InboundFacts(runs=(known,), jobs=tuple(job for job in jobs if job))


def _is_of_fork(payload: object) -> bool:
    source, target = (ident(payload, "merge_request", f"{side}_project_id") for side in ("source", "target"))
    return source is not None and source != target


def _newest(*described: object) -> datetime:
    names = ("created_at", "started_at", "finished_at")
    return max((told for each in described for name in names if (told := moment(each, name))), default=LONG_AGO)


def _build(payload: object) -> InboundFacts:
    run_id = ident(payload, "pipeline_id")
    job = _job(payload, run_id, "build_") if run_id else None
    return InboundFacts(jobs=(job,)) if job else InboundFacts()


def _job(build: object, run_id: str, prefix: str) -> SeenJob | None:
    """Return a job as a job event or the list in a pipeline event describes it; only the first has a prefix."""
    job_id = ident(build, f"{prefix}id")
    if job_id is None:
        return None
    word = text(build, f"{prefix}status")
    status = gitlab_status(word)
    started_at, ended_at = moment(build, f"{prefix}started_at"), moment(build, f"{prefix}finished_at")
    job = ForgeJob(
        job_id=job_id,
        name=text(build, f"{prefix}name") or "",
        status=status,
        conclusion=gitlab_conclusion(word, at(build, f"{prefix}failure_reason")),
        started_at=started_at if status is not CiStatus.QUEUED else None,
        ended_at=ended_at if status is CiStatus.ENDED else None,
        runner_name=text(build, "runner", "description"),
    )
    told_at = ended_at or started_at or moment(build, f"{prefix}created_at") or LONG_AGO
    return SeenJob(run_id, ONLY_ATTEMPT, told_at, job)


_EVENTS: Mapping[str, Callable[[object], InboundFacts]] = {
    "Push Hook": _push,
    "Merge Request Hook": _merge_request,
    "Pipeline Hook": _pipeline,
    "Job Hook": _build,
    STATUS_CHECK: _status_check,
}
