"""Check runs and suites: made by Apps, changed in place by the App that made them.

Source: REST documentation, «Check runs», «Check suites».
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
from examples.forge.github.refusals import invalid, invalid_request, not_found, refusal
from examples.forge.github.world import App, CheckRun, CheckSuite, PullRequest, Repository
from examples.forge.server import Call, Route, pages

if TYPE_CHECKING:
    from examples.forge.github.forge import FakeGitHub

STATUSES = ("queued", "in_progress", "completed")
CONCLUSIONS = (
    "action_required",
    "cancelled",
    "failure",
    "neutral",
    "skipped",
    "stale",
    "success",
    "timed_out",
)
MOST_ANNOTATIONS = 50
LARGEST_TEXT = 65535


def create(forge: FakeGitHub, call: Call) -> Answer:
    """Make a check run in the App's suite of a commit; a second one of the same name is a second one."""
    repository, document = forge.repository_of(call), call.document
    if not document.get("name") or not document.get("head_sha"):
        raise invalid_request('"head_sha", "name" weren\'t supplied.')
    if document["head_sha"] not in repository.network.commits:
        raise refusal(422, f"No commit found for SHA: {document['head_sha']}")
    _require_valid(document)
    suite = suite_of(forge, repository, document["head_sha"], call.who.app)
    run = CheckRun(forge.next_number(), suite.sha, document["name"], suite.app, suite, forge.clock())
    _apply(forge, run, document)
    repository.check_runs[run.id] = run
    forge.tell_of_check_run(repository, run, "created")
    if run.status == "completed":
        forge.tell_of_check_run(repository, run, "completed")
    return Answer(201, check_run_document(forge, repository, run))


def edit(forge: FakeGitHub, call: Call) -> Answer:
    """Change a check run; annotations are added to those that are there."""
    repository, run = forge.repository_of(call), run_of(forge, call)
    if run.app is not call.who.app:
        app_id = call.who.app.id if call.who.app else None
        message = "check run can only be modified by the GitHub App that created it."
        raise refusal(403, f"Invalid app_id `{app_id}` - {message}")
    _require_valid(call.document)
    before = run.status
    _apply(forge, run, call.document)
    if run.status == "completed" != before:
        forge.tell_of_check_run(repository, run, "completed")
    return Answer(200, check_run_document(forge, repository, run))


def _require_valid(document: dict[str, Any]) -> None:
    status, conclusion = document.get("status"), document.get("conclusion")
    if status not in (None, *STATUSES):
        raise invalid("CheckRun", "status is not included in the list", "status")
    if conclusion not in (None, *CONCLUSIONS):
        raise invalid("CheckRun", "conclusion is not included in the list", "conclusion")
    if status == "completed" and conclusion is None:
        raise invalid_request('Missing: "conclusion" is required when "status" is "completed".')
    output = document.get("output") or {}
    if output and not output.get("summary"):
        raise invalid_request('"summary" wasn\'t supplied.')
    if len(output.get("annotations") or []) > MOST_ANNOTATIONS:
        raise invalid_request(f"No more than {MOST_ANNOTATIONS} annotations may be sent in one request.")
    if any(len(output.get(name) or "") > LARGEST_TEXT for name in ("summary", "text")):
        raise invalid("CheckRun", f"summary exceeds a maximum bytesize of {LARGEST_TEXT}", "summary")


def _apply(forge: FakeGitHub, run: CheckRun, document: dict[str, Any]) -> None:
    now = moment(forge.clock())
    run.name = document.get("name", run.name)
    run.external_id = document.get("external_id", run.external_id)
    run.details_url = document.get("details_url", run.details_url)
    run.actions = document.get("actions", run.actions)
    run.status = document.get("status", run.status)
    run.started_at = document.get("started_at") or run.started_at or now
    if document.get("conclusion"):
        run.status, run.conclusion = "completed", document["conclusion"]
        run.completed_at = document.get("completed_at") or now
    elif "status" in document and run.status != "completed":
        run.conclusion = run.completed_at = None
    if output := document.get("output"):
        run.output = {name: output.get(name) for name in ("title", "summary", "text")}
        run.annotations += output.get("annotations") or []


