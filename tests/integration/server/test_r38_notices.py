"""R38: teams are told once, in one issue of their repository, what a revision will ask of them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from examples.forge.github.world import Issue
from server.dispatch_wiring import build_dispatcher
from server.services import notices
from server.services.announcing import Announcer
from server.store.times import to_text
from server.wiring import Services
from tests.forges.checked import checked_github
from tests.integration.server.conftest import EPOCH, Clock, Tenant
from tests.integration.server.forge_world import ForgeWorld, job_of
from tests.integration.server.jobs import Job, Key, register_key
from tests.integration.server.judged import CI_FILE
from tests.integration.server.receivers import attach, register, told
from tests.unit.stub_server import Reply, stub_server

CONTRACT = b"""\
apiVersion: chainloop.dev/v1
kind: Contract
metadata: {name: shared}
spec:
  materials:
    - {name: version, type: STRING}
"""
STRICTER = CONTRACT + b"    - {name: ticket, type: STRING}\n"
YAML = {"Content-Type": "application/yaml"}
DATE = to_text(EPOCH + timedelta(days=14))
TEAMS = 12
READY = 2
"""So many add the ticket before anybody asks for it."""


@pytest.fixture
def world(services: Services, client: FlaskClient, acme: Tenant, clock: Clock) -> Iterator[ForgeWorld]:
    with checked_github(clock=clock) as forge:
        yield ForgeWorld(services, client, acme, forge)


@pytest.fixture
def teams(world: ForgeWorld, key: Key, api: Any) -> list[Job]:
    """Return the teams of a monorepo; each has attested its workflow's last success."""
    world.operator.put("/contracts/shared", data=CONTRACT, headers=YAML)
    register_key(api, world.tenant, key, organizationWide=True)
    found = []
    for number in range(TEAMS):
        name = f"w{number:02}"
        body = {"name": name, "project": "many", "contract": "shared", "team": f"team-{number}"}
        world.tenant.workflows[f"many/{name}"] = world.operator.post("/workflows", json=body).json["id"]
        job = Job(api(world.tenant.token("attest")), world.tenant, key, contract=CONTRACT, workflow=f"many/{name}")
        job = replace(job, revision=1)
        attest_alone(job, is_ready=number < READY)
        found.append(job)
    return found


def attest_alone(job: Job, *, is_ready: bool = False) -> None:
    """Attest, wherever that is."""
    own = replace(job, run_id=str(uuid.uuid4()), handle=uuid.uuid4().hex, materials={})
    assert own.begin().status_code == 201
    own.add_string("version", "1.2.3")
    if is_ready:
        own.add_string("ticket", "T-1")
    pushed = own.push(own.key.bundle(own.payload(name_contract)))
    assert pushed.status_code in (200, 201), pushed.text


def name_contract(statement: dict[str, Any]) -> None:
    statement["predicate"]["metadata"]["contractName"] = "shared"


@pytest.fixture
def monorepo(world: ForgeWorld, teams: list[Job]) -> ForgeWorld:
    world.register("many/w00")
    for job in teams[1:]:
        world.bind(job.workflow, f".github/workflows/{job.workflow.partition('/')[2]}.yml")
    allow_names(world)
    return world


def allow_names(world: ForgeWorld) -> None:
    """Let the server know that the repository is private."""
    with world.services.database.write() as connection:
        connection.exec_driver_sql("UPDATE sources SET is_public = FALSE")


def tighten(world: ForgeWorld, raw: bytes = STRICTER) -> None:
    answer = world.operator.put(f"/contracts/shared?enforceFrom={DATE}", data=raw, headers=YAML)
    assert answer.status_code == 200, answer.text
    world.settle()


def issues(world: ForgeWorld) -> list[Issue]:
    return list(world.repository.issues.values())


@pytest.fixture
def sweep(services: Services) -> Callable[[], bool]:
    """Do what the dispatcher sweeps, among it the notices."""
    dispatcher = build_dispatcher(services.config, services.world, services.database, services.transport, holder="one")
    return lambda: dispatcher.run(only_due=False)


