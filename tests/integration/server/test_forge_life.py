"""From the forge's webhooks to the forge's statuses, with the server's own dispatcher between them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from examples.forge.github import FakeGitHub
from examples.forge.github.world import CheckRun
from server.config import ServerConfig
from server.model.deliveries import DeliveryState
from server.wiring import Services
from tests.forges.clients import PUBLIC_PEM
from tests.integration.server.app_world import app_server, as_app
from tests.integration.server.conftest import Clock, Tenant
from tests.integration.server.forge_world import CONTEXT, NAME, ROLL_UP, ForgeWorld
from tests.integration.server.jobs import Job
from tests.integration.server.judged import CI_FILE

UNQUEUED = "on: pull_request\njobs:\n  build:\n    runs-on: x\n    steps: []\n"
QUEUED = "on: [push, pull_request, merge_group]\njobs:\n  build:\n    runs-on: x\n    steps: []\n"


def test_a_pull_request_goes_from_expected_to_success_by_webhooks_alone(world: ForgeWorld, job: Job) -> None:
    pull = world.propose()

    world.attest(job, world.sha, "pull_request", pull)

    assert world.states(world.sha)[0] == "pending"
    assert world.states(world.sha)[-1] == "success"
    assert world.last(world.sha, ROLL_UP) == ("success", "chainloop-bot")
    assert not world.admin.get(f"/deliveries?state={DeliveryState.DEAD.value}").json["items"]


def test_a_hooks_sync_makes_a_webhook_that_the_server_takes(world: ForgeWorld) -> None:
    (hook,) = world.repository.hooks.values()

    world.propose()

    (found,) = world.admin.get("/source-hooks").json["items"]
    assert (found["state"], found["url"]) == ("created", hook.url)
    assert {delivery.reply.status for delivery in world.forge.outbox.sent if delivery.reply} == {200, 202}


def test_a_source_that_was_there_before_its_registration_gets_its_webhook_and_its_statuses(
    services: Services, client: FlaskClient, acme: Tenant, forge: FakeGitHub, job: Job
) -> None:
    world = ForgeWorld(services, client, acme, forge)
    world.bind("app/build")
    world.attach()
    world.sync()

    world.propose()

    assert world.last(world.sha) == ("pending", "chainloop-bot")


def test_a_job_that_dies_ends_with_its_status_within_one_webhook(world: ForgeWorld, job: Job) -> None:
    pull = world.propose()
    run = world.begin(job, world.sha, "pull_request", pull)

    world.forge.finish_run(run, "failure")
    world.settle()

    assert world.last(world.sha)[0] in ("failure", "error")


def test_r34_a_ci_file_that_the_pull_request_deletes_is_missing_by_webhooks_alone(world: ForgeWorld) -> None:
    world.sha = world.forge.push(world.repository, "feature", {CI_FILE: None})
    world.forge.open_pull_request(world.repository, "feature")

    world.settle()

    assert world.last(world.sha)[0] == "failure"


def test_r31_a_merge_queue_head_without_its_own_run_fails_after_the_grace_time(
    world: ForgeWorld, job: Job, clock: Clock
) -> None:
    world.forge.push(world.repository, "main", {CI_FILE: UNQUEUED})
    pull = world.propose()
    world.attest(job, world.sha, "pull_request", pull)

    head = world.forge.enqueue(world.repository, pull)
    world.settle()
    before = world.last(head)[0]
    clock.advance(hours=1)
    world.settle()

    status = world.forge.statuses(head, CONTEXT)[-1]
    assert (before, status.state) == ("pending", "failure")
    assert "merge_group" in status.description
    assert world.last(world.sha)[0] == "success"


def test_r31_a_merge_queue_head_with_its_own_run_passes(world: ForgeWorld, job: Job) -> None:
    world.forge.push(world.repository, "main", {CI_FILE: QUEUED})
    pull = world.propose()
    world.attest(job, world.sha, "pull_request", pull)

    head = world.forge.enqueue(world.repository, pull)
    world.settle()
    world.attest(job, head, "merge_group")

    assert world.last(head)[0] == "success"
    assert world.last(head, ROLL_UP)[0] == "success"


@pytest.mark.parametrize(("comment", "comments"), [(True, 1), (False, 0)])
def test_a_comment_lists_the_verdicts_only_where_it_is_switched_on(
    comment: bool, comments: int, services: Services, client: FlaskClient, acme: Tenant, forge: FakeGitHub, job: Job
) -> None:
    world = ForgeWorld(services, client, acme, forge, settings={"comment": comment})
    world.register()
    pull = world.propose()

    world.attest(job, world.sha, "pull_request", pull)

    written = list(world.repository.issues[pull.number].comments.values())
    assert len(written) == comments
    assert all("success" in each.body and CONTEXT in each.body.replace("&#95;", "_") for each in written)


@pytest.fixture
def by_app(config: ServerConfig, services: Services, acme: Tenant, clock: Clock, job: Job) -> Iterator[ForgeWorld]:
    """Return a world where the App of the server makes check runs."""
    with app_server(config, services, clock) as server:
        world = ForgeWorld(server.services, server.client, acme, server.forge)
        world.register(**as_app(server.install(world.repository), [NAME]))
        yield world


def checks_of(world: ForgeWorld, name: str = CONTEXT) -> list[CheckRun]:
    return [run for run in world.repository.check_runs.values() if run.name == name]


def check_writes(world: ForgeWorld) -> list[Any]:
    return [seen for seen in world.forge.writes() if "/check-runs" in seen.path]


def test_the_re_run_button_judges_anew_and_tells_again(by_app: ForgeWorld, job: Job) -> None:
    pull = by_app.propose()
    run = by_app.begin(job, by_app.sha, "pull_request", pull)
    by_app.forge.finish_run(run, "failure")
    by_app.settle()
    before, asked = checks_of(by_app)[-1], len(check_writes(by_app))

    by_app.forge.rerequest(by_app.repository, before)
    by_app.settle()

    assert before.conclusion == "failure"
    assert len(check_writes(by_app)) == asked + 1
    assert f"{by_app.forge.url}/{NAME}/actions/runs/{run.id}" in before.output["summary"]


def test_re_running_all_checks_tells_every_context_again(by_app: ForgeWorld, job: Job) -> None:
    pull = by_app.propose()
    run = by_app.begin(job, by_app.sha, "pull_request", pull)
    by_app.forge.finish_run(run, "failure")
    by_app.settle()
    asked = len(check_writes(by_app))

    by_app.forge.rerequest_suite(by_app.repository, checks_of(by_app)[-1])
    by_app.settle()

    assert len(check_writes(by_app)) == asked + 2


def test_r40_an_app_s_own_check_runs_are_no_forgeries_and_another_app_s_are(by_app: ForgeWorld) -> None:
    other = by_app.forge.app("other", PUBLIC_PEM, {"checks": "write"})
    by_app.propose()
    own = len(by_app.events("status.forged"))

    by_app.forge.set_check_run(by_app.repository, other, by_app.sha, CONTEXT, "success")
    by_app.settle()

    assert own == 0
    assert [event.facts["by"] for event in by_app.events("status.forged")] == ["other[bot]"]