def run_of(forge: FakeGitHub, call: Call) -> CheckRun:
    """Return the check run that the path names."""
    run = forge.repository_of(call).check_runs.get(call.number("check_run_id"))
    if run is None:
        raise not_found()
    return run


def get(forge: FakeGitHub, call: Call) -> Answer:
    """Answer one check run."""
    return Answer(200, check_run_document(forge, forge.repository_of(call), run_of(forge, call)))


def list_annotations(forge: FakeGitHub, call: Call) -> Answer:
    """Answer the annotations of a check run."""
    repository, run = forge.repository_of(call), run_of(forge, call)
    page, headers = pages(forge, call, run.annotations)
    base = f"{repository_url(forge, repository)}/git/blobs"
    blank = {"start_column": None, "end_column": None, "title": None, "raw_details": None}
    return Answer(200, [{**blank, "blob_href": f"{base}/{run.sha}", **one} for one in page], headers)


def of_commit(forge: FakeGitHub, call: Call) -> Answer:
    """Answer the check runs of a commit: the newest of each name and suite, or all with `filter=all`."""
    return _listed(forge, call, forge.commit_of(call, call.names["ref"]).sha, None)


def of_suite(forge: FakeGitHub, call: Call) -> Answer:
    """Answer the check runs of a suite."""
    suite = _suite_of_path(forge, call)
    return _listed(forge, call, suite.sha, suite)


def _listed(forge: FakeGitHub, call: Call, sha: str, suite: CheckSuite | None) -> Answer:
    repository, query = forge.repository_of(call), call.request.query
    found = [
        run
        for run in sorted(repository.check_runs.values(), key=lambda one: -one.id)
        if run.sha == sha
        and (suite is None or run.suite is suite)
        and query.get("check_name") in (None, run.name)
        and query.get("status") in (None, run.status)
        and query.get("app_id") in (None, str(run.app.id))
    ]
    if query.get("filter", "latest") == "latest":
        found = list({(run.suite.id, run.name): run for run in reversed(found)}.values())[::-1]
    page, headers = pages(forge, call, found)
    documents = [check_run_document(forge, repository, run) for run in page]
    return Answer(200, {"total_count": len(found), "check_runs": documents}, headers)


def suites_of_commit(forge: FakeGitHub, call: Call) -> Answer:
    """Answer the check suites of a commit."""
    repository = forge.repository_of(call)
    sha = forge.commit_of(call, call.names["ref"]).sha
    wanted = call.request.query.get("app_id")
    found = [one for one in repository.suites.values() if one.sha == sha and wanted in (None, str(one.app.id))]
    page, headers = pages(forge, call, found)
    documents = [suite_document(forge, repository, one) for one in page]
    return Answer(200, {"total_count": len(found), "check_suites": documents}, headers)


def _suite_of_path(forge: FakeGitHub, call: Call) -> CheckSuite:
    suite = forge.repository_of(call).suites.get(call.number("check_suite_id"))
    if suite is None:
        raise not_found()
    return suite


def get_suite(forge: FakeGitHub, call: Call) -> Answer:
    """Answer one check suite."""
    return Answer(200, suite_document(forge, forge.repository_of(call), _suite_of_path(forge, call)))


def suite_of(forge: FakeGitHub, repository: Repository, sha: str, app: App) -> CheckSuite:
    """Return the App's suite of a commit; it is made at the first need."""
    if (sha, app.id) in repository.suites_of_apps:
        return repository.suites_of_apps[sha, app.id]
    branch = next((name for name, head in repository.branches.items() if head == sha), None)
    suite = CheckSuite(forge.next_number(), sha, app, forge.clock(), branch)
    repository.suites[suite.id] = repository.suites_of_apps[sha, app.id] = suite
    return suite


def pulls_of(repository: Repository, sha: str) -> list[PullRequest]:
    """Return the open pull requests with this head; those of forks are not seen."""
    return [
        pull
        for pull in repository.pulls.values()
        if pull.head_sha == sha and pull.state == "open" and pull.head_repository is repository
    ]


def check_run_document(forge: FakeGitHub, repository: Repository, run: CheckRun) -> dict[str, Any]:
    """Return a check run as the API has it."""
    return {
        **check_run_event_document(forge, repository, run),
        "check_suite": {"id": run.suite.id},
        "details_url": run.details_url,
    }


