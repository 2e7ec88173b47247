"""Commit statuses of GitLab: jobs of a pipeline, with a state machine that refuses some steps.

Source: `doc/api/commits.md`, «External commit statuses», `app/services/ci/create_commit_status_service.rb` and
`app/models/commit_status.rb` of gitlab-org/gitlab.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from examples.forge.exchange import Answer
from examples.forge.gitlab.documents import pages, status
from examples.forge.gitlab.refusals import forbidden, invalid_parameter, not_found, refusal
from examples.forge.gitlab.world import FINISHED, Job, Pipeline, Project
from examples.forge.server import Call, Route

if TYPE_CHECKING:
    from examples.forge.gitlab.forge import FakeGitLab

STATES = ("pending", "running", "success", "failed", "canceled", "skipped")
EVENTS = {"pending": "enqueue", "running": "run", "success": "success", "failed": "drop", "canceled": "cancel"}
# From where each state may be reached; a new job is `created`.
ALLOWED = {
    "pending": ("created",),
    "running": ("created", "pending"),
    "success": ("created", "pending", "running"),
    "failed": ("created", "pending", "running"),
    "canceled": ("created", "pending", "running"),
    "skipped": ("created", "pending"),
}
LONGEST = 255
MOST_PIPELINES = 100


def create(forge: FakeGitLab, call: Call) -> Answer:
    """Set a status: in a pipeline of the commit, or in a new one that this makes."""
    project, sha, sent = forge.project_of(call), call.names["sha"], call.document
    _require_state(sent)
    if sha in forge.locked or project.id in forge.locked:
        raise refusal(409, "Another update to this commit status is in progress")
    if sha not in project.network.commits:
        raise not_found("Commit")
    matching = _matching(project, sha, sent)
    ref = sent.get("ref") or (matching.ref if matching else project.branch_of(sha))
    if ref is None:
        raise not_found("References for commit")
    name = sent.get("name") or sent.get("context") or "default"
    pipeline = _pipeline(forge, call, matching, name, ref)
    level = project.protected.get(ref.removeprefix("refs/heads/"), 0)
    if call.who.level(project) < level:
        raise forbidden()
    job = _set(forge, call, pipeline, name, ref)
    forge.settle(pipeline)
    return Answer(201, status(forge, pipeline, job))


def _require_state(sent: Any) -> None:
    if not isinstance(sent, dict) or not sent.get("state"):
        raise invalid_parameter("state is missing")
    if sent["state"] not in STATES:
        raise invalid_parameter("state does not have a valid value")


def _matching(project: Project, sha: str, sent: dict[str, Any]) -> Pipeline | None:
    found = [one for one in project.pipelines.values() if one.sha == sha]
    found.sort(key=lambda one: -one.id)
    if not sent.get("pipeline_id"):
        found = found[:MOST_PIPELINES]
    for one in found:
        is_meant = sent.get("pipeline_id") in (None, one.id) and sent.get("ref") in (None, one.ref)
        if is_meant and not one.is_archived:
            return one
    if sent.get("pipeline_id"):
        raise not_found("Pipeline for pipeline_id, sha and ref")
    return None


def _pipeline(forge: FakeGitLab, call: Call, found: Pipeline | None, name: str, ref: str) -> Pipeline:
    project = forge.project_of(call)
    if found is not None:
        is_full = project.most_jobs is not None and len(found.jobs) >= project.most_jobs
        if not is_full or _open(found, name, call.who.user, ref):
            return found
        if call.document.get("pipeline_id"):
            raise refusal(422, "The number of jobs has exceeded the limit")
    return forge.new_pipeline(project, call.names["sha"], ref, "external", call.who.user)


def _open(pipeline: Pipeline, name: str, user: str, ref: str) -> Job | None:
    for job in pipeline.current:
        is_same = job.is_status and (job.name, job.user, job.ref) == (name, user, ref)
        if is_same and job.status in ("pending", "running"):
            return job
    return None


def _set(forge: FakeGitLab, call: Call, pipeline: Pipeline, name: str, ref: str) -> Job:
    sent, now = call.document, forge.clock()
    _require_fields(sent)
    if any(job.name == name and not job.is_status for job in pipeline.current):
        raise refusal(400, {"name": ["has already been taken"]})
    job = _open(pipeline, name, call.who.user, ref)
    # A finished one, or another user's, is retried: a new job takes its place.
    made = job or Job(forge.next_number(), name, "external", call.who.user, ref, now, is_status=True)
    _step(made, sent["state"])
    if job is None:
        for old in pipeline.current:
            old.is_retried = old.is_retried or old.name == name
        pipeline.jobs.append(made)
    for field in ("target_url", "description", "coverage"):
        if field in sent:
            setattr(made, field, sent[field])
    if made.status == "running" or (made.status in FINISHED and made.started_at is None):
        made.started_at = made.started_at or now
    made.finished_at = now if made.status in FINISHED else None
    made.failure_reason = "api_failure" if made.status == "failed" else None
    return made


def _step(job: Job, state: str) -> None:
    if job.status not in ALLOWED[state]:
        event = EVENTS.get(state, "skip")
        reason = f'Status cannot transition via "{event}"'
        raise refusal(400, f"Cannot transition status via :{event} from :{job.status} (Reason(s): {reason})")
    job.status = state


def _require_fields(sent: dict[str, Any]) -> None:
    faults: dict[str, list[str]] = {}
    for name in ("description", "target_url", "ref"):
        if len(sent.get(name) or "") > LONGEST:
            faults[name] = [f"is too long (maximum is {LONGEST} characters)"]
    target = sent.get("target_url")
    if target and not target.startswith(("http://", "https://")):
        faults.setdefault("target_url", []).append("is blocked: Only allowed schemes are http, https")
    if faults:
        raise refusal(400, faults)


def listed(forge: FakeGitLab, call: Call) -> Answer:
    """Answer the statuses of a commit, CI jobs among them: the newest of each name, or all with `all=true`."""
    project, sha, query = forge.project_of(call), call.names["sha"], call.request.query
    if sha not in project.network.commits:
        raise not_found("Commit")
    found = [
        (one, job)
        for one in project.pipelines.values()
        if one.sha == sha and query.get("pipeline_id") in (None, str(one.id))
        for job in one.jobs
        if (query.get("all") in ("true", "True", "1") or not job.is_retried)
        and query.get("ref") in (None, job.ref)
        and query.get("name") in (None, job.name)
        and query.get("stage") in (None, job.stage)
    ]
    found.sort(key=lambda each: each[1].id, reverse=query.get("sort") == "desc")
    page, headers = pages(forge, call, found)
    return Answer(200, [status(forge, one, job) for one, job in page], headers)


BASE = "/projects/{id}"
ROUTES = (
    Route("POST", f"{BASE}/statuses/{{sha}}", create, "developer"),
    Route("GET", f"{BASE}/repository/commits/{{sha}}/statuses", listed, "read"),
)
