"""What forges told of commits and CI runs, by a verified webhook or read from their API: here a hint becomes a fact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class CiStatus(StrEnum):
    """How far a CI run or job is, whatever its forge calls that; in this order."""

    QUEUED = "queued"
    RUNNING = "running"
    ENDED = "ended"


class CiConclusion(StrEnum):
    """How a CI run or job ended."""

    SUCCESS = "success"
    FAILURE = "failure"
    CANCELED = "canceled"
    TIMED_OUT = "timed-out"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class CiFileTexts:
    """A CI file as the forge shows it; None: there is none at that revision."""

    base: str | None
    """On the target branch."""
    head: str | None
    is_enabled: bool = True


@dataclass(frozen=True, slots=True)
class Head:
    """A row of `heads`: a commit that a branch or a pull request points to, or did."""

    source_id: str
    organization_id: str
    sha: str
    event: str
    """`push`, `pull_request` or `merge_group`, whatever the forge calls them."""
    branch: str
    seen_at: datetime
    """When the server first heard of it."""
    told_at: datetime
    """The forge's own time of this news."""
    pull_request: str = ""
    """Its number; empty: it is none."""
    base_branch: str | None = None
    is_branch_new: bool = False
    is_fork: bool = False
    is_bot: bool = False
    """A bot's that gets no secrets (R35)."""
    is_protected: bool | None = None
    changed_paths: tuple[str, ...] | None = None
    """None: not known yet, or too many."""
    ci_files: Mapping[str, CiFileTexts] | None = None
    """By path; None: the forge was not asked yet."""
    is_open: bool = True
    """Nobody pushed over it, closed or merged it."""


@dataclass(frozen=True, slots=True)
class ForgeJob:
    """A row of `ci_jobs`."""

    job_id: str
    name: str
    """With the leg of its matrix."""
    status: CiStatus
    conclusion: CiConclusion | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ForgeRun:
    """A row of `ci_runs`: one attempt of a GitHub Actions run, or a GitLab pipeline."""

    source_id: str
    organization_id: str
    ci_run_id: str
    attempt: int
    head_sha: str
    """The pull request's head, never the test merge commit (R31)."""
    event: str
    status: CiStatus
    seen_at: datetime
    told_at: datetime
    """The forge's own time of this news."""
    ci_file: str | None = None
    is_fork: bool = False
    conclusion: CiConclusion | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    jobs: tuple[ForgeJob, ...] = ()


def is_news(status: CiStatus, told_at: datetime, known_status: CiStatus, known_at: datetime) -> bool:
    """Tell whether something is newer than what is known, whatever the order in which it came.

    What has ended stays so: an attempt does not begin again.
    """
    steps = tuple(CiStatus)
    if steps.index(status) != steps.index(known_status):
        return steps.index(status) > steps.index(known_status)
    return told_at > known_at
