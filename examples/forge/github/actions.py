"""GitHub Actions: workflows, runs with their attempts, jobs, and answers to deployment protection rules.

Source: REST documentation, «Workflows», «Workflow runs», «Workflow jobs».
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from examples.forge.exchange import Answer
from examples.forge.github.documents import (
    moment,
    node_id,
    pull_reference,
    repository_url,
    simple_commit,
    small_repository,
    user,
)
from examples.forge.github.refusals import invalid_request, not_found, refusal
from examples.forge.github.world import Attempt, Job, Repository, Workflow, WorkflowRun
from examples.forge.server import Call, Route, pages

if TYPE_CHECKING:
    from examples.forge.github.forge import FakeGitHub


def run_of(forge: FakeGitHub, call: Call) -> WorkflowRun:
    """Return the run that the path names."""
    run = forge.repository_of(call).runs.get(call.number("run_id"))
    if run is None:
        raise not_found()
    return run


def get_run(forge: FakeGitHub, call: Call) -> Answer:
    """Answer a run as its newest attempt stands."""
    run = run_of(forge, call)
    return Answer(200, run_document(forge, forge.repository_of(call), run, run.last))


def get_attempt(forge: FakeGitHub, call: Call) -> Answer:
    """Answer one attempt of a run."""
    run = run_of(forge, call)
    return Answer(200, run_document(forge, forge.repository_of(call), run, _attempt_of(call, run)))


def _attempt_of(call: Call, run: WorkflowRun) -> Attempt:
    number = call.number("attempt_number")
    if not 1 <= number <= len(run.attempts):
        raise not_found()
    return run.attempts[number - 1]


def list_runs(forge: FakeGitHub, call: Call) -> Answer:
    """Answer runs, newest first, of all workflows or of one; filters by commit, branch, event, status, suite."""
    repository, query = forge.repository_of(call), call.request.query
    found = [run for run in sorted(repository.runs.values(), key=lambda one: -one.id) if _matches(run, query)]
    if "workflow_id" in call.names:
        workflow = workflow_of(forge, call)
        found = [run for run in found if run.workflow is workflow]
    page, headers = pages(forge, call, found)
    documents = [run_document(forge, repository, run, run.last) for run in page]
    return Answer(200, {"total_count": len(found), "workflow_runs": documents}, headers)


def _matches(run: WorkflowRun, query: Any) -> bool:
    return (
        query.get("head_sha") in (None, run.sha)
        and query.get("branch") in (None, run.branch)
        and query.get("event") in (None, run.event)
        and query.get("actor") in (None, run.actor)
        and query.get("status") in (None, run.last.status, run.last.conclusion)
        and query.get("check_suite_id") in (None, str(run.suite_id))
    )


def list_jobs(forge: FakeGitHub, call: Call) -> Answer:
    """Answer the jobs of a run's newest attempt, or of all with `filter=all`."""
    run = run_of(forge, call)
    wanted = {attempt.number for attempt in run.attempts}
    if call.request.query.get("filter", "latest") == "latest":
        wanted = {run.last.number}
    return _jobs(forge, call, run, wanted)


def list_jobs_of_attempt(forge: FakeGitHub, call: Call) -> Answer:
    """Answer the jobs of one attempt."""
    run = run_of(forge, call)
    return _jobs(forge, call, run, {_attempt_of(call, run).number})


def _jobs(forge: FakeGitHub, call: Call, run: WorkflowRun, attempts: set[int]) -> Answer:
    found = [job for job in run.jobs if job.attempt in attempts]
    page, headers = pages(forge, call, found)
    repository = forge.repository_of(call)
    documents = [job_document(forge, repository, run, job) for job in page]
    return Answer(200, {"total_count": len(found), "jobs": documents}, headers)


def get_job(forge: FakeGitHub, call: Call) -> Answer:
    """Answer one job."""
    repository, number = forge.repository_of(call), call.number("job_id")
    for run in repository.runs.values():
        for job in run.jobs:
            if job.id == number:
                return Answer(200, job_document(forge, repository, run, job))
    raise not_found()


def workflows_of(forge: FakeGitHub, repository: Repository) -> list[Workflow]:
    """Return the workflows: of the default branch's files, and those that ever ran."""
    head = repository.network.commits[repository.branches[repository.default_branch]]
    for path in sorted(head.files):
        if path.startswith(".github/workflows/") and path.endswith((".yml", ".yaml")):
            forge.workflow(repository, path)
    return list(repository.workflows.values())


