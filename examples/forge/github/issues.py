"""Issues and comments; a pull request takes comments as an issue does. Source: REST documentation, «Issues»."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from examples.forge.exchange import Answer
from examples.forge.github.documents import moment, node_id, repository_url, user
from examples.forge.github.refusals import invalid, not_found
from examples.forge.github.world import Comment, Issue, Repository
from examples.forge.server import Call, Route, pages

if TYPE_CHECKING:
    from examples.forge.github.forge import FakeGitHub

LARGEST_BODY = 65536


def issue_of(forge: FakeGitHub, call: Call) -> Issue:
    """Return the issue, or the pull request's side of one, that the path names."""
    issue = forge.repository_of(call).issues.get(call.number("issue_number"))
    if issue is None:
        raise not_found()
    return issue


def listed(forge: FakeGitHub, call: Call) -> Answer:
    """Answer issues, newest first: open ones, or those of `state`, `creator` and `labels`."""
    repository, query = forge.repository_of(call), call.request.query
    labels = {label for label in query.get("labels", "").split(",") if label}
    found = [
        issue
        for issue in sorted(repository.issues.values(), key=lambda one: -one.number)
        if query.get("state", "open") in ("all", issue.state)
        and query.get("creator") in (None, issue.author)
        and labels <= set(issue.labels)
    ]
    page, headers = pages(forge, call, found)
    return Answer(200, [issue_document(forge, repository, issue) for issue in page], headers)


def get(forge: FakeGitHub, call: Call) -> Answer:
    """Answer one issue."""
    return Answer(200, issue_document(forge, forge.repository_of(call), issue_of(forge, call)))


def create(forge: FakeGitHub, call: Call) -> Answer:
    """Open an issue."""
    repository, document = forge.repository_of(call), call.document
    if not document.get("title"):
        raise invalid("Issue", "title can't be blank", "title")
    _require_body("Issue", document.get("body") or "")
    number = repository.next_number()
    issue = Issue(
        forge.next_number(), number, str(document["title"]), call.who.login, document.get("body"), forge.clock()
    )
    issue.labels = list(document.get("labels") or [])
    repository.issues[number] = issue
    return Answer(201, issue_document(forge, repository, issue))


def edit(forge: FakeGitHub, call: Call) -> Answer:
    """Change an issue's title, text, state or labels."""
    issue, document = issue_of(forge, call), call.document
    issue.title = document.get("title", issue.title)
    issue.body = document.get("body", issue.body)
    issue.state = document.get("state", issue.state)
    issue.labels = list(document.get("labels", issue.labels))
    return Answer(200, issue_document(forge, forge.repository_of(call), issue))


def list_comments(forge: FakeGitHub, call: Call) -> Answer:
    """Answer the comments of an issue, oldest first."""
    issue, repository = issue_of(forge, call), forge.repository_of(call)
    page, headers = pages(forge, call, issue.comments.values())
    return Answer(200, [comment_document(forge, repository, issue, one) for one in page], headers)


def add_comment(forge: FakeGitHub, call: Call) -> Answer:
    """Write a comment."""
    issue, body = issue_of(forge, call), call.document.get("body")
    _require_body("IssueComment", body)
    at = forge.clock()
    comment = Comment(forge.next_number(), call.who.login, body, at, at)
    issue.comments[comment.id] = comment
    document = comment_document(forge, forge.repository_of(call), issue, comment)
    return Answer(201, document, {"Location": document["url"]})


def _require_body(resource: str, body: Any) -> None:
    if resource == "IssueComment" and not body:
        raise invalid(resource, "Body can't be blank", "body")
    if len(body) > LARGEST_BODY:
        raise invalid(resource, f"body is too long (maximum is {LARGEST_BODY} characters)", "body")


def _comment_of(forge: FakeGitHub, call: Call) -> tuple[Issue, Comment]:
    number = call.number("comment_id")
    for issue in forge.repository_of(call).issues.values():
        if number in issue.comments:
            return issue, issue.comments[number]
    raise not_found()


