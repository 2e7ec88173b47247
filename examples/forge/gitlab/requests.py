"""Merge requests, notes, external status checks and issues of GitLab.

Source: REST documentation, «Merge requests API», «Notes API», «External status checks API», «Issues API».
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from examples.forge.exchange import Answer
from examples.forge.gitlab.documents import (
    commit,
    difference,
    full_pipeline,
    merge_request,
    moment,
    note,
    pages,
    pipeline,
    user,
)
from examples.forge.gitlab.refusals import invalid_parameter, not_found, refusal
from examples.forge.gitlab.world import Issue, MergeRequest, Note, Pipeline, StatusCheck
from examples.forge.server import Call, Route

if TYPE_CHECKING:
    from examples.forge.gitlab.forge import FakeGitLab

CHECK_STATES = ("passed", "failed", "pending")
# A check that was not answered in this time counts as failed (17.4).
ANSWER_WITHIN = timedelta(minutes=2)


def request_of(forge: FakeGitLab, call: Call) -> MergeRequest:
    """Return the merge request that the path names; notes call its number by another name."""
    name = "merge_request_iid" if "merge_request_iid" in call.names else "noteable_id"
    found = forge.project_of(call).merge_requests.get(call.number(name))
    if found is None:
        raise not_found("")
    return found


def listed(forge: FakeGitLab, call: Call) -> Answer:
    """Answer merge requests, newest first, by `state`, branches and author."""
    query = call.request.query
    found = [
        one
        for one in sorted(forge.project_of(call).merge_requests.values(), key=lambda each: -each.iid)
        if query.get("state", "all") in ("all", one.state)
        and query.get("source_branch") in (None, one.source_branch)
        and query.get("target_branch") in (None, one.target_branch)
        and query.get("author_username") in (None, one.author)
    ]
    page, headers = pages(forge, call, found)
    return Answer(200, [merge_request(forge, one) for one in page], headers)


def get(forge: FakeGitLab, call: Call) -> Answer:
    """Answer one merge request with its head pipeline."""
    one = request_of(forge, call)
    return Answer(200, full_request(forge, one))


def full_request(forge: FakeGitLab, one: MergeRequest) -> dict[str, Any]:
    """Return a merge request as its own address has it."""
    head = head_pipeline(one)
    changes = one.target.network.changes(one.base_sha, one.sha)
    return {
        **merge_request(forge, one),
        "detailed_merge_status": detailed_status(forge, one),
        "subscribed": False,
        "changes_count": str(len(changes)),
        "pipeline": pipeline(forge, head) if head else None,
        "head_pipeline": full_pipeline(forge, head) if head else None,
        "diff_refs": {"base_sha": one.base_sha, "head_sha": one.sha, "start_sha": one.base_sha},
        "merge_error": None,
        "first_contribution": False,
        "user": {"can_merge": True},
    }


def head_pipeline(one: MergeRequest) -> Pipeline | None:
    """Return the newest pipeline of the head, in the source or the target project."""
    found = [each for place in (one.source, one.target) for each in place.pipelines.values()]
    found = [each for each in found if each.sha in (one.sha, one.merge_sha)]
    return max(found, key=lambda each: each.id, default=None)


def detailed_status(forge: FakeGitLab, one: MergeRequest) -> str:
    """Return why a merge request cannot be merged, or `mergeable`."""
    if one.state != "opened":
        return "not_open"
    if one.is_draft:
        return "draft_status"
    head = head_pipeline(one)
    if one.target.needs_pipeline and (head is None or head.status != "success"):
        is_open = head is not None and head.status in ("created", "pending", "running")
        return "ci_still_running" if is_open else "ci_must_pass"
    states = {check_state(forge, one, check) for check in one.target.status_checks.values()}
    if one.target.needs_status_checks and states - {"passed"}:
        return "status_checks_must_pass"
    return "mergeable"


def diffs(forge: FakeGitLab, call: Call) -> Answer:
    """Answer the files that a merge request changes."""
    one = request_of(forge, call)
    network = one.target.network
    page, headers = pages(forge, call, network.changes(network.merge_base(one.base_sha, one.sha) or "", one.sha))
    return Answer(200, [difference(change, network.commits[one.sha]) for change in page], headers)


def commits(forge: FakeGitLab, call: Call) -> Answer:
    """Answer the commits of a merge request, newest first."""
    one = request_of(forge, call)
    found = one.target.network.between(one.base_sha, one.sha)[::-1]
    page, headers = pages(forge, call, found)
    return Answer(200, [commit(forge, one.target, each) for each in page], headers)


def pipelines(forge: FakeGitLab, call: Call) -> Answer:
    """Answer the pipelines of a merge request, newest first; those of a fork lie in the fork."""
    one = request_of(forge, call)
    found = {each.id: each for place in (one.source, one.target) for each in place.pipelines.values()}
    chosen = [each for _, each in sorted(found.items(), reverse=True) if each.sha in (one.sha, one.merge_sha)]
    page, headers = pages(forge, call, chosen)
    return Answer(200, [pipeline(forge, each) for each in page], headers)


def list_notes(forge: FakeGitLab, call: Call) -> Answer:
    """Answer the notes of a merge request: newest first, unless `sort` says otherwise."""
    one = request_of(forge, call)
    found = sorted(one.notes.values(), key=lambda each: each.id, reverse=call.request.query.get("sort") != "asc")
    page, headers = pages(forge, call, found)
    return Answer(200, [_note(forge, one, each) for each in page], headers)


def _note(forge: FakeGitLab, one: MergeRequest, each: Note) -> dict[str, Any]:
    return note(forge, one.id, one.iid, one.target.id, "MergeRequest", each)


def add_note(forge: FakeGitLab, call: Call) -> Answer:
    """Write a note."""
    one, body = request_of(forge, call), call.document.get("body")
    if not body:
        raise invalid_parameter("body is missing")
    at = forge.clock()
    made = Note(forge.next_number(), call.who.user, body, at, at, bool(call.document.get("internal")))
    one.notes[made.id] = made
    return Answer(201, _note(forge, one, made))


def _note_of(forge: FakeGitLab, call: Call) -> Note:
    found = request_of(forge, call).notes.get(call.number("note_id"))
    if found is None:
        raise not_found("Note")
    if found.author != call.who.user and call.request.method != "GET":
        raise refusal(403, "403 Forbidden")
    return found


def get_note(forge: FakeGitLab, call: Call) -> Answer:
    """Answer one note."""
    return Answer(200, _note(forge, request_of(forge, call), _note_of(forge, call)))


def edit_note(forge: FakeGitLab, call: Call) -> Answer:
    """Change a note; only who wrote it may."""
    found = _note_of(forge, call)
    found.body, found.updated_at = call.document.get("body", found.body), forge.clock()
    return Answer(200, _note(forge, request_of(forge, call), found))


def delete_note(forge: FakeGitLab, call: Call) -> Answer:
    """Take a note away."""
    del request_of(forge, call).notes[_note_of(forge, call).id]
    return Answer(204, is_empty=True)


def check_state(forge: FakeGitLab, one: MergeRequest, check: StatusCheck) -> str:
    """Return the state of an external status check at the head: pending for two minutes, then failed."""
    if (check.id, one.sha) in one.responses:
        state, at = one.responses[check.id, one.sha]
    else:
        state, at = "pending", one.asked_at.get((check.id, one.sha), one.at)
    return "failed" if state == "pending" and forge.clock() - at > ANSWER_WITHIN else state


def list_checks(forge: FakeGitLab, call: Call) -> Answer:
    """Answer the external status checks of a merge request with their states."""
    one = request_of(forge, call)
    page, headers = pages(forge, call, one.target.status_checks.values())
    documents = [
        {"id": check.id, "name": check.name, "external_url": check.url, "status": check_state(forge, one, check)}
        for check in page
    ]
    return Answer(200, documents, headers)


def checks_of_project(forge: FakeGitLab, call: Call) -> Answer:
    """Answer the external status checks of a project."""
    found = forge.project_of(call)
    page, headers = pages(forge, call, found.status_checks.values())
    documents = [
        {"id": one.id, "name": one.name, "project_id": found.id, "external_url": one.url, "hmac": bool(one.secret)}
        | {"protected_branches": []}
        for one in page
    ]
    return Answer(200, documents, headers)


def answer_check(forge: FakeGitLab, call: Call) -> Answer:
    """Take the answer of an external status check; one for another head than the present is superseded."""
    one, sent = request_of(forge, call), call.document
    for name in ("sha", "external_status_check_id", "status"):
        if not sent.get(name):
            raise invalid_parameter(f"{name} is missing")
    if sent["status"] not in CHECK_STATES:
        raise invalid_parameter("status does not have a valid value")
    check = one.target.status_checks.get(sent["external_status_check_id"])
    if check is None:
        raise not_found("")
    if sent["sha"] != one.sha:
        raise refusal(409, f"409 Conflict: sha does not match source branch HEAD: {one.sha}")
    one.responses[check.id, one.sha] = (sent["status"], forge.clock())
    shown = {"id": check.id, "name": check.name, "external_url": check.url}
    document = {
        "id": forge.next_number(),
        "merge_request": merge_request(forge, one),
        "external_status_check": shown,
    }
    return Answer(201, document)


def create_issue(forge: FakeGitLab, call: Call) -> Answer:
    """Open an issue."""
    found, sent = forge.project_of(call), call.document
    if not sent.get("title"):
        raise invalid_parameter("title is missing")
    labels = sent.get("labels") or []
    labels = labels.split(",") if isinstance(labels, str) else labels
    iid = len(found.issues) + 1
    issue = Issue(forge.next_number(), iid, sent["title"], call.who.user, sent.get("description"), forge.clock())
    issue.labels = [label for label in labels if label]
    found.issues[iid] = issue
    return Answer(201, _issue(forge, call, issue))


def list_issues(forge: FakeGitLab, call: Call) -> Answer:
    """Answer the issues, newest first, by `state`, `labels` and `search` in the title."""
    query = call.request.query
    labels = {label for label in query.get("labels", "").split(",") if label}
    found = [
        issue
        for issue in sorted(forge.project_of(call).issues.values(), key=lambda each: -each.iid)
        if query.get("state", "all") in ("all", issue.state)
        and labels <= set(issue.labels)
        and query.get("search", "") in issue.title
    ]
    page, headers = pages(forge, call, found)
    return Answer(200, [_issue(forge, call, issue) for issue in page], headers)


def edit_issue(forge: FakeGitLab, call: Call) -> Answer:
    """Change an issue's title or text, close it or open it again."""
    issue, sent = forge.project_of(call).issues.get(call.number("issue_iid")), call.document
    if issue is None:
        raise not_found("Issue")
    issue.title = sent.get("title", issue.title)
    issue.description = sent.get("description", issue.description)
    issue.state = {"close": "closed", "reopen": "opened"}.get(sent.get("state_event", ""), issue.state)
    return Answer(200, _issue(forge, call, issue))


