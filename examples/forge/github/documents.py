"""The documents of accounts, repositories and commits, with all fields that GitHub's description requires.

API and webhooks share them; where the API has more, it is added by the `full_` functions. Addresses have the form of
GitHub Enterprise Server: pages under the forge's address, the API under `/api/v3` of it.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from examples.forge.git import Change, Commit, blob_id
from examples.forge.github.world import PullRequest, Repository

if TYPE_CHECKING:
    from examples.forge.github.forge import FakeGitHub

Document = dict[str, Any]

# Address of a repository's part → the template behind the repository's own address.
REPOSITORY_URLS = {
    "archive_url": "/{archive_format}{/ref}",
    "assignees_url": "/assignees{/user}",
    "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}",
    "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}",
    "commits_url": "/commits{/sha}",
    "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}",
    "contributors_url": "/contributors",
    "deployments_url": "/deployments",
    "downloads_url": "/downloads",
    "events_url": "/events",
    "forks_url": "/forks",
    "git_commits_url": "/git/commits{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "hooks_url": "/hooks",
    "issue_comment_url": "/issues/comments{/number}",
    "issue_events_url": "/issues/events{/number}",
    "issues_url": "/issues{/number}",
    "keys_url": "/keys{/key_id}",
    "labels_url": "/labels{/name}",
    "languages_url": "/languages",
    "merges_url": "/merges",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "pulls_url": "/pulls{/number}",
    "releases_url": "/releases{/id}",
    "stargazers_url": "/stargazers",
    "statuses_url": "/statuses/{sha}",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "tags_url": "/tags",
    "teams_url": "/teams",
    "trees_url": "/git/trees{/sha}",
}
USER_URLS = {
    "followers_url": "/followers",
    "following_url": "/following{/other_user}",
    "gists_url": "/gists{/gist_id}",
    "starred_url": "/starred{/owner}{/repo}",
    "subscriptions_url": "/subscriptions",
    "organizations_url": "/orgs",
    "repos_url": "/repos",
    "events_url": "/events{/privacy}",
    "received_events_url": "/received_events",
}


def moment(at: datetime) -> str:
    """Return a time as GitHub writes it: UTC, whole seconds, `Z`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def node_id(kind: str, number: int | str) -> str:
    """Return a global id in GitHub's shape."""
    return base64.b64encode(f"{kind}:{number}".encode()).decode()


def login_id(login: str) -> int:
    """Return the number of an account, the same whenever it is asked for."""
    return int.from_bytes(hashlib.sha256(login.encode()).digest()[:3]) + 1000


def user(forge: FakeGitHub, login: str) -> Document:
    """Return an account: a bot by its name's end, an organization when the forge says so."""
    kind = "Bot" if login.endswith("[bot]") else "Organization" if login in forge.organizations else "User"
    url = f"{forge.api_url}/users/{login}"
    return {
        "login": login,
        "id": login_id(login),
        "node_id": node_id("User", login_id(login)),
        "avatar_url": f"{forge.url}/avatars/u/{login_id(login)}",
        "gravatar_id": "",
        "url": url,
        "html_url": f"{forge.url}/{login.removesuffix('[bot]')}",
        **{name: f"{url}{template}" for name, template in USER_URLS.items()},
        "type": kind,
        "site_admin": False,
    }


def repository_url(forge: FakeGitHub, repository: Repository) -> str:
    """Return the API's address of a repository."""
    return f"{forge.api_url}/repos/{repository.full_name}"


def small_repository(forge: FakeGitHub, repository: Repository) -> Document:
    """Return the short form that runs and statuses carry."""
    url = repository_url(forge, repository)
    return {
        "id": repository.id,
        "node_id": node_id("Repository", repository.id),
        "name": repository.name,
        "full_name": repository.full_name,
        "private": repository.is_private,
        "owner": user(forge, repository.owner),
        "html_url": f"{forge.url}/{repository.full_name}",
        "description": None,
        "fork": repository.is_fork,
        "url": url,
        **{name: f"{url}{template}" for name, template in REPOSITORY_URLS.items()},
    }


def repository(forge: FakeGitHub, repository: Repository) -> Document:
    """Return the form that webhooks and lists of repositories carry."""
    html = f"{forge.url}/{repository.full_name}"
    at = moment(repository.created_at)
    counts = ["size", "stargazers_count", "watchers_count", "forks_count", "open_issues_count"]
    counts += ["forks", "open_issues", "watchers"]
    return {
        **small_repository(forge, repository),
        "created_at": at,
        "updated_at": at,
        "pushed_at": at,
        "git_url": f"git://{html.partition('://')[2]}.git",
        "ssh_url": f"git@{html.partition('://')[2]}.git",
        "clone_url": f"{html}.git",
        "svn_url": html,
        "homepage": None,
        "language": None,
        "mirror_url": None,
        "license": None,
        **dict.fromkeys(counts, 0),
        **dict.fromkeys(("has_issues", "has_projects", "has_downloads", "has_wiki"), True),
        **dict.fromkeys(("has_pages", "has_discussions", "disabled"), False),
        "archived": repository.is_archived,
        "allow_forking": True,
        "is_template": False,
        "web_commit_signoff_required": False,
        "topics": [],
        "visibility": "private" if repository.is_private else "public",
        "default_branch": repository.default_branch,
        "custom_properties": {},
    }


