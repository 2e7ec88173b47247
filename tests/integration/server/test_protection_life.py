"""Deployments that wait, from GitHub's signed question to its answer, with the server's own dispatcher between them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from examples.forge.github.world import WorkflowRun
from server.config import ServerConfig
from server.wiring import Services
from tests.integration.server.app_world import DEPLOY, Deployments, app_server, as_app
from tests.integration.server.conftest import Clock, Tenant
from tests.integration.server.forge_world import NAME
from tests.integration.server.jobs import Job
from tests.integration.server.strangers import record_connections, stranger


@pytest.fixture
def world(config: ServerConfig, services: Services, acme: Tenant, clock: Clock, job: Job) -> Iterator[Deployments]:
    with app_server(config, services, clock) as server:
        made = Deployments(server.services, server.client, acme, server.forge)
        made.installation = server.install(made.repository)
        environments = {"production": ["app/build"], "staging": ["app/build", "app/deploy"]}
        made.register(**as_app(made.installation, [NAME], environments=environments))
        made.push()
        yield made


def answers(run: WorkflowRun) -> list[str | None]:
    """Return the states that GitHub was told; None: only how it stands."""
    return [told.get("state") for told in run.protections]


def comment(run: WorkflowRun) -> str:
    return str(run.protections[-1]["comment"]).replace("&#45;", "-")


def test_r36_a_deployment_of_an_attested_commit_is_approved_with_its_reason(world: Deployments, job: Job) -> None:
    world.attest(job, world.sha, "push")

    run = world.deploy()

    assert answers(run) == ["approved"]
    assert comment(run).startswith("- passes: app/build")
    assert run.waiting_for == set()


def test_r36_a_deployment_waits_and_goes_on_with_the_attestation(world: Deployments, job: Job) -> None:
    run = world.deploy()
    before = answers(run)

    world.attest(job, world.sha, "push")

    assert before == [None]
    assert answers(run)[-1] == "approved"
    assert "rejected" not in answers(run)


def test_r36_a_deployment_of_a_commit_that_nobody_attests_is_rejected_with_its_reason(
    world: Deployments, clock: Clock
) -> None:
    run = world.deploy()

    clock.advance(minutes=31)
    world.settle()

    assert answers(run)[-1] == "rejected"
    assert "no attestation within 30 min" in comment(run)
    assert run.last.conclusion == "failure"


def test_r36_an_environment_that_needs_more_is_rejected_by_what_is_not_there(world: Deployments, job: Job) -> None:
    world.attest(job, world.sha, "push")

    run = world.deploy("staging")

    assert answers(run) == ["rejected"]
    assert "passes: app/build" in comment(run)
    assert "app/deploy has no source" in comment(run)


def test_r43_a_signed_payload_with_a_foreign_callback_is_answered_at_the_forge_alone(
    world: Deployments, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.attest(job, world.sha, "push")

    with stranger() as foreign, monkeypatch.context() as patch:
        seen = record_connections(patch)
        first = world.deploy(callback=f"{foreign.url}/repos/{NAME}/actions/runs/77/deployment_protection_rule")
        # Even with its own number in it: the address is made anew, and the number is only looked up.
        run = world.forge.start_run(world.repository, DEPLOY, world.sha)
        world.forge.ask_deployment(run, "production", f"{foreign.url}/actions/runs/{run.id}/deployment_protection_rule")
        world.settle()

    assert (answers(first), answers(run)) == ([], ["approved"])
    assert foreign.callers == []
    assert seen.strangers(world.forge.url) == []


def test_r42_a_deployment_is_not_answered_when_the_account_has_removed_the_app(world: Deployments, job: Job) -> None:
    world.attest(job, world.sha, "push")
    assert world.installation is not None

    world.forge.uninstall(world.installation)
    run = world.deploy()

    assert answers(run) == []
    assert not world.events("gate.requested")
