"""The kinds of verdict on a commit, and what each forge is told of it. One visible table.

Source: the table of states in section 3.3 of the specification of statuses, and R30–R39. Words of GitHub: REST pages
«Commit statuses» and «Check runs»; of GitLab: «Commits API, set the pipeline status of a commit» and «External status
checks API».
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class VerdictKind(StrEnum):
    """What is said of one workflow, or of all of them, on one commit; worst first within each group."""

    BLOCKED = "blocked"
    """An operator blocked the workflow (R39)."""
    REFUSED = "refused"
    """The last store of a run was refused (R15)."""
    GATE_VIOLATION = "gate-violation"
    NOT_MET = "not-met"
    """A required material is missing or of another type, or the runner is another one."""
    UNVERIFIED = "unverified"
    """No registered key signed it, or the key was revoked (R3, R4)."""
    DISTRUSTED = "distrusted"
    """An operator distrusts the run (R39)."""
    MISSING = "missing"
    """No attestation came, or the change keeps the CI from making one (R34)."""
    NONE_EXPECTED = "none-expected"
    """Roll-up: nothing is registered, which is never success (R33)."""
    CRAFTING_ERROR = "crafting-error"
    EXPIRED = "expired"
    CANCELED = "canceled"

    UNTRUSTED_HEAD = "untrusted-head"
    """A fork's head or the like: a maintainer has to act (R35)."""
    CLAIMED = "claimed"
    """What the run says of itself was not confirmed by the forge (R30)."""
    LATE = "late"
    """It came after its job, and was not confirmed (R20)."""
    EXPECTED = "expected"
    """Nothing came yet, and it is not overdue."""
    INITIALIZED = "initialized"
    COMPLETE = "complete"
    """All materials are there; the push is not."""
    PARTIAL = "partial"
    """What came passes, and the forge knows of jobs that have yet to attest (R32)."""
    REPORTING = "reporting"
    """Roll-up: not every workflow has a final verdict (R33)."""

    UNTRUSTED_HEAD_PASSES = "untrusted-head-passes"
    """As `UNTRUSTED_HEAD`, where an admin's setting lets such heads through (R35)."""
    OVERRIDDEN = "overridden"
    """An operator let the commit through (R39)."""
    NO_REQUIREMENTS = "no-requirements"
    """The contract asks for nothing: never called compliant (R37)."""
    UPCOMING = "upcoming"
    """Met, but a newer revision that is not enforced yet asks for more (R38)."""
    ADVISORY = "advisory"
    """Met, with violations of policies that only advise."""
    SUCCESS = "success"
    NOT_APPLICABLE = "not-applicable"
    """The server computed that no attestation is required (R34)."""


class GithubState(StrEnum):
    """States of a GitHub commit status."""

    ERROR = "error"
    FAILURE = "failure"
    PENDING = "pending"
    SUCCESS = "success"


class CheckStatus(StrEnum):
    """Statuses of a GitHub check run that an App may set."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"


class CheckConclusion(StrEnum):
    """Conclusions of a completed GitHub check run; `stale` is GitHub's alone."""

    ACTION_REQUIRED = "action_required"
    CANCELLED = "cancelled"
    FAILURE = "failure"
    NEUTRAL = "neutral"
    SKIPPED = "skipped"
    SUCCESS = "success"
    TIMED_OUT = "timed_out"


class GitlabState(StrEnum):
    """States of a GitLab commit status that we set.

    Never `skipped`, which blocks «pipelines must succeed» (R41), nor `pending`, from which GitLab does not go to
    `success` at once.
    """

    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    CANCELED = "canceled"


class GitlabCheckAnswer(StrEnum):
    """Answers to a GitLab external status check (R41)."""

    PASSED = "passed"
    FAILED = "failed"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class Surfaces:
    """What each surface shows of one kind."""

    github: GithubState
    check_status: CheckStatus
    check_conclusion: CheckConclusion | None
    """None while the check run is not completed."""
    gitlab: GitlabState
    gitlab_check: GitlabCheckAnswer


