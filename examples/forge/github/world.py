"""What the stand-in for GitHub keeps. Records are changed in place, under the forge's one lock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from examples.forge.git import Commit, Network


@dataclass(slots=True)
class Protection:
    """Rules of one branch: required checks, each with the App that must set it; None for any source."""

    checks: dict[str, int | None] = field(default_factory=dict)
    strict: bool = False


@dataclass(slots=True)
class Repository:
    """One repository. Its number stays when it is renamed."""

    id: int
    full_name: str
    default_branch: str
    is_private: bool
    network: Network
    created_at: datetime
    fork_of: Repository | None = None
    is_archived: bool = False
    branches: dict[str, str] = field(default_factory=dict)
    protections: dict[str, Protection] = field(default_factory=dict)
    rules: dict[str, dict[str, int | None]] = field(default_factory=dict)
    """Branch → required checks of rulesets, which are readable without administration rights."""
    statuses: dict[str, list[Status]] = field(default_factory=dict)
    """Commit → its statuses, oldest first."""
    check_runs: dict[int, CheckRun] = field(default_factory=dict)
    suites: dict[int, CheckSuite] = field(default_factory=dict)
    suites_of_apps: dict[tuple[str, int], CheckSuite] = field(default_factory=dict)
    """(commit, App) → its one suite."""
    pulls: dict[int, PullRequest] = field(default_factory=dict)
    issues: dict[int, Issue] = field(default_factory=dict)
    workflows: dict[str, Workflow] = field(default_factory=dict)
    runs: dict[int, WorkflowRun] = field(default_factory=dict)
    hooks: dict[int, Hook] = field(default_factory=dict)
    numbers: int = 0
    """The last number given to a pull request or an issue: they share one row of numbers."""

    @property
    def owner(self) -> str:
        """Return the name before the slash."""
        return self.full_name.partition("/")[0]

    @property
    def name(self) -> str:
        """Return the name behind the slash."""
        return self.full_name.partition("/")[2]

    @property
    def is_fork(self) -> bool:
        """Tell whether it was forked."""
        return self.fork_of is not None

    def next_number(self) -> int:
        """Return the number of the next pull request or issue."""
        self.numbers += 1
        return self.numbers

    def find_commit(self, ref: str) -> Commit | None:
        """Return the commit that a sha, a branch or a pull request's ref names."""
        name = ref.removeprefix("refs/").removeprefix("heads/")
        if name.startswith("pull/"):
            pull = self.pulls.get(int(name.split("/")[1])) if name.split("/")[1].isdigit() else None
            if pull is not None:
                name = pull.merge_sha if name.endswith("/merge") else pull.head_sha
        sha = self.branches.get(name, name)
        return self.network.commits.get(sha)


@dataclass(frozen=True, slots=True)
class Status:
    """A commit status; one that was made is never changed."""

    id: int
    sha: str
    state: str
    context: str
    description: str | None
    target_url: str | None
    creator: str
    at: datetime
    app_id: int | None = None
    """The App whose installation set it; None for a person's token."""


@dataclass(slots=True)
class CheckSuite:
    """The check runs of one App on one commit."""

    id: int
    sha: str
    app: App
    at: datetime
    branch: str | None = None


@dataclass(slots=True)
class CheckRun:
    """A check run; its App changes it by number."""

    id: int
    sha: str
    name: str
    app: App
    suite: CheckSuite
    at: datetime
    status: str = "queued"
    conclusion: str | None = None
    external_id: str = ""
    details_url: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    output: dict[str, Any] = field(default_factory=dict)
    annotations: list[dict[str, Any]] = field(default_factory=list)
    actions: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class PullRequest:
    """A pull request; its head may lie in a fork."""

    id: int
    number: int
    title: str
    author: str
    base: str
    head: str
    head_sha: str
    head_repository: Repository
    at: datetime
    base_sha: str = ""
    merge_sha: str = ""
    """The test merge commit that jobs of `pull_request` run on."""
    body: str | None = None
    is_draft: bool = False
    closed_at: datetime | None = None
    merged_at: datetime | None = None

    @property
    def state(self) -> str:
        """Return open or closed."""
        return "closed" if self.closed_at else "open"


@dataclass(slots=True)
class Workflow:
    """A workflow file of GitHub Actions."""

    id: int
    path: str
    name: str
    at: datetime
    state: str = "active"
    runs: int = 0
    """The number of its last run."""


@dataclass(slots=True)
class Job:
    """One job of one attempt."""

    id: int
    name: str
    attempt: int
    status: str = "queued"
    conclusion: str | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None


@dataclass(slots=True)
class Attempt:
    """One attempt of a workflow run."""

    number: int
    started_at: datetime
    status: str = "queued"
    conclusion: str | None = None
    updated_at: datetime | None = None


@dataclass(slots=True)
class WorkflowRun:
    """A run of GitHub Actions with all its attempts."""

    id: int
    number: int
    workflow: Workflow
    event: str
    sha: str
    branch: str | None
    head_repository: Repository
    actor: str
    suite_id: int
    at: datetime
    attempts: list[Attempt] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    pulls: list[PullRequest] = field(default_factory=list)
    protections: list[Mapping[str, Any]] = field(default_factory=list)
    """What was answered to deployment protection rules: environment, state, comment, App."""
    waiting_for: set[str] = field(default_factory=set)
    """Environments whose rule nobody answered yet."""
    repository: Any = None
    """The repository whose workflow it is; the head may lie in a fork."""

    @property
    def last(self) -> Attempt:
        """Return the newest attempt."""
        return self.attempts[-1]


@dataclass(slots=True)
class Hook:
    """A webhook of a repository, or an App's own."""

    id: int
    url: str
    secret: str
    events: list[str]
    at: datetime
    content_type: str = "json"
    insecure_ssl: str = "0"
    is_active: bool = True
    app_id: int | None = None


@dataclass(slots=True)
class Comment:
    """A comment of an issue or pull request."""

    id: int
    author: str
    body: str
    at: datetime
    updated_at: datetime


@dataclass(slots=True)
class Issue:
    """An issue, or the comments' side of a pull request."""

    id: int
    number: int
    title: str
    author: str
    body: str | None
    at: datetime
    state: str = "open"
    labels: list[str] = field(default_factory=list)
    comments: dict[int, Comment] = field(default_factory=dict)


@dataclass(slots=True)
class App:
    """A GitHub App; `public_key` (PEM) checks its JSON web tokens."""

    id: int
    slug: str
    owner: str
    public_key: bytes
    permissions: dict[str, str]
    events: list[str]
    at: datetime
    hook: Hook | None = None


@dataclass(slots=True)
class Installation:
    """An App in an account; `repositories` are numbers, None for all of the account."""

    id: int
    app: App
    account: str
    repositories: set[int] | None
    permissions: dict[str, str]
    at: datetime
    users: set[str] = field(default_factory=set)
    """Logins that see this installation."""
    suspended_at: datetime | None = None


@dataclass(slots=True)
class Token:
    """A token that the stand-in made; `name` stands in the log for it."""

    name: str
    secret: str
    kind: str
    """classic, fine-grained, user (of an App) or installation."""
    login: str
    scopes: tuple[str, ...] = ()
    permissions: Mapping[str, str] = field(default_factory=dict)
    repositories: set[int] | None = None
    expires_at: datetime | None = None
    installation: Installation | None = None
    app: App | None = None
    can_push: bool = True
    used: int = 0