def full_repository(forge: FakeGitHub, found: Repository, can_push: bool = True) -> Document:
    """Return what `GET /repos/{owner}/{repo}` answers: with rights, and with the parent of a fork."""
    rights = {"admin": False, "maintain": False, "push": can_push, "triage": can_push, "pull": True}
    document = {
        **repository(forge, found),
        "network_count": 0,
        "subscribers_count": 0,
        "permissions": rights,
        "allow_merge_commit": True,
        "allow_squash_merge": True,
        "allow_rebase_merge": True,
        "allow_auto_merge": False,
        "delete_branch_on_merge": False,
    }
    if found.fork_of is not None:
        document["parent"] = repository(forge, found.fork_of)
        document["source"] = document["parent"]
    return document


def _person(commit: Commit) -> Document:
    return {"name": commit.author, "email": commit.email, "date": moment(commit.at)}


def commit(forge: FakeGitHub, found: Repository, one: Commit) -> Document:
    """Return a commit as the API has it."""
    url = f"{repository_url(forge, found)}/commits"
    html = f"{forge.url}/{found.full_name}/commit"
    git = f"{repository_url(forge, found)}/git"
    return {
        "sha": one.sha,
        "node_id": node_id("Commit", one.sha),
        "commit": {
            "author": _person(one),
            "committer": _person(one),
            "message": one.message,
            "tree": {"sha": one.tree, "url": f"{git}/trees/{one.tree}"},
            "url": f"{git}/commits/{one.sha}",
            "comment_count": 0,
            "verification": {
                "verified": False,
                "reason": "unsigned",
                **{"signature": None, "payload": None, "verified_at": None},
            },
        },
        "url": f"{url}/{one.sha}",
        "html_url": f"{html}/{one.sha}",
        "comments_url": f"{url}/{one.sha}/comments",
        "author": user(forge, one.author),
        "committer": user(forge, one.author),
        "parents": [{"sha": sha, "url": f"{url}/{sha}", "html_url": f"{html}/{sha}"} for sha in one.parents],
    }


def full_commit(forge: FakeGitHub, found: Repository, one: Commit) -> Document:
    """Return a commit with its files, as `GET /repos/{owner}/{repo}/commits/{ref}` answers."""
    changes = found.network.changes(one.parents[0] if one.parents else "", one.sha)
    files = [changed_file(forge, found, one, change) for change in changes]
    document = commit(forge, found, one)
    return {**document, "stats": {"total": len(files), "additions": len(files), "deletions": 0}, "files": files}


def simple_commit(one: Commit) -> Document:
    """Return the short form that runs, check suites and merge groups carry."""
    person = {"name": one.author, "email": one.email}
    return {
        "id": one.sha,
        "tree_id": one.tree,
        "message": one.message,
        "timestamp": moment(one.at),
        "author": person,
        "committer": person,
    }


def changed_file(forge: FakeGitHub, found: Repository, head: Commit, change: Change) -> Document:
    """Return one line of a list of changed files."""
    html = f"{forge.url}/{found.full_name}"
    content = head.files.get(change.path, b"")
    document = {
        "sha": blob_id(content),
        "filename": change.path,
        "status": change.status,
        "additions": content.count(b"\n"),
        "deletions": 0,
        "changes": content.count(b"\n"),
        "blob_url": f"{html}/blob/{head.sha}/{change.path}",
        "raw_url": f"{html}/raw/{head.sha}/{change.path}",
        "contents_url": f"{repository_url(forge, found)}/contents/{change.path}?ref={head.sha}",
    }
    return {**document, "previous_filename": change.previous} if change.previous else document


def pull_reference(forge: FakeGitHub, found: Repository, pull: PullRequest) -> Document:
    """Return the few facts of a pull request that runs, suites and check runs carry."""
    base = {"id": found.id, "url": repository_url(forge, found), "name": found.name}
    head = pull.head_repository
    return {
        "url": f"{repository_url(forge, found)}/pulls/{pull.number}",
        "id": pull.id,
        "number": pull.number,
        "head": {
            "ref": pull.head,
            "sha": pull.head_sha,
            "repo": {"id": head.id, "url": repository_url(forge, head), "name": head.name},
        },
        "base": {"ref": pull.base, "sha": pull.base_sha, "repo": base},
    }
