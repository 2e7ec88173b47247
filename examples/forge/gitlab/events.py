"""The payloads of GitLab's webhooks. Source: `doc/user/project/integrations/webhook_events.md` of gitlab-org/gitlab."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from examples.forge.git import ZERO, Commit
from examples.forge.gitlab.documents import moment, user_id
from examples.forge.gitlab.world import FINISHED, Job, MergeRequest, Pipeline, Project

if TYPE_CHECKING:
    from examples.forge.gitlab.forge import FakeGitLab

Document = dict[str, Any]
MOST_COMMITS = 20


def _words(at: datetime | None) -> str | None:
    return None if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _project(forge: FakeGitLab, found: Project) -> Document:
    web, ssh = f"{forge.url}/{found.path}", f"git@{forge.host}:{found.path}.git"
    return {
        "id": found.id,
        "name": found.name,
        "description": None,
        "web_url": web,
        "avatar_url": None,
        "git_ssh_url": ssh,
        "git_http_url": f"{web}.git",
        "namespace": found.namespace,
        "visibility_level": 0 if found.is_private else 20,
        "path_with_namespace": found.path,
        "default_branch": found.default_branch,
        "ci_config_path": ".gitlab-ci.yml",
        "homepage": web,
        "url": ssh,
        "ssh_url": ssh,
        "http_url": f"{web}.git",
    }


def _repository(forge: FakeGitLab, found: Project) -> Document:
    whole = _project(forge, found)
    shown = ("name", "url", "description", "homepage", "git_http_url", "git_ssh_url", "visibility_level")
    return {name: whole[name] for name in shown}


def _user(username: str) -> Document:
    names = {"name": username, "username": username, "avatar_url": None, "email": "[REDACTED]"}
    return {"id": user_id(username), **names}


def _commit(forge: FakeGitLab, found: Project, one: Commit) -> Document:
    return {
        "id": one.sha,
        "message": one.message,
        "title": one.message.partition("\n")[0],
        "timestamp": one.at.isoformat(timespec="seconds"),
        "url": f"{forge.url}/{found.path}/-/commit/{one.sha}",
        "author": {"name": one.author, "email": one.email},
    }


def push(
    forge: FakeGitLab, found: Project, ref: str, before: str, after: str, author: str, is_tag: bool = False
) -> Document:
    """Return the payload of a push, of a branch or a tag; it names 20 commits at most."""
    base = before if before != ZERO else found.branches.get(found.default_branch, ZERO)
    commits = [] if is_tag or after == ZERO else found.network.between(base, after)
    kind = "tag_push" if is_tag else "push"
    name = ref.rpartition("refs/heads/")[2]
    return {
        "object_kind": kind,
        "event_name": kind,
        "before": before,
        "after": after,
        "ref": ref,
        "ref_protected": name in found.protected,
        "checkout_sha": None if after == ZERO else after,
        "message": None,
        "user_id": user_id(author),
        "user_name": author,
        "user_username": author,
        "user_email": "",
        "user_avatar": None,
        "project_id": found.id,
        "project": _project(forge, found),
        "commits": [_pushed(forge, found, one) for one in commits[-MOST_COMMITS:]],
        "total_commits_count": len(commits),
        "push_options": {},
        "repository": _repository(forge, found),
    }


def _pushed(forge: FakeGitLab, found: Project, one: Commit) -> Document:
    changes = found.network.changes(one.parents[0] if one.parents else "", one.sha)
    removed = [change.path for change in changes if change.status == "removed"]
    return {
        **_commit(forge, found, one),
        "added": [change.path for change in changes if change.status in ("added", "renamed")],
        "modified": [change.path for change in changes if change.status == "modified"],
        "removed": removed + [change.previous for change in changes if change.previous],
    }


def merge_request(
    forge: FakeGitLab, one: MergeRequest, action: str, detailed: str, author: str, **more: Any
) -> Document:
    """Return the payload of a merge request; a push to its source branch is an `update` with `oldrev`."""
    attributes = {
        "id": one.id,
        "iid": one.iid,
        "title": one.title,
        "description": "",
        "author_id": user_id(one.author),
        **{name: [] for name in ("assignee_ids", "reviewer_ids", "labels")},
        "source_branch": one.source_branch,
        "target_branch": one.target_branch,
        "source_project_id": one.source.id,
        "target_project_id": one.target.id,
        "state": one.state,
        "state_id": {"opened": 1, "closed": 2, "merged": 3}[one.state],
        "created_at": moment(one.at),
        "updated_at": moment(one.merged_at or one.closed_at or one.at),
        **dict.fromkeys(("draft", "work_in_progress"), one.is_draft),
        "merge_status": "can_be_merged",
        "detailed_merge_status": detailed,
        "merge_commit_sha": one.merge_sha if one.merged_at else None,
        "blocking_discussions_resolved": True,
        "url": f"{forge.url}/{one.target.path}/-/merge_requests/{one.iid}",
        "source": _project(forge, one.source),
        "target": _project(forge, one.target),
        "last_commit": _commit(forge, one.source, one.source.network.commits[one.sha]),
        "action": action,
        **more,
    }
    return {
        "object_kind": "merge_request",
        "event_type": "merge_request",
        "user": _user(author),
        "project": _project(forge, one.target),
        "repository": _repository(forge, one.target),
        "object_attributes": attributes,
        "labels": [],
        "changes": {},
    }


def _request_of(forge: FakeGitLab, one: MergeRequest | None) -> Document | None:
    if one is None:
        return None
    return {
        "id": one.id,
        "iid": one.iid,
        "title": one.title,
        "source_branch": one.source_branch,
        "source_project_id": one.source.id,
        "target_branch": one.target_branch,
        "target_project_id": one.target.id,
        "state": one.state,
        "merge_status": "can_be_merged",
        "detailed_merge_status": "mergeable",
        "url": f"{forge.url}/{one.target.path}/-/merge_requests/{one.iid}",
    }


def pipeline(forge: FakeGitLab, one: Pipeline) -> Document:
    """Return the payload of a pipeline; the statuses of others are among its builds no more than in its jobs."""
    head = one.project.network.commits[one.sha]
    jobs = [each for each in one.current if not each.is_status]
    attributes = {
        "id": one.id,
        "iid": one.iid,
        "name": None,
        "ref": one.ref,
        "tag": one.is_tag,
        "sha": one.sha,
        "before_sha": head.parents[0] if head.parents else ZERO,
        "source": one.source,
        "status": one.status,
        "detailed_status": {"success": "passed"}.get(one.status, one.status),
        "stages": list(dict.fromkeys(each.stage for each in one.current)),
        "created_at": _words(one.at),
        "finished_at": _words(one.finished_at),
        "duration": None,
        "queued_duration": None,
        "variables": [],
        "url": f"{forge.url}/{one.project.path}/-/pipelines/{one.id}",
    }
    return {
        "object_kind": "pipeline",
        "object_attributes": attributes,
        "merge_request": _request_of(forge, one.merge_request),
        "user": _user(one.user),
        "project": _project(forge, one.project),
        "commit": _commit(forge, one.project, head),
        "builds": [_build(each) for each in jobs],
    }


def _build(each: Job) -> Document:
    return {
        "id": each.id,
        "stage": each.stage,
        "name": each.name,
        "status": each.status,
        "created_at": _words(each.at),
        "started_at": _words(each.started_at),
        "finished_at": _words(each.finished_at),
        "duration": None,
        "queued_duration": None,
        "failure_reason": each.failure_reason,
        "when": "on_success",
        "manual": False,
        "allow_failure": each.allow_failure,
        "user": _user(each.user),
        "runner": None,
        "artifacts_file": {"filename": None, "size": None},
        "environment": None,
    }


def build(forge: FakeGitLab, one: Pipeline, each: Job) -> Document:
    """Return the payload of a job. `commit.id` is the pipeline's number there, as GitLab documents it."""
    head = one.project.network.commits[one.sha]
    retries = sum(1 for old in one.jobs if old.name == each.name and old.id < each.id)
    return {
        "object_kind": "build",
        "ref": each.ref,
        "tag": one.is_tag,
        "before_sha": head.parents[0] if head.parents else ZERO,
        "sha": one.sha,
        "build_id": each.id,
        "build_name": each.name,
        "build_stage": each.stage,
        "build_status": each.status,
        **_build_times(each),
        "build_allow_failure": each.allow_failure,
        "build_failure_reason": each.failure_reason or "unknown_failure",
        "retries_count": retries,
        "pipeline_id": one.id,
        "project_id": one.project.id,
        "project_name": one.project.path.replace("/", " / "),
        "user": _user(each.user),
        "commit": _pipeline_as_commit(one, head),
        "repository": _repository(forge, one.project),
        "project": _project(forge, one.project),
        "runner": None,
        "environment": None,
    }


def _build_times(each: Job) -> Document:
    times = {"created_at": each.at, "started_at": each.started_at, "finished_at": each.finished_at}
    return {
        **{f"build_{name}": _words(at) for name, at in times.items()},
        **{f"build_{name}_iso": moment(at) for name, at in times.items()},
        "build_duration": None,
        "build_queued_duration": None,
    }


def _pipeline_as_commit(one: Pipeline, head: Commit) -> Document:
    return {
        "id": one.id,
        "name": None,
        "sha": one.sha,
        "message": head.message,
        "author_name": head.author,
        "author_email": head.email,
        "status": one.status,
        "duration": None,
        "started_at": _words(one.started_at),
        "finished_at": _words(one.finished_at) if one.status in FINISHED else None,
    }
