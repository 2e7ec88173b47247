"""What `attestation reset` makes of its options, what it prints, and how a job's end ends its attestation."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from chainloop_ci.api.words import CancelTrigger
from chainloop_ci.cli.unreachable import clear_pending
from chainloop_ci.cli.wiring import World
from chainloop_ci.crafting.reset import Forgotten, Reset
from chainloop_ci.errors import Finding, StateBrokenError, UsageError


def run_reset(world: World, *, trigger: str, reason: str | None, force: bool) -> None:
    """End the attestation without pushing it."""
    _show(world, end_run(world, CancelTrigger(trigger), reason or "", force=force), trigger)


def end_run(
    world: World, trigger: CancelTrigger, reason: str, unmet: Sequence[Finding] = (), *, force: bool = False
) -> Forgotten | None:
    """End this job's attestation; None: there is none. `unmet` is what of the contract it could not meet."""
    reset = Reset(store=world.state(), control_plane=world.control_plane_of, report=world.reporter)
    ended = reset(trigger, reason, unmet, force=force)
    clear_pending(world)
    if world.report:
        world.report.note_ended(ended)
    return ended


def _show(world: World, ended: Forgotten | None, trigger: str) -> None:
    run_id, run_state = (ended.state.pin.run_id, ended.run_state) if ended else ("", "")
    if run_state:
        world.output.info("Attestation ended without a push", run=run_id, state=run_state, trigger=trigger)
    elif ended:
        world.output.info("Attestation forgotten here", run=run_id or "dry run")
    if world.format == "json":
        document = {"reset": ended is not None, "attestationID": run_id if ended else None, "trigger": trigger}
        world.output.document({**document, "state": run_state or None})


class JobEnd(StrEnum):
    """How a job ended."""

    SUCCESS = "succeeded"
    FAILURE = "failed"
    CANCELLATION = "was cancelled"


_TRIGGERS = {JobEnd.FAILURE: CancelTrigger.FAILURE, JobEnd.CANCELLATION: CancelTrigger.CANCELLATION}
JOB_STATUSES = {
    # GitHub (`job.status`), GitLab (`CI_JOB_STATUS`: `running` until its script has ended), Jenkins
    # (`currentBuild.currentResult`), Azure (`Agent.JobStatus`); `skipped` is of GitHub's `needs.<job>.result`.
    JobEnd.SUCCESS: ("success", "succeeded", "succeededwithissues", "running"),
    JobEnd.FAILURE: ("failure", "failed", "unstable"),
    JobEnd.CANCELLATION: ("cancelled", "canceled", "aborted", "not_built", "skipped"),
}
"""The words of the CI systems, in lower case; their case does not matter."""


def parse_job_status(word: str | None) -> JobEnd:
    """Return how the job ended; nothing said is success.

    Raises:
        UsageError: no CI system says so.
    """
    if not word or not word.strip():
        return JobEnd.SUCCESS
    for end, words in JOB_STATUSES.items():
        if word.strip().lower() in words:
            return end
    known = ", ".join(word for words in JOB_STATUSES.values() for word in words)
    raise UsageError(f"--job-status: expected how the job ended, found {word[:40]!r}", hint=f"known: {known}")


def end_with_job(world: World, end: JobEnd) -> None:
    """End this job's attestation as the job has ended; where there is none, nothing is to be done."""
    if not has_attestation(world):
        world.output.info(f"the job {end}, and no attestation of it is open: there is nothing to end")
        return
    trigger = _TRIGGERS[end]
    _show(world, end_run(world, trigger, f"the job {end}"), trigger)


def has_attestation(world: World) -> bool:
    """Tell whether this job has begun an attestation."""
    from chainloop_ci.state import belongs_to_other_job

    try:
        state = world.state().find()
    except StateBrokenError:
        return True  # `reset` removes it
    if state is None or world.sharing.is_shared:
        return state is not None  # another job began it, and this one was told to go on with it
    # What an earlier job has left is that one's: its run is not ended by the failure of this one.
    return not belongs_to_other_job(state, world.ci())
