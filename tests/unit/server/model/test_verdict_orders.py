"""Ten workflows, two events, a matrix of three: whatever arrives first, one end state, never green early (R32, R33)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from random import Random

import pytest

from chainloop_ci.api.runs import RunState
from server.model.roll_up import WorkflowVerdict, roll_up
from server.model.verdict import Verdict, judge
from server.model.verdict_facts import CiJob, CiRun, CommitContext, Corroboration, CountedRun
from server.model.verdict_kinds import VerdictKind
from tests.unit.server.model.verdict_cases import HEAD, NOW, a_run

WORKFLOWS = tuple(f"service-{number}" for number in range(10))
EVENTS = ("push", "pull_request")
LEGS = ("0", "1", "2")
ORDERS = 1000
JOBS = tuple((workflow, event, leg) for workflow in WORKFLOWS for event in EVENTS for leg in LEGS)

Job = tuple[str, str, str]


@dataclass
class Forge:
    """What a server knows of a commit, while it hears of one thing after the other."""

    fails: frozenset[Job] = frozenset()
    runs: dict[str, dict[Job, CountedRun]] = field(default_factory=lambda: {workflow: {} for workflow in WORKFLOWS})
    """Those of each workflow, in the order in which they came."""
    ended: set[Job] = field(default_factory=set)
    sequence: int = 0

    def hear(self, job: Job, what: str) -> None:
        runs = self.runs[job[0]]
        if what == "initialized":
            self.sequence += 1
            workflow, event, leg = job
            runs[job] = a_run(
                self.sequence,
                id="/".join(job),
                state=RunState.INITIALIZED,
                corroboration=Corroboration.CLAIMED,
                ci_run_id=f"{workflow}/{event}",
                event=event,
                job_index=leg,
            )
        elif what == "corroborated":
            runs[job] = replace(runs[job], corroboration=Corroboration.CORROBORATED)
        elif what == "pushed":
            state = RunState.ERROR if job in self.fails else RunState.SUCCESS
            runs[job] = replace(runs[job], state=state)
        else:
            self.ended.add(job)

    def verdict(self, workflow: str) -> Verdict:
        runs = list(self.runs[workflow].values())
        ci_runs = [self._ci_run(workflow, event) for event in EVENTS]
        return judge(CommitContext(workflow, runs, head=HEAD, ci_runs=ci_runs), NOW)

    def is_done(self, workflow: str) -> bool:
        runs = self.runs[workflow].values()
        return len(runs) == len(EVENTS) * len(LEGS) and all(
            run.state is not RunState.INITIALIZED and run.corroboration is Corroboration.CORROBORATED for run in runs
        )

    def _ci_run(self, workflow: str, event: str) -> CiRun:
        jobs = tuple(CiJob(f"build ({leg})", (workflow, event, leg) in self.ended) for leg in LEGS)
        ended_at = NOW if all(job.has_ended for job in jobs) else None
        return CiRun(f"{workflow}/{event}", seen_at=NOW, ended_at=ended_at, jobs=jobs)


def orders(seed: int) -> Iterator[tuple[Job, str]]:
    """Yield what happens to all jobs in an order that could be: a run begins before its push and its confirmation."""
    random = Random(seed)
    queues = []
    for job in JOBS:
        after = ["pushed", "corroborated"]
        random.shuffle(after)
        # The job ends after its push; the forge's word on the run may come still later.
        after.insert(random.randint(after.index("pushed") + 1, 2), "ended")
        queues.append([(job, what) for what in ("initialized", *after)])
    while queues:
        queue = random.choice(queues)
        yield queue.pop(0)
        if not queue:
            queues.remove(queue)


def end_state(forge: Forge, seed: int) -> tuple[Verdict, ...]:
    """Play one order, look at the workflow that was touched and at the roll-up all the way, and return the end."""
    verdicts = {workflow: forge.verdict(workflow) for workflow in WORKFLOWS}
    done = set()
    for (workflow, event, leg), what in orders(seed):
        forge.hear((workflow, event, leg), what)
        verdicts[workflow] = forge.verdict(workflow)
        total = roll_up([WorkflowVerdict(name, one) for name, one in verdicts.items()])
        if forge.is_done(workflow):
            done.add(workflow)
        assert not verdicts[workflow].passes or workflow in done
        assert not total.passes or done == set(WORKFLOWS)
    return (*(_without_ids(one) for one in verdicts.values()), _without_ids(total))


def _without_ids(verdict: Verdict) -> Verdict:
    # Which of three equal legs was the last one is the order itself.
    return replace(verdict, run_id=None, counted_run_ids=tuple(sorted(verdict.counted_run_ids)))


@pytest.mark.parametrize("part", range(4))
def test_r32_r33_a_thousand_orders_have_one_end_and_are_never_green_early(part: int) -> None:
    ends = {end_state(Forge(), seed) for seed in range(part * ORDERS // 4, (part + 1) * ORDERS // 4)}

    assert len(ends) == 1
    assert {one.kind for one in ends.pop()} == {VerdictKind.SUCCESS}


def test_r32_r33_one_failed_leg_of_sixty_fails_its_workflow_and_the_roll_up_in_every_order() -> None:
    fails = frozenset({("service-3", "pull_request", "1")})

    ends = {end_state(Forge(fails), seed) for seed in range(100)}

    *verdicts, total = ends.pop()
    assert not ends
    assert [one.kind for one in verdicts].count(VerdictKind.SUCCESS) == 9
    assert (total.kind, total.description) == (
        VerdictKind.CRAFTING_ERROR,
        "9 of 10 compliant; failed: service-3",
    )
