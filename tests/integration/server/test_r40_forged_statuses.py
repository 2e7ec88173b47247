"""R40: what somebody else writes under our names is told, corrected at most 20 times, and then alerted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from server.admin.doctor_deliveries import find_troubles
from server.model.forged_statuses import MAX_CORRECTIONS
from server.wiring import Services
from tests.forges.checked import checked_github
from tests.forges.clients import PUBLIC_PEM, github_client
from tests.integration.server.audit_log import list_newest
from tests.integration.server.conftest import Clock, Tenant, bearer
from tests.integration.server.forge_world import CONTEXT, NAME, ROLL_UP, ForgeWorld
from tests.integration.server.jobs import Job


@pytest.fixture
def world(services: Services, client: FlaskClient, acme: Tenant, clock: Clock, job: Job) -> Iterator[ForgeWorld]:
    with checked_github(clock=clock) as forge:
        made = ForgeWorld(services, client, acme, forge)
        made.register()
        made.pull = made.propose()
        yield made


def forge_status(world: ForgeWorld, state: str = "success", context: str = CONTEXT, login: str = "mallory") -> None:
    """Write as somebody with write access does."""
    token = world.forge.token(login, login=login)
    commit = github_client(world.forge, token).get_repo(NAME).get_commit(world.sha)
    commit.create_status(state, description="all is well", context=context)
    world.settle()


def test_r40_a_forged_status_is_corrected_told_and_audited(world: ForgeWorld) -> None:
    forge_status(world)

    (event,) = world.events("status.forged")
    with world.services.database.read() as connection:
        audited = [item for item in list_newest(connection, world.tenant.id, limit=50) if item.token_id == "server"]
    assert world.states(world.sha) == ["pending", "success", "pending"]
    assert world.last(world.sha) == ("pending", "chainloop-bot")
    assert (event.facts["context"], event.facts["state"], event.facts["by"]) == (CONTEXT, "success", "mallory")
    assert [(item.action.value, item.detail["by"]) for item in audited] == [("status.forged", "mallory")]


def test_r40_a_forged_roll_up_is_corrected(world: ForgeWorld) -> None:
    forge_status(world, context=ROLL_UP)

    assert world.last(world.sha, ROLL_UP) == ("pending", "chainloop-bot")
    assert world.states(world.sha) == ["pending"]


def test_r40_our_own_statuses_are_no_forgeries(world: ForgeWorld, job: Job) -> None:
    world.attest(job, world.sha, "pull_request", world.pull)

    assert world.last(world.sha) == ("success", "chainloop-bot")
    assert world.events("status.seen")
    assert not world.events("status.forged")


def test_r40_names_that_are_not_ours_are_left_alone(world: ForgeWorld) -> None:
    forge_status(world, context="chainloop/another/one")
    forge_status(world, context="ci/test")

    assert not world.events("status.forged")
    assert world.states(world.sha, "chainloop/another/one") == ["success"]


def test_r40_twenty_corrections_are_enough_then_people_are_alerted_once(world: ForgeWorld) -> None:
    for _ in range(MAX_CORRECTIONS + 3):
        forge_status(world)

    written = [status.creator for status in world.forge.statuses(world.sha, CONTEXT)]
    (alert,) = world.events("status.contested")
    described = world.admin.get("/registrations").json["items"][0]
    with world.services.database.read() as connection:
        troubles = list(find_troubles(connection, world.services.world.now()))
    assert written.count("chainloop-bot") == 1 + MAX_CORRECTIONS
    assert len(world.events("status.forged")) == MAX_CORRECTIONS
    assert alert.facts["by"] == "mallory"
    assert described["forgedStatuses"] == MAX_CORRECTIONS + 1
    assert any(CONTEXT in trouble and "mallory" in trouble for trouble in troubles), troubles


def test_r40_a_forgery_is_counted_and_another_commit_has_its_own_twenty(world: ForgeWorld) -> None:
    forge_status(world)
    world.sha = world.forge.push(world.repository, "feature", {"a.py": "2"})
    world.settle()

    forge_status(world, "failure")

    shown = world.client.get("/metrics", headers=bearer(world.tenant.token("read"))).text
    assert world.last(world.sha) == ("pending", "chainloop-bot")
    assert f'chainloop_forged_statuses_total{{org="{world.tenant.name}",surface="status"}} 2.0' in shown


def test_r40_a_check_run_of_another_app_under_our_name_is_told(world: ForgeWorld) -> None:
    other = world.forge.app("other", PUBLIC_PEM, {"checks": "write"})

    world.forge.set_check_run(world.repository, other, world.sha, CONTEXT, "success")
    world.settle()

    (event,) = world.events("status.forged")
    assert (event.facts["surface"], event.facts["by"]) == ("check-run", "other[bot]")
    assert world.states(world.sha) == ["pending", "pending"]


def test_r40_the_same_webhook_handled_again_counts_once(world: ForgeWorld) -> None:
    forge_status(world)
    came = world.admin.get("/inbound-webhooks?limit=100").json["items"]
    statuses = [item["id"] for item in came if item["event"] == "status"]

    for ident in statuses:
        assert world.operator.post(f"/inbound-webhooks/{ident}/replay").status_code == 200
    world.settle()

    assert len(world.events("status.seen")) == 2 * len(statuses)
    assert len(world.events("status.forged")) == 1