def _failing(
    github: GithubState = GithubState.FAILURE,
    conclusion: CheckConclusion = CheckConclusion.FAILURE,
    gitlab: GitlabState = GitlabState.FAILED,
) -> Surfaces:
    return Surfaces(github, CheckStatus.COMPLETED, conclusion, gitlab, GitlabCheckAnswer.FAILED)


def _pending(status: CheckStatus = CheckStatus.IN_PROGRESS, conclusion: CheckConclusion | None = None) -> Surfaces:
    return Surfaces(GithubState.PENDING, status, conclusion, GitlabState.RUNNING, GitlabCheckAnswer.PENDING)


def _passing(conclusion: CheckConclusion) -> Surfaces:
    # A required check passes on success, skipped and neutral alike.
    return Surfaces(
        GithubState.SUCCESS, CheckStatus.COMPLETED, conclusion, GitlabState.SUCCESS, GitlabCheckAnswer.PASSED
    )


_ERROR = GithubState.ERROR
_CONCLUSION = CheckConclusion

SURFACES: Mapping[VerdictKind, Surfaces] = MappingProxyType(
    {
        VerdictKind.BLOCKED: _failing(),
        VerdictKind.REFUSED: _failing(),
        VerdictKind.GATE_VIOLATION: _failing(),
        VerdictKind.NOT_MET: _failing(),
        VerdictKind.UNVERIFIED: _failing(),
        VerdictKind.DISTRUSTED: _failing(),
        VerdictKind.MISSING: _failing(),
        VerdictKind.NONE_EXPECTED: _failing(),
        VerdictKind.CRAFTING_ERROR: _failing(_ERROR),
        VerdictKind.EXPIRED: _failing(_ERROR, _CONCLUSION.TIMED_OUT),
        VerdictKind.CANCELED: _failing(_ERROR, _CONCLUSION.CANCELLED, GitlabState.CANCELED),
        VerdictKind.UNTRUSTED_HEAD: _pending(CheckStatus.COMPLETED, _CONCLUSION.ACTION_REQUIRED),
        VerdictKind.CLAIMED: _pending(),
        VerdictKind.LATE: _pending(),
        VerdictKind.EXPECTED: _pending(CheckStatus.QUEUED),
        VerdictKind.INITIALIZED: _pending(),
        VerdictKind.COMPLETE: _pending(),
        VerdictKind.PARTIAL: _pending(),
        VerdictKind.REPORTING: _pending(),
        VerdictKind.UNTRUSTED_HEAD_PASSES: _passing(_CONCLUSION.NEUTRAL),
        VerdictKind.OVERRIDDEN: _passing(_CONCLUSION.NEUTRAL),
        VerdictKind.NO_REQUIREMENTS: _passing(_CONCLUSION.NEUTRAL),
        VerdictKind.UPCOMING: _passing(_CONCLUSION.NEUTRAL),
        VerdictKind.ADVISORY: _passing(_CONCLUSION.NEUTRAL),
        VerdictKind.SUCCESS: _passing(_CONCLUSION.SUCCESS),
        VerdictKind.NOT_APPLICABLE: _passing(_CONCLUSION.SKIPPED),
    }
)

COMPLIANT = frozenset({VerdictKind.SUCCESS, VerdictKind.ADVISORY, VerdictKind.UPCOMING})
"""A verified attestation meets what is enforced. The other passing kinds let a commit through without that."""


def is_pending(kind: VerdictKind) -> bool:
    """Tell whether the last word is not said."""
    return SURFACES[kind].github is GithubState.PENDING


def is_passing(kind: VerdictKind) -> bool:
    """Tell whether a required status of this kind lets a commit through."""
    return SURFACES[kind].github is GithubState.SUCCESS


def severity(kind: VerdictKind) -> int:
    """Return the place of a kind; the worst has the lowest."""
    return _SEVERITY[kind]


_SEVERITY = {kind: place for place, kind in enumerate(VerdictKind)}
