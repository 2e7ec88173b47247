"""What forges told of commits and CI runs, by a verified webhook or read from their API: here a hint becomes a fact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
"""Time of news whose forge names none: whatever has a time is newer."""
ONLY_ATTEMPT = 1
"""Attempt of a CI run whose system counts none (GitLab, Jenkins)."""
MAX_CHANGED_PATHS = 3000
"""Of one head; of more it is not known what changed."""


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
    """Of the branch whose rules hold: the base branch of a pull request, the pushed branch of a push."""
    is_source_protected: bool | None = None
    """Of a pull request's own branch, whose jobs have protected variables; None: not asked yet, or it is none."""
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
    runner_name: str | None = None


def build_key(job: str, build: str) -> str:
    """Return how a build of Jenkins is named: builds are numbered per job, and a source may be a folder of branches."""
    return f"{job}#{build}"


@dataclass(frozen=True, slots=True)
class ForgeRun:
    """A row of `ci_runs`: one attempt of a GitHub Actions run, a GitLab pipeline, or a build of Jenkins."""

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
    can_go_on: bool = False
    """It is a pipeline, which begins again when a job of it is retried; not stored."""
    jobs: tuple[ForgeJob, ...] = ()


def is_newer_head(told: Head, known: Head) -> bool:
    """Tell whether something said of a head is newer than what is known, whatever the order in which it came.

    Of one moment a head that is closed is the newer news; where nothing else differs, any order will do that is always
    the same.
    """
    return _head_order(told) > _head_order(known)


def _head_order(head: Head) -> tuple[object, ...]:
    # What is learned of a head by asking is no news of it.
    said = replace(head, seen_at=head.told_at, changed_paths=None, ci_files=None)
    return (head.told_at, not head.is_open, repr(said))


def is_newer_run(told: ForgeRun, known: ForgeRun) -> bool:
    """Tell whether something said of a CI run is newer than what is known, whatever the order in which it came.

    Of an attempt that is counted what has ended stays so; a GitLab pipeline goes on when one of its jobs is retried.
    """
    return _run_order(told, told.can_go_on) > _run_order(known, told.can_go_on)


def _run_order(run: ForgeRun, can_go_on: bool) -> tuple[object, ...]:
    said = repr(replace(run, seen_at=run.told_at, jobs=(), can_go_on=False))
    step = _STEPS.index(run.status)
    return (run.told_at, step, said) if can_go_on else (step, run.told_at, said)


def is_newer_job(told: ForgeJob, told_at: datetime, known: ForgeJob, known_at: datetime) -> bool:
    """Tell whether something said of a job is newer than what is known: a job never goes back."""
    return (_STEPS.index(told.status), told_at, repr(told)) > (_STEPS.index(known.status), known_at, repr(known))


_STEPS = tuple(CiStatus)