def test_r38_a_monorepo_gets_one_issue_that_names_every_team_once(monorepo: ForgeWorld) -> None:
    tighten(monorepo)

    (issue,) = issues(monorepo)
    body = issue.body or ""
    assert "2026-12-04" in issue.title
    assert [body.count(f"(team team-{number})") for number in range(TEAMS)] == [0] * READY + [1] * (TEAMS - READY)
    assert body.count("the material ticket (STRING) is required and was not added") == TEAMS - READY
    assert "chainloop attestation add --name ticket" in body


def test_r38_nobody_is_told_twice(monorepo: ForgeWorld, sweep: Callable[[], bool]) -> None:
    tighten(monorepo)

    again = monorepo.operator.put("/contracts/shared", data=STRICTER, headers=YAML)
    sweep()
    monorepo.settle()

    assert again.status_code == 200
    assert len(monorepo.events("contract.announced")) == 1
    assert len(issues(monorepo)) == 1
    assert not issues(monorepo)[0].comments


def test_r38_who_was_told_of_one_revision_is_told_of_the_next_one_too(monorepo: ForgeWorld) -> None:
    tighten(monorepo)

    tighten(monorepo, STRICTER + b"    - {name: licence, type: STRING}\n")

    announced = monorepo.events("contract.announced")
    told = [(event.facts["revision"], len(event.facts["workflows"])) for event in announced]
    assert told == [(2, TEAMS - READY), (3, TEAMS)]


def test_r38_of_two_revisions_that_wait_the_one_that_was_just_applied_is_announced(
    monorepo: ForgeWorld, services: Services
) -> None:
    later = to_text(EPOCH + timedelta(days=21))
    monorepo.operator.put(f"/contracts/shared?enforceFrom={DATE}", data=STRICTER, headers=YAML)
    monorepo.operator.put(f"/contracts/shared?enforceFrom={later}", data=STRICTER + b"# again\n", headers=YAML)
    announcer = Announcer(services.database, services.world.now, services.world.new_id)
    (revised,) = [event for event in monorepo.events("contract.revised") if event.facts["revision"] == 3]

    with services.database.read() as connection:
        announcer.follow(connection, revised)
    announcer.announce_due()

    assert [event.facts["revision"] for event in monorepo.events("contract.announced")] == [3]


def test_r38_nobody_is_told_of_a_revision_that_is_enforced_at_once(
    monorepo: ForgeWorld, sweep: Callable[[], bool]
) -> None:
    assert monorepo.operator.put("/contracts/shared", data=STRICTER, headers=YAML).status_code == 200

    monorepo.settle()
    sweep()
    monorepo.settle()

    assert monorepo.events("contract.announced") == []


def test_r38_of_two_that_found_the_same_teams_untold_one_tells_them(monorepo: ForgeWorld, services: Services) -> None:
    monorepo.operator.put(f"/contracts/shared?enforceFrom={DATE}", data=STRICTER, headers=YAML)
    (revised,) = [event for event in monorepo.events("contract.revised") if event.facts["revision"] == 2]
    with services.database.read() as connection:
        found = notices.find_untold(connection, monorepo.tenant.id, revised.subject, 2)

    with services.database.write() as connection:
        told = [notices.mark_told(connection, found, services.world.now()) for _ in range(2)]

    assert len(found) == TEAMS - READY
    assert told == [found, []]


def test_r38_nobody_is_told_of_a_revision_that_a_newer_one_has_overtaken(
    monorepo: ForgeWorld, sweep: Callable[[], bool]
) -> None:
    monorepo.operator.put(f"/contracts/shared?enforceFrom={DATE}", data=STRICTER, headers=YAML)
    taken_back = monorepo.operator.put("/contracts/shared", data=CONTRACT + b"# as before\n", headers=YAML)

    monorepo.settle()
    sweep()
    monorepo.settle()

    assert taken_back.json["revision"] == 3, taken_back.text
    assert monorepo.events("contract.announced") == []
    assert issues(monorepo) == []


