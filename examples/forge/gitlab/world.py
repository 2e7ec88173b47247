"""What the stand-in for GitLab keeps. Records are changed in place, under the forge's one lock."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from examples.forge.git import Commit, Network

# Access levels. Source: REST documentation, «Roles».
GUEST, REPORTER, DEVELOPER, MAINTAINER, OWNER = 10, 20, 30, 40, 50
FINISHED = ("success", "failed", "canceled", "skipped")


@dataclass(slots=True)
class Project:
    """One project. Its number stays when it is renamed."""

    id: int
    path: str
    """With the namespace: `group/sub/name`."""
    default_branch: str
    is_private: bool
    network: Network
    created_at: datetime
    fork_of: Project | None = None
    is_archived: bool = False
    will_be_deleted_on: str | None = None
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    protected: dict[str, int] = field(default_factory=dict)
    """Branch → the level that may push or merge there."""
    pipelines: dict[int, Pipeline] = field(default_factory=dict)
    merge_requests: dict[int, MergeRequest] = field(default_factory=dict)
    issues: dict[int, Issue] = field(default_factory=dict)
    hooks: dict[int, Hook] = field(default_factory=dict)
    status_checks: dict[int, StatusCheck] = field(default_factory=dict)
    needs_pipeline: bool = False
    """«Pipelines must succeed»: a skipped one does not."""
    needs_status_checks: bool = False
    """«Status checks must succeed»."""
    most_jobs: int | None = None
    """The limit of jobs in one pipeline; None for none."""

    @property
    def name(self) -> str:
        """Return the last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def namespace(self) -> str:
        """Return the path of the group."""
        return self.path.rpartition("/")[0]

    def find_commit(self, ref: str) -> Commit | None:
        """Return the commit that a sha, a branch, a tag or a merge request's ref names.

        Of a branch and a tag of one name the short name is the tag's, as with Git (gitrevisions, "Specifying
        Revisions"; gitlab#20526, #219583).
        """
        if ref.startswith("refs/heads/"):
            return self.network.commits.get(self.branches.get(ref.removeprefix("refs/heads/"), ""))
        name = ref.removeprefix("refs/tags/")
        if name.startswith("refs/merge-requests/"):
            _, _, iid, end = name.split("/")
            found = self.merge_requests.get(int(iid)) if iid.isdigit() else None
            name = name if found is None else found.merge_sha if end == "merge" else found.sha
        return self.network.commits.get(self.tags.get(name) or self.branches.get(name) or name)

    def branch_of(self, sha: str) -> str | None:
        """Return the first branch that has a commit."""
        for name, head in sorted(self.branches.items()):
            if sha in self.network.ancestors(head):
                return name
        return None


@dataclass(slots=True)
class Job:
    """A job, or a status that somebody set: that is a job of another type."""

    id: int
    name: str
    stage: str
    user: str
    ref: str
    at: datetime
    status: str = "created"
    is_status: bool = False
    is_retried: bool = False
    target_url: str | None = None
    description: str | None = None
    coverage: float | None = None
    allow_failure: bool = False
    failure_reason: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(slots=True)
class Pipeline:
    """A pipeline of a commit."""

    id: int
    iid: int
    project: Project
    sha: str
    ref: str
    source: str
    user: str
    at: datetime
    jobs: list[Job] = field(default_factory=list)
    status: str = "created"
    is_tag: bool = False
    is_archived: bool = False
    merge_request: MergeRequest | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def current(self) -> list[Job]:
        """Return the jobs that were not retried."""
        return [job for job in self.jobs if not job.is_retried]

    def computed_status(self) -> str:
        """Return the status that the jobs give the pipeline."""
        states = {job.status for job in self.current if not (job.allow_failure and job.status == "failed")}
        if states & {"running"} or (states & {"pending", "created"} and states - {"pending", "created"}):
            return "running"
        if states & {"pending", "created"}:
            return "pending"
        for state in ("failed", "canceled"):
            if state in states:
                return state
        return "skipped" if states == {"skipped"} else "success"


@dataclass(slots=True)
class Note:
    """A comment of a merge request or an issue."""

    id: int
    author: str
    body: str
    at: datetime
    updated_at: datetime
    is_internal: bool = False


@dataclass(slots=True)
class MergeRequest:
    """A merge request; its source may be a fork."""

    id: int
    iid: int
    title: str
    author: str
    source: Project
    target: Project
    source_branch: str
    target_branch: str
    sha: str
    at: datetime
    base_sha: str = ""
    merge_sha: str = ""
    """The merged-results commit that jobs may run on."""
    state: str = "opened"
    is_draft: bool = False
    merged_at: datetime | None = None
    closed_at: datetime | None = None
    notes: dict[int, Note] = field(default_factory=dict)
    responses: dict[tuple[int, str], tuple[str, datetime]] = field(default_factory=dict)
    """(external status check, sha) → what was answered, and when."""
    asked_at: dict[tuple[int, str], datetime] = field(default_factory=dict)


@dataclass(slots=True)
class StatusCheck:
    """An external status check of a project."""

    id: int
    name: str
    url: str
    secret: str = ""


@dataclass(slots=True)
class Issue:
    """An issue."""

    id: int
    iid: int
    title: str
    author: str
    description: str | None
    at: datetime
    state: str = "opened"
    labels: list[str] = field(default_factory=list)
    notes: dict[int, Note] = field(default_factory=dict)


@dataclass(slots=True)
class Hook:
    """A webhook of a project; `token` is sent in plain, `signing_token` signs."""

    id: int
    url: str
    at: datetime
    token: str = ""
    signing_token: str = ""
    events: dict[str, bool] = field(default_factory=dict)
    name: str | None = None
    description: str | None = None
    verifies_tls: bool = True
    branch_filter: str | None = None
    failures: int = 0
    disabled_until: datetime | None = None


@dataclass(slots=True)
class Token:
    """A token that the stand-in made; `name` stands in the log for it."""

    id: int
    name: str
    secret: str
    user: str
    scopes: tuple[str, ...]
    levels: dict[int, int]
    """Project → access level."""
    default_level: int
    at: datetime
    expires_at: datetime | None = None
    is_revoked: bool = False
    used_at: datetime | None = None

    def level(self, project: Project) -> int:
        """Return the access level in a project."""
        return self.levels.get(project.id, self.default_level)
