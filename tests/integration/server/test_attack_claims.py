"""A job's token, which is every developer's, tries to hold up other people's commits (R1, R30)."""

from __future__ import annotations

from dataclasses import replace

from tests.integration.server.conftest import Clock
from tests.integration.server.forge_world import ForgeJob, ForgeWorld, job_of
from tests.integration.server.jobs import Job
from tests.integration.server.judged import CI_FILE


def claim(liar: ForgeJob, **lies: object) -> None:
    begun = liar.begin(ci={**liar.ci_claim, "job": "another", **lies})
    assert begun.status_code == 201, begun.text


def wait(world: ForgeWorld, clock: Clock) -> None:
    world.settle()
    for _ in range(8):
        clock.advance(hours=1)
        world.settle()


def test_r30_a_claim_of_a_ci_run_that_the_forge_does_not_know_holds_nobody_up(
    world: ForgeWorld, job: Job, clock: Clock
) -> None:
    pull = world.propose()
    run = world.attest(job, world.sha, "pull_request", pull)
    assert world.last(world.sha)[0] == "success"
    liar = job_of(job, world.forge.url, run, world.sha, "pull_request", pull)

    claim(liar, runId="987654321")
    wait(world, clock)

    assert world.last(world.sha)[0] == "success"


def test_r30_a_claim_of_ones_own_ci_run_about_anothers_head_holds_nobody_up(
    world: ForgeWorld, job: Job, clock: Clock
) -> None:
    pull = world.propose()
    world.attest(job, world.sha, "pull_request", pull)
    assert world.last(world.sha)[0] == "success"
    own = world.forge.push(world.repository, "mine", {"b.py": "1"})
    run = world.forge.start_run(world.repository, CI_FILE, own, "push")
    liar = job_of(job, world.forge.url, run, own, "push", None)

    claim(replace(liar), headSha=world.sha)
    wait(world, clock)

    assert world.last(world.sha)[0] == "success"
