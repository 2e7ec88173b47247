"""Which jobs have yet to attest, as far as the forge tells: what came first does not make a commit green (R32)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from server.model.verdict_facts import CiRun, CountedRun

_LEG = re.compile(r" \([^()]*\)\Z| [0-9]+/[0-9]+\Z|: \[[^\[\]]*\]\Z")


def job_of(name: str) -> str:
    """Return the job that a leg of a matrix belongs to, and of a job in a called workflow its own name.

    GitHub shows `build (linux, 3.12)` and `caller / build`, GitLab `build 1/3` and `build: [linux, 3.12]`.
    """
    return _LEG.sub("", name.rsplit(" / ", 1)[-1])


def count_awaited(ci_runs: Sequence[CiRun], runs: Sequence[CountedRun], now: datetime) -> int:
    """Return how many jobs of running CI runs have yet to attest; a CI run that has not at all counts as one.

    Not the end of the CI run is waited for: one that attests and then asks a gate would wait for itself.
    """
    return sum(_awaited(ci_run, runs) for ci_run in ci_runs if ci_run.is_running(now))


def _awaited(ci_run: CiRun, runs: Sequence[CountedRun]) -> int:
    attested = [run.job or "" for run in runs if run.ci_run_id == ci_run.id]
    return sum(_awaited_legs(ci_run, attested)) if attested else 1


def _awaited_legs(ci_run: CiRun, attested: Sequence[str]) -> Iterator[int]:
    jobs = [job_of(job) for job in attested]
    for name in set(jobs):
        legs = [job for job in ci_run.jobs if job_of(job.name) == name]
        still_open = sum(not leg.has_ended for leg in legs)
        # A leg whose job goes on after its push is open as well.
        yield max(0, min(still_open, len(legs) - jobs.count(name)))