def workflow_of(forge: FakeGitHub, call: Call) -> Workflow:
    """Return the workflow that the path names by number or by file name."""
    name = call.names["workflow_id"]
    for workflow in workflows_of(forge, forge.repository_of(call)):
        if name in (str(workflow.id), workflow.path.rpartition("/")[2]):
            return workflow
    raise not_found()


def list_workflows(forge: FakeGitHub, call: Call) -> Answer:
    """Answer the workflows of a repository."""
    repository = forge.repository_of(call)
    found = workflows_of(forge, repository)
    page, headers = pages(forge, call, found)
    documents = [workflow_document(forge, repository, workflow) for workflow in page]
    return Answer(200, {"total_count": len(found), "workflows": documents}, headers)


def get_workflow(forge: FakeGitHub, call: Call) -> Answer:
    """Answer one workflow."""
    return Answer(200, workflow_document(forge, forge.repository_of(call), workflow_of(forge, call)))


def answer_protection_rule(forge: FakeGitHub, call: Call) -> Answer:
    """Take an App's answer to a deployment protection rule: approved or rejected, with a comment."""
    run, document = run_of(forge, call), call.document
    if not isinstance(document, dict) or document.get("state") not in ("approved", "rejected", None):
        raise invalid_request('For \'properties/state\', the value is not a member of ["approved", "rejected"].')
    if not document.get("environment_name") or ("comment" not in document and "state" not in document):
        raise invalid_request("Missing: environment_name, comment.")
    if call.who.kind != "installation":
        raise refusal(403, "You must authenticate via a GitHub App.")
    if document["environment_name"] not in run.waiting_for:
        raise refusal(422, f"No pending deployment requests to approve or reject for {document['environment_name']}")
    run.protections.append({**document, "app_id": call.who.app.id})
    if document.get("state"):
        forge.decide_deployment(run, document["environment_name"], document["state"])
    return Answer(204, is_empty=True)


def run_document(forge: FakeGitHub, found: Repository, run: WorkflowRun, attempt: Attempt) -> dict[str, Any]:
    """Return an attempt of a run as the API has it."""
    return {
        **run_event_document(forge, found, run, attempt),
        "head_repository_id": run.head_repository.id,
        "created_at": moment(run.at),
    }


def run_event_document(forge: FakeGitHub, found: Repository, run: WorkflowRun, attempt: Attempt) -> dict[str, Any]:
    """Return an attempt of a run as webhooks have it; they allow no other field."""
    url = f"{repository_url(forge, found)}/actions/runs/{run.id}"
    suite = f"{repository_url(forge, found)}/check-suites/{run.suite_id}"
    previous = f"{url}/attempts/{attempt.number - 1}" if attempt.number > 1 else None
    commit = run.head_repository.network.commits[run.sha]
    addresses = ("jobs", "logs", "artifacts", "cancel", "rerun")
    return {
        "id": run.id,
        "name": run.workflow.name,
        "node_id": node_id("WorkflowRun", run.id),
        "head_branch": run.branch,
        "head_sha": run.sha,
        "path": run.workflow.path,
        "run_number": run.number,
        "event": run.event,
        "display_title": commit.message,
        "status": attempt.status,
        "conclusion": attempt.conclusion,
        "workflow_id": run.workflow.id,
        "check_suite_id": run.suite_id,
        "check_suite_node_id": node_id("CheckSuite", run.suite_id),
        "url": url,
        "html_url": f"{forge.url}/{found.full_name}/actions/runs/{run.id}",
        "pull_requests": [pull_reference(forge, found, pull) for pull in run.pulls if not run.head_repository.is_fork],
        "created_at": moment(run.at),
        "updated_at": moment(attempt.updated_at or attempt.started_at),
        "actor": user(forge, run.actor),
        "run_attempt": attempt.number,
        "run_started_at": moment(attempt.started_at),
        "triggering_actor": user(forge, run.actor),
        **{f"{name}_url": f"{url}/{name}" for name in addresses},
        "check_suite_url": suite,
        "previous_attempt_url": previous,
        "workflow_url": f"{repository_url(forge, found)}/actions/workflows/{run.workflow.id}",
        "head_commit": simple_commit(commit),
        "repository": small_repository(forge, found),
        "head_repository": small_repository(forge, run.head_repository),
    }


