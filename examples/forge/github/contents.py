"""Repositories, branches, commits, files, differences. Source: REST documentation, «Repositories», «Git database»."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from examples.forge.exchange import Answer
from examples.forge.git import Commit, blob_id, tree_id
from examples.forge.github.documents import (
    changed_file,
    commit,
    full_commit,
    full_repository,
    node_id,
    repository_url,
    small_repository,
)
from examples.forge.github.refusals import not_found, refusal
from examples.forge.github.world import Repository
from examples.forge.server import Call, Route, pages

if TYPE_CHECKING:
    from examples.forge.github.forge import FakeGitHub

MOST_COMPARED_FILES = 300


def get(forge: FakeGitHub, call: Call) -> Answer:
    """Answer a repository."""
    can_push = call.who is not None and call.who.can_push
    return Answer(200, full_repository(forge, forge.repository_of(call), can_push))


def get_by_number(forge: FakeGitHub, call: Call) -> Answer:
    """Answer a repository by its number; GitHub does not describe this address, but serves it."""
    return Answer(200, full_repository(forge, forge.repository_of(call)))


def of_organization(forge: FakeGitHub, call: Call) -> Answer:
    """Answer the repositories of an account that the caller sees."""
    found = [one for one in forge.visible(call.who) if one.owner == call.names["org"]]
    if not found and call.names["org"] not in forge.organizations:
        raise not_found()
    page, headers = pages(forge, call, found)
    return Answer(200, [small_repository(forge, one) for one in page], headers)


def list_branches(forge: FakeGitHub, call: Call) -> Answer:
    """Answer the branches by name."""
    repository = forge.repository_of(call)
    names = sorted(repository.branches)
    if call.request.query.get("protected") in ("true", "false"):
        wanted = call.request.query["protected"] == "true"
        names = [name for name in names if (name in repository.protections) == wanted]
    page, headers = pages(forge, call, names)
    return Answer(200, [_short_branch(forge, repository, name) for name in page], headers)


def _short_branch(forge: FakeGitHub, repository: Repository, name: str) -> dict[str, Any]:
    sha = repository.branches[name]
    url = f"{repository_url(forge, repository)}/commits/{sha}"
    return {"name": name, "commit": {"sha": sha, "url": url}, "protected": name in repository.protections}


def get_branch(forge: FakeGitHub, call: Call) -> Answer:
    """Answer one branch with its protection in short."""
    repository, name = forge.repository_of(call), call.names["branch"]
    if name not in repository.branches:
        raise refusal(404, "Branch not found")
    url = f"{repository_url(forge, repository)}/branches/{name}"
    protection = repository.protections.get(name)
    contexts = list(protection.checks) if protection else []
    document = {
        **_short_branch(forge, repository, name),
        "commit": commit(forge, repository, repository.network.commits[repository.branches[name]]),
        "_links": {"html": f"{forge.url}/{repository.full_name}/tree/{name}", "self": url},
        "protection_url": f"{url}/protection",
        "protection": {
            "enabled": protection is not None,
            "required_status_checks": {
                "enforcement_level": "everyone" if contexts else "off",
                "contexts": contexts,
                "checks": _checks(protection.checks if protection else {}),
            },
        },
    }
    return Answer(200, document)


def _checks(checks: dict[str, int | None]) -> list[dict[str, Any]]:
    return [{"context": context, "app_id": app_id} for context, app_id in checks.items()]


def get_protection(forge: FakeGitHub, call: Call) -> Answer:
    """Answer the protection of a branch."""
    repository, name = forge.repository_of(call), call.names["branch"]
    protection = repository.protections.get(name)
    if protection is None:
        raise refusal(404, "Branch not protected")
    url = f"{repository_url(forge, repository)}/branches/{name}/protection"
    return Answer(
        200,
        {
            "url": url,
            "required_status_checks": _required_checks(url, protection.checks, protection.strict),
            "enforce_admins": {"url": f"{url}/enforce_admins", "enabled": True},
        },
    )


def get_required_checks(forge: FakeGitHub, call: Call) -> Answer:
    """Answer the required checks of a branch, with the App that each must come from."""
    repository, name = forge.repository_of(call), call.names["branch"]
    protection = repository.protections.get(name)
    if protection is None:
        raise refusal(404, "Branch not protected")
    url = f"{repository_url(forge, repository)}/branches/{name}/protection"
    return Answer(200, _required_checks(url, protection.checks, protection.strict))


def _required_checks(url: str, checks: dict[str, int | None], strict: bool) -> dict[str, Any]:
    own = f"{url}/required_status_checks"
    return {
        "url": own,
        "strict": strict,
        "contexts": list(checks),
        "contexts_url": f"{own}/contexts",
        "checks": _checks(checks),
    }


def get_rules(forge: FakeGitHub, call: Call) -> Answer:
    """Answer the rules of rulesets for a branch; everybody who reads the repository may."""
    repository = forge.repository_of(call)
    checks = repository.rules.get(call.names["branch"], {})
    if not checks:
        return Answer(200, [])
    required = [
        {"context": context, **({"integration_id": app_id} if app_id else {})} for context, app_id in checks.items()
    ]
    rule = {
        "type": "required_status_checks",
        "parameters": {"required_status_checks": required, "strict_required_status_checks_policy": False},
        "ruleset_source_type": "Repository",
        "ruleset_source": repository.full_name,
        "ruleset_id": repository.id,
    }
    return Answer(200, [rule])


def get_commit(forge: FakeGitHub, call: Call) -> Answer:
    """Answer one commit with its files."""
    return Answer(200, full_commit(forge, forge.repository_of(call), forge.commit_of(call, call.names["ref"])))


def list_commits(forge: FakeGitHub, call: Call) -> Answer:
    """Answer the commits of a branch, newest first; with `path`, those that changed it."""
    repository = forge.repository_of(call)
    start = forge.commit_of(call, call.request.query.get("sha") or repository.default_branch)
    found = [repository.network.commits[sha] for sha in repository.network.ancestors(start.sha)]
    if path := call.request.query.get("path"):
        found = [one for one in found if _touches(repository, one, path)]
    page, headers = pages(forge, call, found)
    return Answer(200, [commit(forge, repository, one) for one in page], headers)


def _touches(repository: Repository, one: Commit, path: str) -> bool:
    changes = repository.network.changes(one.parents[0] if one.parents else "", one.sha)
    return any(change.path == path or change.path.startswith(f"{path}/") for change in changes)


def branches_of_head(forge: FakeGitHub, call: Call) -> Answer:
    """Answer the branches whose head a commit is."""
    repository = forge.repository_of(call)
    one = forge.commit_of(call, call.names["commit_sha"])
    names = [name for name, sha in repository.branches.items() if sha == one.sha]
    return Answer(200, [_short_branch(forge, repository, name) for name in names])


def get_ref(forge: FakeGitHub, call: Call) -> Answer:
    """Answer where a branch points."""
    repository, name = forge.repository_of(call), call.names["ref"].removeprefix("heads/")
    if name not in repository.branches or not call.names["ref"].startswith("heads/"):
        raise not_found()
    url, sha = f"{repository_url(forge, repository)}/git", repository.branches[name]
    document = {
        "ref": f"refs/heads/{name}",
        "node_id": node_id("Ref", name),
        "url": f"{url}/refs/heads/{name}",
        "object": {"type": "commit", "sha": sha, "url": f"{url}/commits/{sha}"},
    }
    return Answer(200, document)


def get_contents(forge: FakeGitHub, call: Call) -> Answer:
    """Answer a file with its content, or the entries of a folder."""
    repository, path = forge.repository_of(call), call.names["path"].strip("/")
    ref = call.request.query.get("ref") or repository.default_branch
    one = repository.find_commit(ref)
    if one is None:
        raise refusal(404, f"No commit found for the ref {ref}")
    if path in one.files:
        content = base64.encodebytes(one.files[path]).decode()
        entry = _entry(forge, repository, ref, path, one.files[path])
        return Answer(200, {**entry, "content": content, "encoding": "base64"})
    inside = sorted(name for name in one.files if name.startswith(f"{path}/"))
    if not inside:
        raise not_found()
    files = [name for name in inside if "/" not in name[len(path) + 1 :]]
    folders = sorted({f"{path}/{name[len(path) + 1 :].split('/')[0]}" for name in inside if name not in files})
    entries = [_entry(forge, repository, ref, name, one.files[name]) for name in files]
    entries += [_entry(forge, repository, ref, name, None) for name in folders]
    return Answer(200, entries)


def _entry(forge: FakeGitHub, repository: Repository, ref: str, path: str, content: bytes | None) -> dict[str, Any]:
    kind, sha = ("dir", tree_id({})) if content is None else ("file", blob_id(content))
    url = repository_url(forge, repository)
    own = f"{url}/contents/{path}?ref={ref}"
    git = f"{url}/git/{'trees' if content is None else 'blobs'}/{sha}"
    html = f"{forge.url}/{repository.full_name}/{'tree' if content is None else 'blob'}/{ref}/{path}"
    return {
        "name": path.rpartition("/")[2],
        "path": path,
        "sha": sha,
        "size": len(content or b""),
        "url": own,
        "html_url": html,
        "git_url": git,
        "download_url": None if content is None else f"{forge.url}/raw/{repository.full_name}/{ref}/{path}",
        "type": kind,
        "_links": {"self": own, "git": git, "html": html},
    }


def get_tree(forge: FakeGitHub, call: Call) -> Answer:
    """Answer the tree of a commit, a branch or a tree's id: whole with `recursive`, else its first level."""
    repository, name = forge.repository_of(call), call.names["tree_sha"]
    one = repository.find_commit(name)
    if one is None:
        one = next((each for each in repository.network.commits.values() if each.tree == name), None)
    if one is None:
        raise not_found()
    paths = sorted(one.files)
    if "recursive" not in call.request.query:
        paths = [path for path in paths if "/" not in path]
    url = f"{repository_url(forge, repository)}/git"
    tree = [
        {
            "path": path,
            "mode": "100644",
            "type": "blob",
            "sha": blob_id(one.files[path]),
            "size": len(one.files[path]),
            "url": f"{url}/blobs/{blob_id(one.files[path])}",
        }
        for path in paths
    ]
    return Answer(200, {"sha": one.tree, "url": f"{url}/trees/{one.tree}", "tree": tree, "truncated": False})


