"""End the runs whose CI job has ended without a push, in the transaction that hears of it (R15, R46)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.api.runs import StateLocation
from chainloop_ci.api.source_address import SourceKind
from server.model.dangling import Ending, claims_attempt, claims_job, job_ending, run_ending
from server.model.forge_facts import CiStatus, ForgeRun
from server.model.inbound_facts import SeenJob
from server.model.runs import Run
from server.model.sources import StoredSource
from server.services.run_events import end_run
from server.store import forge_facts, runs, sources


class DanglingRuns:
    """Ends runs by the word of a source's forge."""

    def __init__(self, now: Callable[[], datetime], new_id: Callable[[], str]) -> None:
        self._now = now
        self._new_id = new_id

    def after_run(self, connection: Connection, source: StoredSource, told: ForgeRun) -> int:
        """End the runs of a CI run that has ended, those with a shared state too; return how many there were."""
        if told.status is not CiStatus.ENDED:
            return 0
        known = forge_facts.find_run(connection, source.id, told.ci_run_id, told.attempt)
        jobs = known.jobs if known else ()
        ended = 0
        for run in self._claimants(connection, source, told.ci_run_id, told.attempt):
            own = [job for job in jobs if job.status is CiStatus.ENDED and claims_job(run, job)]
            # What the job itself came to says more than the whole.
            self._end(connection, run, job_ending(own[0].conclusion) if own else run_ending(told.conclusion))
            ended += 1
        return ended

    def after_jobs(self, connection: Connection, source: StoredSource, told: Sequence[SeenJob]) -> int:
        """End the runs that are certainly of a job that has ended; return how many there were.

        `told`: jobs of one attempt of a CI run.
        """
        ended = [each.job for each in told if each.job.status is CiStatus.ENDED]
        if not ended:
            return 0
        count = 0
        for run in self._claimants(connection, source, told[0].ci_run_id, told[0].attempt):
            own = next((job for job in ended if claims_job(run, job)), None)
            if own is not None:
                self._end(connection, run, job_ending(own.conclusion))
                count += 1
        return count

    def left_by_jobs(self, connection: Connection, source: StoredSource, told: Sequence[SeenJob]) -> list[Run]:
        """Return the open runs with a shared state whose pipeline on GitLab may have ended with one of its jobs.

        A pipeline goes on as long as a status of ours in it waits, so GitLab does not tell of its end.
        """
        if source.address.kind is not SourceKind.GITLAB or all(one.job.status is not CiStatus.ENDED for one in told):
            return []
        ci_run_id, attempt = told[0].ci_run_id, told[0].attempt
        known = forge_facts.find_run(connection, source.id, ci_run_id, attempt)
        jobs = known.jobs if known else tuple(one.job for one in told)
        if any(job.status is CiStatus.RUNNING for job in jobs):
            return []
        found = self._claimants(connection, source, ci_run_id, attempt)
        return [run for run in found if run.state_location is StateLocation.SHARED]

    def _claimants(self, connection: Connection, source: StoredSource, ci_run_id: str, attempt: int) -> Iterator[Run]:
        """Yield the open runs whose claim is of this attempt of a CI run of the source."""
        kind = source.address.kind
        job, _, number = ci_run_id.rpartition("#") if kind is SourceKind.JENKINS else ("", "", ci_run_id)
        found = runs.list_open_of_ci_run(connection, source.organization_id, kind.value, number, self._now())
        if kind is SourceKind.JENKINS and found:
            bound = {workflow for workflow, _, _ in sources.names_from(connection, source)}
            found = [run for run in found if run.workflow_id in bound and run.ci.job == job]
        return (run for run in found if claims_attempt(run, source.address, attempt))

    def _end(self, connection: Connection, run: Run, ending: Ending) -> None:
        now = self._now()
        end_run(connection, run.canceled(ending.trigger, ending.reason, now), now, self._new_id)
