"""Projects, branches, commits, files and differences of GitLab. Source: REST documentation, «Repositories API»."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from examples.forge.exchange import Answer
from examples.forge.git import Commit, blob_id, tree_id
from examples.forge.gitlab.documents import commit, difference, merge_request, pages, project
from examples.forge.gitlab.refusals import invalid_parameter, not_found
from examples.forge.gitlab.world import Project
from examples.forge.server import Call, Route

if TYPE_CHECKING:
    from examples.forge.gitlab.forge import FakeGitLab


def get(forge: FakeGitLab, call: Call) -> Answer:
    """Answer a project."""
    found = forge.project_of(call)
    return Answer(200, project(forge, found, call.who.level(found) if call.who else 0))


def listed(forge: FakeGitLab, call: Call) -> Answer:
    """Answer the projects that the caller sees; with `membership`, those with a role in them."""
    found = [one for one in forge.projects.values() if forge.sees(call.who, one)]
    if call.request.query.get("membership") in ("true", "True", "1"):
        found = [one for one in found if call.who is not None and call.who.level(one) > 0]
    found = _in_order(found, call.request.query)
    page, headers = pages(forge, call, found)
    return Answer(200, [project(forge, one) for one in page], headers)


def _in_order(found: list[Project], asked: Mapping[str, str]) -> list[Project]:
    after = int(asked["id_after"]) if asked.get("id_after", "").isdigit() else 0
    by_id = asked.get("order_by") == "id"
    wanted = [one for one in found if one.id > after]
    wanted.sort(key=lambda one: one.id if by_id else one.created_at, reverse=asked.get("sort", "desc") == "desc")
    return wanted


def of_group(forge: FakeGitLab, call: Call) -> Answer:
    """Answer the projects of a group."""
    group = call.names["id"]
    found = [one for one in forge.projects.values() if one.namespace == group and forge.sees(call.who, one)]
    if not found:
        raise not_found("Group")
    page, headers = pages(forge, call, found)
    return Answer(200, [project(forge, one) for one in page], headers)


def _commit_of(forge: FakeGitLab, call: Call, ref: str, what: str = "Commit") -> Commit:
    found = forge.project_of(call).find_commit(ref)
    if found is None:
        raise not_found(what)
    return found


def get_commit(forge: FakeGitLab, call: Call) -> Answer:
    """Answer one commit with its newest pipeline."""
    found = forge.project_of(call)
    one = _commit_of(forge, call, call.names["sha"])
    newest = max(
        (each for each in found.pipelines.values() if each.sha == one.sha), key=lambda each: each.id, default=None
    )
    shown = None
    if newest is not None:
        shown = {"id": newest.id, "ref": newest.ref, "sha": newest.sha, "status": newest.status}
    document = {
        **commit(forge, found, one),
        "stats": {"additions": 0, "deletions": 0, "total": 0},
        "status": newest.status if newest else None,
        "project_id": found.id,
        "last_pipeline": shown,
    }
    return Answer(200, document)


def list_commits(forge: FakeGitLab, call: Call) -> Answer:
    """Answer the commits of a branch, newest first; with `path`, those that changed it."""
    found, query = forge.project_of(call), call.request.query
    start = _commit_of(forge, call, query.get("ref_name") or found.default_branch)
    commits = [found.network.commits[sha] for sha in found.network.ancestors(start.sha)]
    if path := query.get("path"):
        commits = [one for one in commits if _touches(found, one, path)]
    page, headers = pages(forge, call, commits)
    return Answer(200, [commit(forge, found, one) for one in page], headers)


def _touches(found: Project, one: Commit, path: str) -> bool:
    changes = found.network.changes(one.parents[0] if one.parents else "", one.sha)
    return any(change.path == path or change.path.startswith(f"{path}/") for change in changes)


def merge_requests_of_commit(forge: FakeGitLab, call: Call) -> Answer:
    """Answer the merge requests that a commit belongs to."""
    found, one = forge.project_of(call), _commit_of(forge, call, call.names["sha"])
    requests = [
        each
        for each in found.merge_requests.values()
        if one.sha == each.sha or one in found.network.between(each.base_sha, each.sha)
    ]
    page, headers = pages(forge, call, requests)
    return Answer(200, [merge_request(forge, each) for each in page], headers)


def list_branches(forge: FakeGitLab, call: Call) -> Answer:
    """Answer the branches by name."""
    found = forge.project_of(call)
    page, headers = pages(forge, call, sorted(found.branches))
    return Answer(200, [_branch(forge, found, name) for name in page], headers)


def get_branch(forge: FakeGitLab, call: Call) -> Answer:
    """Answer one branch."""
    found = forge.project_of(call)
    if call.names["branch"] not in found.branches:
        raise not_found("Branch")
    return Answer(200, _branch(forge, found, call.names["branch"]))


def _branch(forge: FakeGitLab, found: Project, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "commit": commit(forge, found, found.network.commits[found.branches[name]]),
        "merged": False,
        "protected": name in found.protected,
        "developers_can_push": found.protected.get(name, 0) <= 30,
        "developers_can_merge": found.protected.get(name, 0) <= 30,
        "can_push": True,
        "default": name == found.default_branch,
        "web_url": f"{forge.url}/{found.path}/-/tree/{name}",
    }


def list_protected(forge: FakeGitLab, call: Call) -> Answer:
    """Answer the protected branches."""
    found = forge.project_of(call)
    page, headers = pages(forge, call, sorted(found.protected))
    return Answer(200, [_protected(found, name) for name in page], headers)


def get_protected(forge: FakeGitLab, call: Call) -> Answer:
    """Answer one protected branch."""
    found = forge.project_of(call)
    if call.names["branch"] not in found.protected:
        raise not_found("")
    return Answer(200, _protected(found, call.names["branch"]))


def _protected(found: Project, name: str) -> dict[str, Any]:
    words = {0: "No one", 30: "Developers + Maintainers", 40: "Maintainers"}
    level = found.protected[name]
    access = [{"id": 1, "access_level": level, "access_level_description": words.get(level, "Owners")}]
    return {
        "id": 1,
        "name": name,
        "push_access_levels": access,
        "merge_access_levels": access,
        "allow_force_push": False,
        "code_owner_approval_required": False,
    }


def get_file(forge: FakeGitLab, call: Call) -> Answer:
    """Answer a file with its content; `ref` is required."""
    ref, path = call.request.query.get("ref"), call.names["file_path"]
    if not ref:
        raise invalid_parameter("ref is missing")
    one = _commit_of(forge, call, ref)
    if path not in one.files:
        raise not_found("File")
    content = one.files[path]
    return Answer(
        200,
        {
            "file_name": path.rpartition("/")[2],
            "file_path": path,
            "size": len(content),
            "encoding": "base64",
            "content": base64.b64encode(content).decode(),
            "content_sha256": hashlib.sha256(content).hexdigest(),
            "ref": ref,
            "blob_id": blob_id(content),
            "commit_id": one.sha,
            "last_commit_id": one.sha,
        },
    )


def get_tree(forge: FakeGitLab, call: Call) -> Answer:
    """Answer the entries of a folder, or all below it with `recursive`."""
    found, query = forge.project_of(call), call.request.query
    one = _commit_of(forge, call, query.get("ref") or found.default_branch, "Tree")
    folder = query.get("path", "").strip("/")
    start = f"{folder}/" if folder else ""
    inside = sorted(path for path in one.files if path.startswith(start))
    if folder and not inside:
        raise not_found("Tree")
    entries: dict[str, str] = {}
    for path in inside:
        parts = path[len(start) :].split("/")
        if query.get("recursive") in ("true", "True", "1"):
            entries |= {start + "/".join(parts[:depth]): "tree" for depth in range(1, len(parts))}
            entries[path] = "blob"
        else:
            entries[start + parts[0]] = "blob" if len(parts) == 1 else "tree"
    page, headers = pages(forge, call, entries.items())
    return Answer(200, [_entry(one, path, kind) for path, kind in page], headers)


def _entry(one: Commit, path: str, kind: str) -> dict[str, str]:
    sha = blob_id(one.files[path]) if kind == "blob" else tree_id({})
    mode = "100644" if kind == "blob" else "040000"
    return {"id": sha, "name": path.rpartition("/")[2], "type": kind, "path": path, "mode": mode}


def compare(forge: FakeGitLab, call: Call) -> Answer:
    """Answer what `to` has that `from` has not: from their merge base, or between the two with `straight`."""
    found, query = forge.project_of(call), call.request.query
    base = _commit_of(forge, call, query.get("from", ""), "Ref")
    head = _commit_of(forge, call, query.get("to", ""), "Ref")
    start = base.sha
    if query.get("straight") not in ("true", "True", "1"):
        start = found.network.merge_base(base.sha, head.sha) or base.sha
    commits = [commit(forge, found, one) for one in found.network.between(base.sha, head.sha)]
    document = {
        "commit": commits[-1] if commits else None,
        "commits": commits,
        "diffs": [difference(change, head) for change in found.network.changes(start, head.sha)],
        "compare_timeout": False,
        "compare_same_ref": base.sha == head.sha,
        "web_url": f"{forge.url}/{found.path}/-/compare/{base.sha}...{head.sha}",
    }
    return Answer(200, document)


BASE = "/projects/{id}"
ROUTES = (
    Route("GET", "/projects", listed),
    Route("GET", "/groups/{id}/projects", of_group),
    Route("GET", BASE, get, "read"),
    Route("GET", f"{BASE}/repository/commits", list_commits, "read"),
    Route("GET", f"{BASE}/repository/commits/{{sha}}/merge_requests", merge_requests_of_commit, "read"),
    Route("GET", f"{BASE}/repository/commits/{{sha}}", get_commit, "read"),
    Route("GET", f"{BASE}/repository/branches", list_branches, "read"),
    Route("GET", f"{BASE}/repository/branches/{{branch}}", get_branch, "read"),
    Route("GET", f"{BASE}/protected_branches", list_protected, "maintainer"),
    Route("GET", f"{BASE}/protected_branches/{{branch}}", get_protected, "maintainer"),
    Route("GET", f"{BASE}/repository/files/{{file_path}}", get_file, "read"),
    Route("GET", f"{BASE}/repository/tree", get_tree, "read"),
    Route("GET", f"{BASE}/repository/compare", compare, "read"),
)