def compare(forge: FakeGitHub, call: Call) -> Answer:
    """Answer what a head has that a base has not: from their merge base, with 300 files at most."""
    repository = forge.repository_of(call)
    names = call.names["basehead"].split("...")
    if len(names) != 2:
        raise not_found()
    base, head = (forge.commit_of(call, name.rpartition(":")[2]) for name in names)
    middle = repository.network.merge_base(base.sha, head.sha)
    if middle is None:
        raise refusal(404, f"No common ancestor between {names[0]} and {names[1]}.")
    ahead, behind = repository.network.between(base.sha, head.sha), repository.network.between(head.sha, base.sha)
    changes = repository.network.changes(middle, head.sha)[:MOST_COMPARED_FILES]
    html = f"{forge.url}/{repository.full_name}/compare/{base.sha}...{head.sha}"
    page, headers = pages(forge, call, ahead, 250)
    document = {
        "url": f"{repository_url(forge, repository)}/compare/{base.sha}...{head.sha}",
        **{"html_url": html, "permalink_url": html, "diff_url": f"{html}.diff", "patch_url": f"{html}.patch"},
        "base_commit": commit(forge, repository, base),
        "merge_base_commit": commit(forge, repository, repository.network.commits[middle]),
        "status": _word(len(ahead), len(behind)),
        "ahead_by": len(ahead),
        "behind_by": len(behind),
        "total_commits": len(ahead),
        "commits": [commit(forge, repository, one) for one in page],
        "files": [changed_file(forge, repository, head, change) for change in changes],
    }
    return Answer(200, document, headers)


