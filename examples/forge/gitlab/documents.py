"""The documents that answers and webhooks of the stand-in for GitLab have in common."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from examples.forge.git import Change, Commit
from examples.forge.gitlab.world import Job, MergeRequest, Note, Pipeline, Project
from examples.forge.server import Call

if TYPE_CHECKING:
    from examples.forge.gitlab.forge import FakeGitLab

Document = dict[str, Any]


def moment(at: datetime | None) -> str | None:
    """Return a time as GitLab's API writes it: UTC, milliseconds, `Z`."""
    return None if at is None else f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"


def user_id(username: str) -> int:
    """Return the number of an account, the same whenever it is asked for."""
    return int.from_bytes(hashlib.sha256(username.encode()).digest()[:3]) + 1


def user(forge: FakeGitLab, username: str) -> Document:
    """Return an account in short."""
    return {
        "id": user_id(username),
        "username": username,
        "name": username,
        "state": "active",
        "locked": False,
        "avatar_url": None,
        "web_url": f"{forge.url}/{username}",
    }


def project(forge: FakeGitLab, found: Project, level: int = 0) -> Document:
    """Return a project as `GET /projects/:id` answers."""
    web = f"{forge.url}/{found.path}"
    document = {
        "id": found.id,
        "description": None,
        "name": found.name,
        "name_with_namespace": found.path.replace("/", " / "),
        "path": found.name,
        "path_with_namespace": found.path,
        "created_at": moment(found.created_at),
        "default_branch": found.default_branch,
        "tag_list": [],
        "topics": [],
        "ssh_url_to_repo": f"git@{forge.host}:{found.path}.git",
        "http_url_to_repo": f"{web}.git",
        "web_url": web,
        "namespace": {
            "id": user_id(found.namespace),
            "name": found.namespace,
            "path": found.namespace.rpartition("/")[2],
            "kind": "group",
            "full_path": found.namespace,
            "web_url": f"{forge.url}/groups/{found.namespace}",
        },
        "visibility": "private" if found.is_private else "public",
        "archived": found.is_archived,
        "marked_for_deletion_on": found.will_be_deleted_on,
        "ci_config_path": ".gitlab-ci.yml",
        "only_allow_merge_if_pipeline_succeeds": found.needs_pipeline,
        "only_allow_merge_if_all_status_checks_passed": found.needs_status_checks,
        "allow_merge_on_skipped_pipeline": False,
        "permissions": {"project_access": {"access_level": level, "notification_level": 3}, "group_access": None},
    }
    if found.fork_of is not None:
        parent = project(forge, found.fork_of)
        shown = ("id", "name", "path", "path_with_namespace", "web_url", "default_branch", "namespace")
        document["forked_from_project"] = {name: parent[name] for name in shown}
    return document


def commit(forge: FakeGitLab, found: Project, one: Commit) -> Document:
    """Return a commit as lists have it."""
    at = moment(one.at)
    return {
        "id": one.sha,
        "short_id": one.sha[:8],
        "created_at": at,
        "parent_ids": list(one.parents),
        "title": one.message.partition("\n")[0],
        "message": one.message,
        "author_name": one.author,
        "author_email": one.email,
        "authored_date": at,
        "committer_name": one.author,
        "committer_email": one.email,
        "committed_date": at,
        "trailers": {},
        "extended_trailers": {},
        "web_url": f"{forge.url}/{found.path}/-/commit/{one.sha}",
    }


def pipeline(forge: FakeGitLab, one: Pipeline) -> Document:
    """Return a pipeline as lists have it."""
    return {
        "id": one.id,
        "iid": one.iid,
        "project_id": one.project.id,
        "sha": one.sha,
        "ref": one.ref,
        "status": one.status,
        "source": one.source,
        "created_at": moment(one.at),
        "updated_at": moment(one.finished_at or one.started_at or one.at),
        "web_url": f"{forge.url}/{one.project.path}/-/pipelines/{one.id}",
    }


def full_pipeline(forge: FakeGitLab, one: Pipeline) -> Document:
    """Return a pipeline as its own address has it."""
    head = one.project.network.commits[one.sha]
    return {
        **pipeline(forge, one),
        "before_sha": head.parents[0] if head.parents else "0" * 40,
        "tag": one.is_tag,
        "yaml_errors": None,
        "user": user(forge, one.user),
        "started_at": moment(one.started_at),
        "finished_at": moment(one.finished_at),
        "committed_at": None,
        "duration": _seconds(one.started_at, one.finished_at, whole=True),
        "queued_duration": 0,
        "coverage": None,
        "archived": one.is_archived,
        "name": None,
    }


def job(forge: FakeGitLab, one: Pipeline, each: Job) -> Document:
    """Return a job."""
    return {
        "id": each.id,
        "status": each.status,
        "stage": each.stage,
        "name": each.name,
        "ref": each.ref,
        "tag": one.is_tag,
        "coverage": each.coverage,
        "allow_failure": each.allow_failure,
        "created_at": moment(each.at),
        "started_at": moment(each.started_at),
        "finished_at": moment(each.finished_at),
        "erased_at": None,
        "duration": _seconds(each.started_at, each.finished_at),
        "queued_duration": 0.0,
        "user": user(forge, each.user),
        "commit": commit(forge, one.project, one.project.network.commits[one.sha]),
        "pipeline": pipeline(forge, one),
        "failure_reason": each.failure_reason,
        "web_url": f"{forge.url}/{one.project.path}/-/jobs/{each.id}",
        "artifacts": [],
        "runner": None,
        "archived": False,
        "tag_list": [],
    }