def job_document(forge: FakeGitHub, found: Repository, run: WorkflowRun, job: Job) -> dict[str, Any]:
    """Return a job as API and webhooks have it."""
    url = f"{repository_url(forge, found)}/actions"
    return {
        "id": job.id,
        "run_id": run.id,
        "workflow_name": run.workflow.name,
        "head_branch": run.branch,
        "run_url": f"{url}/runs/{run.id}",
        "run_attempt": job.attempt,
        "node_id": node_id("CheckRun", job.id),
        "head_sha": run.sha,
        "url": f"{url}/jobs/{job.id}",
        "html_url": f"{forge.url}/{found.full_name}/actions/runs/{run.id}/job/{job.id}",
        "status": job.status,
        "conclusion": job.conclusion,
        "created_at": moment(job.created_at or run.at),
        "started_at": moment(job.started_at or job.created_at or run.at),
        "completed_at": moment(job.completed_at) if job.completed_at else None,
        "name": job.name,
        "steps": _steps(run, job),
        "check_run_url": f"{repository_url(forge, found)}/check-runs/{job.id}",
        "labels": ["ubuntu-latest"],
        **_runner(job),
    }


def _runner(job: Job) -> dict[str, Any]:
    if job.status == "queued":
        return dict.fromkeys(("runner_id", "runner_name", "runner_group_id", "runner_group_name"))
    return {"runner_id": 1, "runner_name": "runner 1", "runner_group_id": 1, "runner_group_name": "Default"}


def _steps(run: WorkflowRun, job: Job) -> list[dict[str, Any]]:
    if job.status == "queued":
        return []
    began = moment(job.started_at or run.at)
    step: dict[str, Any] = {"name": "Set up job", "status": "in_progress", "conclusion": None, "number": 1}
    if job.status == "completed":
        # A step knows fewer ends than a job does.
        ended = job.conclusion if job.conclusion in ("success", "failure", "skipped", "cancelled") else "failure"
        step |= {"status": "completed", "conclusion": ended}
    ended_at = moment(job.completed_at) if job.completed_at else None
    return [{**step, "started_at": began, "completed_at": ended_at}]


def workflow_document(forge: FakeGitHub, found: Repository, workflow: Workflow) -> dict[str, Any]:
    """Return a workflow as API and webhooks have it."""
    html = f"{forge.url}/{found.full_name}"
    return {
        "id": workflow.id,
        "node_id": node_id("Workflow", workflow.id),
        "name": workflow.name,
        "path": workflow.path,
        "state": workflow.state,
        "created_at": moment(workflow.at),
        "updated_at": moment(workflow.at),
        "url": f"{repository_url(forge, found)}/actions/workflows/{workflow.id}",
        "html_url": f"{html}/blob/{found.default_branch}/{workflow.path}",
        "badge_url": f"{html}/actions/workflows/{workflow.path.rpartition('/')[2]}/badge.svg",
    }


BASE = "/repos/{owner}/{repo}/actions"
ROUTES = (
    Route("GET", f"{BASE}/runs", list_runs, "actions:read"),
    Route("GET", f"{BASE}/runs/{{run_id}}", get_run, "actions:read"),
    Route("GET", f"{BASE}/runs/{{run_id}}/attempts/{{attempt_number}}", get_attempt, "actions:read"),
    Route("GET", f"{BASE}/runs/{{run_id}}/jobs", list_jobs, "actions:read"),
    Route("GET", f"{BASE}/runs/{{run_id}}/attempts/{{attempt_number}}/jobs", list_jobs_of_attempt, "actions:read"),
    Route("GET", f"{BASE}/jobs/{{job_id}}", get_job, "actions:read"),
    Route("GET", f"{BASE}/workflows", list_workflows, "actions:read"),
    Route("GET", f"{BASE}/workflows/{{workflow_id}}", get_workflow, "actions:read"),
    Route("GET", f"{BASE}/workflows/{{workflow_id}}/runs", list_runs, "actions:read"),
    Route("POST", f"{BASE}/runs/{{run_id}}/deployment_protection_rule", answer_protection_rule, "deployments:write"),
)
