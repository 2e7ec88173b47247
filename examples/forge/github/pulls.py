"""Pull requests, their files and commits. Source: REST documentation, «Pull requests»."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from examples.forge.exchange import Answer
from examples.forge.github.documents import changed_file, commit, moment, node_id, repository, repository_url, user
from examples.forge.github.refusals import not_found
from examples.forge.github.requirements import unmet
from examples.forge.github.statuses import combined_state, newest
from examples.forge.github.world import PullRequest, Repository
from examples.forge.server import Call, Route, pages

if TYPE_CHECKING:
    from examples.forge.github.forge import FakeGitHub


def pull_of(forge: FakeGitHub, call: Call) -> PullRequest:
    """Return the pull request that the path names."""
    pull = forge.repository_of(call).pulls.get(call.number("pull_number"))
    if pull is None:
        raise not_found()
    return pull


def get(forge: FakeGitHub, call: Call) -> Answer:
    """Answer one pull request."""
    return Answer(200, full_pull(forge, forge.repository_of(call), pull_of(forge, call)))


def listed(forge: FakeGitHub, call: Call) -> Answer:
    """Answer pull requests, newest first: open ones, or those of `state`, `head` (`owner:branch`) and `base`."""
    repository, query = forge.repository_of(call), call.request.query
    state, head, base = query.get("state", "open"), query.get("head"), query.get("base")
    found = [
        pull
        for pull in sorted(repository.pulls.values(), key=lambda one: -one.number)
        if state in ("all", pull.state)
        and base in (None, pull.base)
        and head in (None, f"{pull.head_repository.owner}:{pull.head}")
    ]
    page, headers = pages(forge, call, found)
    return Answer(200, [simple_pull(forge, repository, pull) for pull in page], headers)


def of_commit(forge: FakeGitHub, call: Call) -> Answer:
    """Answer the pull requests that a commit belongs to."""
    repository = forge.repository_of(call)
    one = forge.commit_of(call, call.names["commit_sha"])
    found = [
        pull
        for pull in repository.pulls.values()
        if one in repository.network.between(pull.base_sha, pull.head_sha) or one.sha == pull.head_sha
    ]
    page, headers = pages(forge, call, found)
    return Answer(200, [simple_pull(forge, repository, pull) for pull in page], headers)


def files(forge: FakeGitHub, call: Call) -> Answer:
    """Answer the files that a pull request changes."""
    repository, pull = forge.repository_of(call), pull_of(forge, call)
    head = repository.network.commits[pull.head_sha]
    middle = repository.network.merge_base(pull.base_sha, pull.head_sha) or ""
    page, headers = pages(forge, call, repository.network.changes(middle, pull.head_sha))
    return Answer(200, [changed_file(forge, repository, head, change) for change in page], headers)


def commits(forge: FakeGitHub, call: Call) -> Answer:
    """Answer the commits of a pull request, oldest first."""
    repository, pull = forge.repository_of(call), pull_of(forge, call)
    page, headers = pages(forge, call, repository.network.between(pull.base_sha, pull.head_sha))
    return Answer(200, [commit(forge, repository, one) for one in page], headers)


def _end(forge: FakeGitHub, found: Repository, name: str, sha: str) -> dict[str, Any]:
    return {
        "label": f"{found.owner}:{name}",
        "ref": name,
        "sha": sha,
        "user": user(forge, found.owner),
        "repo": repository(forge, found),
    }


def simple_pull(forge: FakeGitHub, found: Repository, pull: PullRequest) -> dict[str, Any]:
    """Return a pull request as lists have it."""
    url = f"{repository_url(forge, found)}/pulls/{pull.number}"
    issue = f"{repository_url(forge, found)}/issues/{pull.number}"
    html = f"{forge.url}/{found.full_name}/pull/{pull.number}"
    addresses = {
        "html_url": html,
        "issue_url": issue,
        "comments_url": f"{issue}/comments",
        "review_comments_url": f"{url}/comments",
        "review_comment_url": f"{repository_url(forge, found)}/pulls/comments{{/number}}",
        "commits_url": f"{url}/commits",
        "statuses_url": f"{repository_url(forge, found)}/statuses/{pull.head_sha}",
    }
    links = {name.removesuffix("_url"): {"href": address} for name, address in addresses.items()}
    return {
        "url": url,
        "id": pull.id,
        "node_id": node_id("PullRequest", pull.id),
        **addresses,
        "diff_url": f"{html}.diff",
        "patch_url": f"{html}.patch",
        "number": pull.number,
        "state": pull.state,
        "locked": False,
        "title": pull.title,
        "user": user(forge, pull.author),
        "body": pull.body,
        **_times(pull),
        "merge_commit_sha": pull.merge_sha or None,
        **{"assignee": None, "assignees": [], "requested_reviewers": [], "requested_teams": [], "labels": []},
        **{"milestone": None, "auto_merge": None, "active_lock_reason": None},
        "draft": pull.is_draft,
        "head": _end(forge, pull.head_repository, pull.head, pull.head_sha),
        "base": _end(forge, found, pull.base, pull.base_sha),
        "_links": {**links, "self": {"href": url}},
        "author_association": "CONTRIBUTOR" if pull.head_repository.is_fork else "MEMBER",
    }


def _times(pull: PullRequest) -> dict[str, str | None]:
    return {
        "created_at": moment(pull.at),
        "updated_at": moment(pull.closed_at or pull.at),
        "closed_at": moment(pull.closed_at) if pull.closed_at else None,
        "merged_at": moment(pull.merged_at) if pull.merged_at else None,
    }


def full_pull(forge: FakeGitHub, found: Repository, pull: PullRequest) -> dict[str, Any]:
    """Return a pull request as its own address and webhooks have it."""
    network = found.network
    changes = network.changes(network.merge_base(pull.base_sha, pull.head_sha) or "", pull.head_sha)
    return {
        **simple_pull(forge, found, pull),
        "merged": pull.merged_at is not None,
        "mergeable": None if pull.closed_at else True,
        "rebaseable": None if pull.closed_at else True,
        "mergeable_state": _mergeable_state(found, pull),
        "merged_by": user(forge, pull.author) if pull.merged_at else None,
        "comments": 0,
        "review_comments": 0,
        "maintainer_can_modify": pull.head_repository.is_fork,
        "commits": len(network.between(pull.base_sha, pull.head_sha)),
        "additions": len(changes),
        "deletions": 0,
        "changed_files": len(changes),
    }


def _mergeable_state(found: Repository, pull: PullRequest) -> str:
    if pull.closed_at:
        return "unknown"
    if unmet(found, pull.base, pull.head_sha):
        return "blocked"
    return "unstable" if combined_state(newest(found, pull.head_sha)) == "failure" else "clean"


BASE = "/repos/{owner}/{repo}"
ROUTES = (
    Route("GET", f"{BASE}/pulls", listed, "pull_requests:read"),
    Route("GET", f"{BASE}/pulls/{{pull_number}}", get, "pull_requests:read"),
    Route("GET", f"{BASE}/pulls/{{pull_number}}/files", files, "pull_requests:read"),
    Route("GET", f"{BASE}/pulls/{{pull_number}}/commits", commits, "pull_requests:read"),
    Route("GET", f"{BASE}/commits/{{commit_sha}}/pulls", of_commit, "pull_requests:read"),
)