def test_r38_who_attests_for_the_first_time_before_the_date_is_told_in_the_same_issue(
    monorepo: ForgeWorld, teams: list[Job], sweep: Callable[[], bool], clock: Clock
) -> None:
    body = {"name": "late", "project": "many", "contract": "shared", "team": "newcomers"}
    monorepo.tenant.workflows["many/late"] = monorepo.operator.post("/workflows", json=body).json["id"]
    monorepo.bind("many/late", ".github/workflows/late.yml")
    tighten(monorepo)

    attest_alone(replace(teams[0], workflow="many/late"))
    sweep()
    monorepo.settle()

    (issue,) = issues(monorepo)
    (comment,) = issue.comments.values()
    assert "newcomers" in comment.body
    assert "newcomers" not in (issue.body or "")


def test_r38_an_issue_whose_answer_was_lost_is_not_written_again(monorepo: ForgeWorld) -> None:
    tighten(monorepo)
    (sent,) = [item for item in monorepo.admin.get("/deliveries?limit=200").json["items"] if item["part"] == "notice"]
    with monorepo.services.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM lane_memories")

    assert monorepo.operator.post(f"/deliveries/{sent['id']}/replay").status_code == 200
    monorepo.settle()

    assert len(issues(monorepo)) == 1


def test_r47_an_issue_in_a_public_repository_names_no_material(monorepo: ForgeWorld) -> None:
    with monorepo.services.database.write() as connection:
        connection.exec_driver_sql("UPDATE sources SET is_public = TRUE")

    tighten(monorepo)

    (issue,) = issues(monorepo)
    assert "ticket" not in (issue.body or "")
    assert "many/w05" in (issue.body or "")


def test_a_team_that_switched_issues_off_is_told_by_webhook_alone(world: ForgeWorld, teams: list[Job]) -> None:
    world.settings = {"notices": "off"}
    world.register("many/w05")
    with stub_server() as receiver:
        receiver.replies = [Reply(204)]
        assert register(world.admin, receiver).status_code == 201
        assert attach(world.admin, events=["contract.announced"]).status_code == 201

        tighten(world)

        bodies = [body for _, body in told(receiver)]
    named = {item["name"] for body in bodies for item in body["data"]["facts"]["workflows"]}
    assert not issues(world)
    assert named == {f"w{number:02}" for number in range(READY, TEAMS)}
    assert {body["type"] for body in bodies} == {"contract.announced"}


def test_r38_whoever_is_attached_to_the_only_workflow_or_project_that_is_told_of_hears_of_it(
    world: ForgeWorld, teams: list[Job]
) -> None:
    world.settings = {"notices": "off"}
    world.register("many/w05")

    tighten(world)

    told = {event.workflow_id: event.project_id for event in world.events("contract.announced")}
    assert set(told) == {None, world.tenant.workflows["many/w05"]}
    assert len(set(told.values())) == 1
    assert None not in told.values()


def test_r38_an_open_pull_request_says_what_will_be_required_and_fails_only_after_the_date(
    monorepo: ForgeWorld, teams: list[Job], clock: Clock
) -> None:
    pull = monorepo.propose()
    run = monorepo.forge.start_run(monorepo.repository, CI_FILE, monorepo.sha, "pull_request", pulls=[pull])
    job = job_of(teams[0], monorepo.forge.url, run, monorepo.sha, "pull_request", pull)
    monorepo.settle()
    assert job.begin(ci=job.ci_claim).status_code == 201
    job.add_string("version", "1.2.3")
    assert job.push(job.key.bundle(job.payload(name_contract))).status_code in (200, 201)
    monorepo.settle()
    monorepo.forge.finish_run(run)
    context = "chainloop/many/w00"
    monorepo.settle()
    before = monorepo.forge.statuses(monorepo.sha, context)[-1]

    tighten(monorepo)
    clock.advance(seconds=2)
    monorepo.settle()

    upcoming = monorepo.forge.statuses(monorepo.sha, context)[-1]
    assert before.state == upcoming.state == "success"
    assert "ticket" in upcoming.description
    assert "ticket" not in before.description