def _seconds(began: datetime | None, ended: datetime | None, whole: bool = False) -> float | int | None:
    if began is None or ended is None:
        return None
    seconds = (ended - began).total_seconds()
    return int(seconds) if whole else seconds


def status(forge: FakeGitLab, one: Pipeline, each: Job) -> Document:
    """Return a job as a commit status."""
    return {
        "id": each.id,
        "sha": one.sha,
        "ref": each.ref,
        "status": each.status,
        "name": each.name,
        "target_url": each.target_url,
        "description": each.description,
        "created_at": moment(each.at),
        "started_at": moment(each.started_at),
        "finished_at": moment(each.finished_at),
        "allow_failure": each.allow_failure,
        "coverage": each.coverage,
        "pipeline_id": one.id,
        "author": user(forge, each.user),
    }


def merge_request(forge: FakeGitLab, one: MergeRequest) -> Document:
    """Return a merge request as lists have it."""
    web = f"{forge.url}/{one.target.path}/-/merge_requests/{one.iid}"
    return {
        "id": one.id,
        "iid": one.iid,
        "project_id": one.target.id,
        "title": one.title,
        "description": None,
        "state": one.state,
        "created_at": moment(one.at),
        "updated_at": moment(one.merged_at or one.closed_at or one.at),
        "merged_at": moment(one.merged_at),
        "closed_at": moment(one.closed_at),
        "target_branch": one.target_branch,
        "source_branch": one.source_branch,
        "user_notes_count": len(one.notes),
        "upvotes": 0,
        "downvotes": 0,
        "author": user(forge, one.author),
        "assignees": [],
        "reviewers": [],
        "source_project_id": one.source.id,
        "target_project_id": one.target.id,
        "labels": [],
        "draft": one.is_draft,
        "work_in_progress": one.is_draft,
        "merge_status": "can_be_merged",
        "sha": one.sha,
        "merge_commit_sha": one.merge_sha if one.merged_at else None,
        "references": {
            "short": f"!{one.iid}",
            "relative": f"!{one.iid}",
            "full": f"{one.target.path}!{one.iid}",
        },
        "web_url": web,
        "has_conflicts": False,
        "blocking_discussions_resolved": True,
    }


def note(forge: FakeGitLab, parent: int, iid: int, project_id: int, kind: str, one: Note) -> Document:
    """Return a note of a merge request or an issue."""
    return {
        "id": one.id,
        "type": None,
        "body": one.body,
        "author": user(forge, one.author),
        "created_at": moment(one.at),
        "updated_at": moment(one.updated_at),
        "system": False,
        "noteable_id": parent,
        "noteable_type": kind,
        "project_id": project_id,
        "resolvable": False,
        "confidential": one.is_internal,
        "internal": one.is_internal,
        "noteable_iid": iid,
    }


def difference(change: Change, head: Commit) -> Document:
    """Return one changed file."""
    content = head.files.get(change.path, b"").decode(errors="replace")
    return {
        "old_path": change.previous or change.path,
        "new_path": change.path,
        "a_mode": "0" if change.status == "added" else "100644",
        "b_mode": "0" if change.status == "removed" else "100644",
        "diff": "".join(f"+{line}\n" for line in content.splitlines()),
        "new_file": change.status == "added",
        "renamed_file": change.status == "renamed",
        "deleted_file": change.status == "removed",
        "generated_file": False,
    }


def pages(forge: FakeGitLab, call: Call, items: Iterable[Any], largest: int = 100) -> tuple[list[Any], dict[str, str]]:
    """Return one page of a list, 20 long, `largest` at most, and GitLab's headers that lead to the others."""
    items, query = list(items), call.request.query
    size = min(max(int(query.get("per_page") or 20), 1), largest)
    page = max(int(query.get("page") or 1), 1)
    last = max((len(items) + size - 1) // size, 1)
    links = {"first": 1, "last": last} | ({"next": page + 1} if page < last else {})
    links |= {"prev": page - 1} if page > 1 else {}
    words = [f'<{_address(forge, call, number, size)}>; rel="{rel}"' for rel, number in links.items()]
    headers = {
        "Link": ", ".join(words),
        "X-Page": str(page),
        "X-Per-Page": str(size),
        "X-Next-Page": str(page + 1) if page < last else "",
        "X-Prev-Page": str(page - 1) if page > 1 else "",
        "X-Total": str(len(items)),
        "X-Total-Pages": str(last),
    }
    return items[(page - 1) * size : page * size], headers


def _address(forge: FakeGitLab, call: Call, number: int, size: int) -> str:
    base = f"{forge.faults.foreign_link}{forge.api_path}" if forge.faults.foreign_link else forge.api_url
    others = {name: value for name, value in call.request.query.items() if name not in ("page", "per_page")}
    return f"{base}{call.request.path}?{urlencode({**others, 'page': number, 'per_page': size})}"