def check_run_event_document(forge: FakeGitHub, repository: Repository, run: CheckRun) -> dict[str, Any]:
    """Return a check run as webhooks have it: with its suite."""
    url = f"{repository_url(forge, repository)}/check-runs/{run.id}"
    output = {name: run.output.get(name) for name in ("title", "summary", "text")}
    return {
        "id": run.id,
        "node_id": node_id("CheckRun", run.id),
        "name": run.name,
        "head_sha": run.sha,
        "external_id": run.external_id,
        "url": url,
        "html_url": f"{forge.url}/{repository.full_name}/runs/{run.id}",
        "details_url": run.details_url or f"{forge.url}/{repository.full_name}",
        "status": run.status,
        "conclusion": run.conclusion,
        "started_at": run.started_at,
        "completed_at": run.completed_at,
        "output": {
            **output,
            "annotations_count": len(run.annotations),
            "annotations_url": f"{url}/annotations",
        },
        "check_suite": _suite_in_run(forge, repository, run.suite),
        "app": app_document(forge, run.app),
        "pull_requests": [pull_reference(forge, repository, pull) for pull in pulls_of(repository, run.sha)],
    }


def _suite_in_run(forge: FakeGitHub, repository: Repository, suite: CheckSuite) -> dict[str, Any]:
    whole = suite_document(forge, repository, suite)
    left_out = ("head_commit", "repository", "latest_check_runs_count", "check_runs_url")
    return {name: value for name, value in whole.items() if name not in left_out}


def suite_document(forge: FakeGitHub, repository: Repository, suite: CheckSuite) -> dict[str, Any]:
    """Return a check suite as the API has it."""
    url = f"{repository_url(forge, repository)}/check-suites/{suite.id}"
    runs = [run for run in repository.check_runs.values() if run.suite is suite]
    is_done = bool(runs) and all(run.status == "completed" for run in runs)
    bad = next((run.conclusion for run in runs if run.conclusion not in ("success", "neutral", "skipped")), None)
    commit = repository.network.commits[suite.sha]
    return {
        "id": suite.id,
        "node_id": node_id("CheckSuite", suite.id),
        "head_branch": suite.branch,
        "head_sha": suite.sha,
        "status": "completed" if is_done else "queued",
        "conclusion": (bad or "success") if is_done else None,
        "url": url,
        "before": commit.parents[0] if commit.parents else None,
        "after": suite.sha,
        "created_at": moment(suite.at),
        "updated_at": moment(suite.at),
        "pull_requests": [pull_reference(forge, repository, pull) for pull in pulls_of(repository, suite.sha)],
        "app": app_document(forge, suite.app),
        "head_commit": simple_commit(commit),
        "repository": small_repository(forge, repository),
        "latest_check_runs_count": len(runs),
        "check_runs_url": f"{url}/check-runs",
    }


def app_document(forge: FakeGitHub, app: App) -> dict[str, Any]:
    """Return an App."""
    return {
        "id": app.id,
        "slug": app.slug,
        "node_id": node_id("App", app.id),
        "owner": user(forge, app.owner),
        "name": app.slug,
        "description": None,
        "external_url": f"{forge.url}/apps/{app.slug}/home",
        "html_url": f"{forge.url}/apps/{app.slug}",
        "created_at": moment(app.at),
        "updated_at": moment(app.at),
        "permissions": app.permissions,
        "events": app.events,
    }


BASE = "/repos/{owner}/{repo}"
ROUTES = (
    Route("POST", f"{BASE}/check-runs", create, "checks:write"),
    Route("GET", f"{BASE}/check-runs/{{check_run_id}}", get, "checks:read"),
    Route("PATCH", f"{BASE}/check-runs/{{check_run_id}}", edit, "checks:write"),
    Route("GET", f"{BASE}/check-runs/{{check_run_id}}/annotations", list_annotations, "checks:read"),
    Route("GET", f"{BASE}/check-suites/{{check_suite_id}}", get_suite, "checks:read"),
    Route("GET", f"{BASE}/check-suites/{{check_suite_id}}/check-runs", of_suite, "checks:read"),
    Route("GET", f"{BASE}/commits/{{ref}}/check-runs", of_commit, "checks:read"),
    Route("GET", f"{BASE}/commits/{{ref}}/check-suites", suites_of_commit, "checks:read"),
)
