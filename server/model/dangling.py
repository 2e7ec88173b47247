"""Runs whose CI job has ended without a push: which ones a forge's word is about, and how they end (R46).

A run may only be ended by what its own claim names: repository, CI run, attempt and job. Where it is not certain which
job a run belongs to, it waits for the end of the whole CI run, and at last for its own expiry.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from chainloop_ci.api.runs import StateLocation
from chainloop_ci.api.source_address import SourceAddress, SourceKind
from chainloop_ci.api.words import CancelTrigger
from server.model.forge_facts import ONLY_ATTEMPT, CiConclusion, ForgeJob
from server.model.runs import Run
from server.model.sources import is_at

CLOCK_SKEW = timedelta(seconds=5)
"""How far the forge's clock may differ where one runner did several jobs: more could mistake one for the next."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ends whose job has ended."""

    trigger: CancelTrigger
    reason: str


_HOW = {
    CiConclusion.SUCCESS: (CancelTrigger.FAILURE, "ended well, and no attestation was pushed"),
    CiConclusion.FAILURE: (CancelTrigger.FAILURE, "failed before an attestation was pushed"),
    CiConclusion.TIMED_OUT: (CancelTrigger.FAILURE, "ran out of time before an attestation was pushed"),
    CiConclusion.CANCELED: (CancelTrigger.CANCELLATION, "was cancelled before an attestation was pushed"),
    CiConclusion.SKIPPED: (CancelTrigger.CANCELLATION, "was skipped, and no attestation was pushed"),
}
_UNKNOWN = (CancelTrigger.FAILURE, "ended, and no attestation was pushed")


def job_ending(conclusion: CiConclusion | None) -> Ending:
    """Return how a run ends whose job the forge says to have ended."""
    trigger, how = _how(conclusion)
    return Ending(trigger, f"the CI job {how}")


def run_ending(conclusion: CiConclusion | None) -> Ending:
    """Return how a run ends whose workflow run, pipeline or build the forge says to have ended."""
    trigger, how = _how(conclusion)
    return Ending(trigger, f"the CI run {how}")


def claims_attempt(run: Run, address: SourceAddress, attempt: int) -> bool:
    """Tell whether a run says that its job is of this repository and attempt; its CI run is the same already.

    A late one (R20) begins after its job on purpose.
    """
    counted = ONLY_ATTEMPT if run.ci.run_attempt is None else run.ci.run_attempt
    return not run.late and counted == attempt and is_at(run.ci, address)


def claims_job(run: Run, job: ForgeJob) -> bool:
    """Tell whether a run whose claim is of the job's CI run and attempt is certainly of this job.

    GitLab tells a job its number. GitHub tells a job only its key in the file, and shows a name that may be another:
    the runner tells one job from all others of its time. A shared state belongs to no single job.
    """
    if run.state_location is StateLocation.SHARED:
        return False
    if run.ci.provider == SourceKind.GITLAB:
        return run.ci.job == job.job_id
    if run.ci.runner_name and job.runner_name:
        return run.ci.runner_name == job.runner_name and _is_within(run, job)
    return run.ci.job == job.name and run.ci.job_index is None and _is_within(run, job)


def _how(conclusion: CiConclusion | None) -> tuple[CancelTrigger, str]:
    return _HOW[conclusion] if conclusion else _UNKNOWN


def _is_within(run: Run, job: ForgeJob) -> bool:
    if job.started_at is None or job.ended_at is None:
        return False
    began, ended = job.started_at - run.created_at, run.created_at - job.ended_at
    return max(began, ended) <= CLOCK_SKEW