def get_comment(forge: FakeGitHub, call: Call) -> Answer:
    """Answer one comment."""
    return Answer(200, comment_document(forge, forge.repository_of(call), *_comment_of(forge, call)))


def edit_comment(forge: FakeGitHub, call: Call) -> Answer:
    """Change a comment's text."""
    issue, comment = _comment_of(forge, call)
    _require_body("IssueComment", call.document.get("body"))
    comment.body, comment.updated_at = call.document["body"], forge.clock()
    return Answer(200, comment_document(forge, forge.repository_of(call), issue, comment))


def delete_comment(forge: FakeGitHub, call: Call) -> Answer:
    """Take a comment away."""
    issue, comment = _comment_of(forge, call)
    del issue.comments[comment.id]
    return Answer(204, is_empty=True)


def issue_document(forge: FakeGitHub, repository: Repository, issue: Issue) -> dict[str, Any]:
    """Return an issue."""
    base = repository_url(forge, repository)
    url = f"{base}/issues/{issue.number}"
    is_pull = issue.number in repository.pulls
    html = f"{forge.url}/{repository.full_name}/{'pull' if is_pull else 'issues'}/{issue.number}"
    pull = {"pull_request": dict.fromkeys(("diff_url", "html_url", "patch_url", "url"))} if is_pull else {}
    labels = [
        {"id": index + 1, "node_id": node_id("Label", name), "url": f"{base}/labels/{name}", "name": name}
        | {"color": "ededed", "default": False, "description": None}
        for index, name in enumerate(issue.labels)
    ]
    return {
        "id": issue.id,
        "node_id": node_id("Issue", issue.id),
        "url": url,
        "repository_url": base,
        "labels_url": f"{url}/labels{{/name}}",
        "comments_url": f"{url}/comments",
        "events_url": f"{url}/events",
        "html_url": html,
        "number": issue.number,
        "state": issue.state,
        "title": issue.title,
        "body": issue.body,
        "user": user(forge, issue.author),
        "labels": labels,
        **{"assignee": None, "assignees": [], "milestone": None, "closed_at": None},
        "locked": False,
        "comments": len(issue.comments),
        "created_at": moment(issue.at),
        "updated_at": moment(issue.at),
        "author_association": "MEMBER",
        **pull,
    }


def comment_document(forge: FakeGitHub, repository: Repository, issue: Issue, comment: Comment) -> dict[str, Any]:
    """Return a comment."""
    base = f"{repository_url(forge, repository)}/issues"
    html = issue_document(forge, repository, issue)["html_url"]
    return {
        "id": comment.id,
        "node_id": node_id("IssueComment", comment.id),
        "url": f"{base}/comments/{comment.id}",
        "html_url": f"{html}#issuecomment-{comment.id}",
        "issue_url": f"{base}/{issue.number}",
        "body": comment.body,
        "user": user(forge, comment.author),
        "created_at": moment(comment.at),
        "updated_at": moment(comment.updated_at),
        "author_association": "MEMBER",
    }


BASE = "/repos/{owner}/{repo}/issues"
ROUTES = (
    Route("GET", BASE, listed, "issues:read"),
    Route("POST", BASE, create, "issues:write"),
    Route("GET", f"{BASE}/comments/{{comment_id}}", get_comment, "issues:read"),
    Route("PATCH", f"{BASE}/comments/{{comment_id}}", edit_comment, "issues:write"),
    Route("DELETE", f"{BASE}/comments/{{comment_id}}", delete_comment, "issues:write"),
    Route("GET", f"{BASE}/{{issue_number}}", get, "issues:read"),
    Route("PATCH", f"{BASE}/{{issue_number}}", edit, "issues:write"),
    Route("GET", f"{BASE}/{{issue_number}}/comments", list_comments, "issues:read"),
    Route("POST", f"{BASE}/{{issue_number}}/comments", add_comment, "issues:write"),
)