def _word(ahead: int, behind: int) -> str:
    if ahead and behind:
        return "diverged"
    return "ahead" if ahead else "behind" if behind else "identical"


BASE = "/repos/{owner}/{repo}"
ROUTES = (
    Route("GET", BASE, get, "metadata:read"),
    Route("GET", "/repositories/{repository_id}", get_by_number, "metadata:read"),
    Route("GET", "/orgs/{org}/repos", of_organization),
    Route("GET", f"{BASE}/branches", list_branches, "contents:read"),
    Route("GET", f"{BASE}/rules/branches/{{branch}}", get_rules, "metadata:read"),
    Route(
        "GET",
        f"{BASE}/branches/{{branch}}/protection/required_status_checks",
        get_required_checks,
        "administration:read",
    ),
    Route("GET", f"{BASE}/branches/{{branch}}/protection", get_protection, "administration:read"),
    Route("GET", f"{BASE}/branches/{{branch}}", get_branch, "contents:read"),
    Route("GET", f"{BASE}/commits", list_commits, "contents:read"),
    Route("GET", f"{BASE}/commits/{{commit_sha}}/branches-where-head", branches_of_head, "contents:read"),
    Route("GET", f"{BASE}/git/ref/{{ref}}", get_ref, "contents:read"),
    Route("GET", f"{BASE}/contents/{{path}}", get_contents, "contents:read"),
    Route("GET", f"{BASE}/git/trees/{{tree_sha}}", get_tree, "contents:read"),
    Route("GET", f"{BASE}/compare/{{basehead}}", compare, "contents:read"),
    # The shortest of the addresses with a long name stands last.
    Route("GET", f"{BASE}/commits/{{ref}}", get_commit, "contents:read"),
)