def _issue_of_note(forge: FakeGitLab, call: Call) -> Issue:
    issue = forge.project_of(call).issues.get(call.number("noteable_id"))
    if issue is None:
        raise not_found("Issue")
    return issue


def list_issue_notes(forge: FakeGitLab, call: Call) -> Answer:
    """Answer the notes of an issue, newest first."""
    issue, found = _issue_of_note(forge, call), forge.project_of(call)
    page, headers = pages(forge, call, sorted(issue.notes.values(), key=lambda each: -each.id))
    return Answer(200, [note(forge, issue.id, issue.iid, found.id, "Issue", each) for each in page], headers)


def add_issue_note(forge: FakeGitLab, call: Call) -> Answer:
    """Write a note of an issue."""
    issue, body, at = _issue_of_note(forge, call), call.document.get("body"), forge.clock()
    if not body:
        raise invalid_parameter("body is missing")
    made = Note(forge.next_number(), call.who.user, body, at, at)
    issue.notes[made.id] = made
    return Answer(201, note(forge, issue.id, issue.iid, forge.project_of(call).id, "Issue", made))


def _issue(forge: FakeGitLab, call: Call, issue: Issue) -> dict[str, Any]:
    found = forge.project_of(call)
    return {
        "id": issue.id,
        "iid": issue.iid,
        "project_id": found.id,
        "title": issue.title,
        "description": issue.description,
        "state": issue.state,
        "created_at": moment(issue.at),
        "updated_at": moment(issue.at),
        "labels": issue.labels,
        "assignees": [],
        "author": user(forge, issue.author),
        "type": "ISSUE",
        "issue_type": "issue",
        "user_notes_count": len(issue.notes),
        "confidential": False,
        "web_url": f"{forge.url}/{found.path}/-/issues/{issue.iid}",
    }


