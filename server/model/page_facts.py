"""What pages show: everything is looked up before, so that templates only arrange it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chainloop_ci.api.runs import RunDetail, WorkflowRun
from server.model.verdict_facts import Corroboration
from server.model.verdict_kinds import VerdictKind, is_passing


@dataclass(frozen=True, slots=True)
class ShownVerdict:
    """What is said under one name on a commit."""

    id: str
    context: str
    kind: VerdictKind
    description: str
    changed_at: datetime
    version: int = 1


@dataclass(frozen=True, slots=True)
class PublicVerdict:
    """All that anybody may see of a verdict whose workflow is public (R47)."""

    context: str
    kind: VerdictKind
    """Only whether it passes, fails or is pending is shown."""
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class PullRequestLink:
    """An open pull request whose head the commit is."""

    number: str
    url: str | None


@dataclass(frozen=True, slots=True)
class CommitPlace:
    """Where a commit is, with links that are made from the registered source (R43)."""

    sha: str
    repository: str
    repository_url: str
    url: str | None
    branches: tuple[str, ...] = ()
    pull_requests: tuple[PullRequestLink, ...] = ()


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that is missing or wrong, and what to do."""

    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class CountedLine:
    """A run that the verdict follows from."""

    run: WorkflowRun
    corroboration: Corroboration
    ci_url: str | None
    decides: bool


@dataclass(frozen=True, slots=True)
class Version:
    """What was said before."""

    number: int
    at: datetime
    kind: VerdictKind
    description: str


@dataclass(frozen=True, slots=True)
class WorkflowPage:
    """The page of one workflow's verdict on a commit."""

    verdict: ShownVerdict
    place: CommitPlace
    project: str
    workflow: str
    needs: tuple[Need, ...]
    asks_of: str
    """Contract and revision that `needs` come from; empty: from a refused store."""
    counted: tuple[CountedLine, ...]
    detail: RunDetail | None
    """The run that decides."""
    versions: tuple[Version, ...]
    roll_up: ShownVerdict | None


@dataclass(frozen=True, slots=True)
class Member:
    """One of the workflows of a roll-up."""

    verdict: ShownVerdict
    name: str
    """`project/workflow`."""


@dataclass(frozen=True, slots=True)
class RollUpPage:
    """The page of the verdict of all workflows on a commit (R33)."""

    verdict: ShownVerdict
    place: CommitPlace
    members: tuple[Member, ...]
    versions: tuple[Version, ...]

    @property
    def passing(self) -> int:
        """Return how many let the commit through."""
        return sum(is_passing(member.verdict.kind) for member in self.members)


@dataclass(frozen=True, slots=True)
class RunPage:
    """The page of a run."""

    detail: RunDetail
    place: CommitPlace | None
    """None: the workflow has no registered source, or the run names no commit."""
    ci_url: str | None
    corroboration: Corroboration | None
    verdicts: tuple[ShownVerdict, ...]


@dataclass(frozen=True, slots=True)
class CommitGroup:
    """Verdicts of one commit that stand together in a list."""

    repository: str
    sha: str
    verdicts: tuple[ShownVerdict, ...]