BASE = "/projects/{id}/merge_requests"
ONE, NOTES = f"{BASE}/{{merge_request_iid}}", f"{BASE}/{{noteable_id}}/notes"
ISSUE_NOTES = "/projects/{id}/issues/{noteable_id}/notes"
ROUTES = (
    Route("GET", BASE, listed, "read"),
    Route("GET", ONE, get, "read"),
    Route("GET", f"{ONE}/diffs", diffs, "read"),
    Route("GET", f"{ONE}/commits", commits, "read"),
    Route("GET", f"{ONE}/pipelines", pipelines, "read"),
    Route("GET", NOTES, list_notes, "read"),
    Route("POST", NOTES, add_note, "reporter"),
    Route("GET", f"{NOTES}/{{note_id}}", get_note, "read"),
    Route("PUT", f"{NOTES}/{{note_id}}", edit_note, "reporter"),
    Route("DELETE", f"{NOTES}/{{note_id}}", delete_note, "reporter"),
    Route("GET", f"{ONE}/status_checks", list_checks, "read"),
    Route("POST", f"{ONE}/status_check_responses", answer_check, "developer"),
    Route("GET", "/projects/{id}/external_status_checks", checks_of_project, "maintainer"),
    Route("POST", "/projects/{id}/issues", create_issue, "guest"),
    Route("GET", "/projects/{id}/issues", list_issues, "read"),
    Route("PUT", "/projects/{id}/issues/{issue_iid}", edit_issue, "reporter"),
    Route("GET", ISSUE_NOTES, list_issue_notes, "read"),
    Route("POST", ISSUE_NOTES, add_issue_note, "guest"),
)
