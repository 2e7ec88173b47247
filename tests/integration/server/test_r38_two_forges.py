"""R38 through the forges: two hundred workflows on one contract, a material with a date, killed dispatchers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from chainloop_ci.attestation.times import render_time
from server.dispatch_wiring import build_dispatcher
from server.dispatcher.couriers import Couriers
from server.services.announcing import Announcer
from server.services.fan_out import FanOut
from server.services.judging import Judge
from server.wiring import Services
from tests.forges.checked import checked_github, checked_gitlab
from tests.integration.live import Answer, CommandLine
from tests.integration.server.chromium import serve
from tests.integration.server.conftest import EPOCH, Clock, Tenant
from tests.integration.server.jobs import Key, register_key
from tests.integration.server.judged import CI_FILE
from tests.integration.server.receivers import TAKEN, told
from tests.integration.server.two_forges import GITLAB_FILE, PLACES, KilledError, Team, TwoForges
from tests.unit.stub_server import stub_server

CONTRACT = """\
apiVersion: chainloop.dev/v1
kind: Contract
metadata: {name: shared}
spec:
  materials:
    - {name: version, type: STRING}
"""
STRICTER = CONTRACT + "    - {name: ticket, type: STRING}\n"
WORKFLOW = """\
---
apiVersion: chainloop.dev/v1
kind: Workflow
metadata: {{name: {name}}}
spec: {{project: many, team: team-{number}-, contract: shared, source: {{repository: '{source}', ciFile: {file}}}}}
"""
DATE = render_time(EPOCH + timedelta(days=14))
TEAMS = [Team(number, number % len(PLACES), is_ready=number < 20) for number in range(200)]
LACKING = sorted(team.number for team in TEAMS if not team.is_ready)
RED = {"failure", "error", "failed", "canceled"}


@pytest.fixture
def world(services: Services, client: FlaskClient, acme: Tenant, clock: Clock) -> Iterator[TwoForges]:
    with checked_github(clock=clock) as github, checked_gitlab(clock=clock) as gitlab, stub_server() as receiver:
        receiver.replies = [TAKEN] * 50
        yield TwoForges(services, client, acme, github, gitlab, receiver)


class Folder:
    """The files that say which contract and workflows there are, and the command that makes it so."""

    def __init__(self, folder: Path, app: Flask, secret: str) -> None:
        self._folder, self._app, self._secret = folder, app, secret
        folder.mkdir()

    def write(self, world: TwoForges) -> None:
        """Write everything."""
        self.demand(CONTRACT)
        urls = [f"github:{world.github.url}"] * 2 + [f"gitlab:{world.gitlab.url}"] * 2
        files = [CI_FILE] * 2 + [GITLAB_FILE] * 2
        documents = [
            WORKFLOW.format(
                name=team.workflow,
                number=team.number,
                source=f"{urls[team.place]}/{PLACES[team.place]}",
                file=files[team.place],
            )
            for team in TEAMS
        ]
        (self._folder / "workflows.yaml").write_text("".join(documents))

    def demand(self, contract: str) -> None:
        """Write the contract."""
        (self._folder / "contract.yaml").write_text(contract)

    def apply(self, *words: str) -> Answer:
        """Run `chainloop apply`."""
        with serve(self._app) as url:
            env = {"CHAINLOOP_CONTROL_PLANE_API": url, "CHAINLOOP_TOKEN": self._secret}
            answer = CommandLine(self._folder.parent, env)("apply", "-f", self._folder.name, "-o", "json", *words)
        assert answer.status == 0, answer.stderr
        return answer


@pytest.fixture
def folder(world: TwoForges, app: Flask, tmp_path: Path, key: Key) -> Folder:
    """Return the folder, applied: everybody attests a proposed change as the contract asks."""
    made = Folder(tmp_path / "wanted", app, world.tenant.token("operate"))
    made.write(world)
    made.apply()
    for item in _workflows(world):
        world.tenant.workflows[f"many/{item['name']}"] = item["id"]
    register_key(lambda secret: world.admin, world.tenant, key, organizationWide=True)
    world.watch()
    world.propose()
    for team in TEAMS:
        team.attest(world, key, CONTRACT.encode())
    for place in world.places:
        place.end_ci()
    world.settle()
    return made


def test_r38_nothing_is_red_before_the_date_all_that_lack_it_are_after_and_each_team_is_told_once(
    world: TwoForges, folder: Folder, clock: Clock, services: Services
) -> None:
    attested = said(world)
    folder.demand(STRICTER)
    tried = folder.apply("--enforce-from", DATE, "--dry-run")
    folder.apply("--enforce-from", DATE)
    lose_dispatchers(world, clock)
    again = folder.apply("--enforce-from", DATE)
    clock.advance(minutes=10)
    sweep(services)
    world.settle()
    before = said(world)
    clock.advance(days=15)
    sweep(services)
    world.settle()
    after = said(world)

    assert {state for state, _ in attested.values()} == {"success"}
    assert [item for item in tried.document["items"] if item["result"] != "unchanged"] == [DATED]
    assert Counter(item["result"] for item in again.document["items"]) == {"unchanged": 201}
    assert {state for state, _ in before.values()} == {"success"}
    assert {number for number, (_, text) in before.items() if UPCOMING.search(text)} == set(LACKING)
    assert {number for number, (state, _) in after.items() if state in RED} == set(LACKING)
    assert {after[number] for number in LACKING} <= {("failure", SINCE), ("failed", SINCE)}
    assert {number: after[number] for number in after if number not in LACKING} == {
        number: attested[number] for number in after if number not in LACKING
    }
    assert_nothing_was_red_before(world)
    assert_each_team_was_told_once(world)


DATED = {
    "kind": "contract",
    "name": "shared",
    "result": "changed",
    "revision": 2,
    "enforcedFrom": DATE,
    "warnings": [],
}
UPCOMING = re.compile(r"required from 2026-12-04 12:00 UTC by rev 2, missing: ticket")
SINCE = "missing: ticket; required since 2026-12-04 12:00 UTC by rev 2"


def said(world: TwoForges) -> dict[int, tuple[str, str]]:
    """Return what is shown of every team's workflow on the proposed change: state and description."""
    return {team.number: world.places[team.place].statuses(team.context)[-1] for team in TEAMS}


def assert_nothing_was_red_before(world: TwoForges) -> None:
    for team in TEAMS:
        states = [state for state, _ in world.places[team.place].statuses(team.context)]
        assert not RED & set(states[:-1]), (team, states)


def assert_each_team_was_told_once(world: TwoForges) -> None:
    issues = [place.issues() for place in world.places]
    messages = {seen.headers["webhook-id"]: body for seen, body in told(world.receiver)}
    named = [item["team"] for body in messages.values() for item in body["data"]["facts"]["workflows"]]

    assert [len(each) for each in issues] == [1] * len(PLACES)
    for at, [text] in enumerate(issues):
        own = sorted(team.number for team in TEAMS if team.place == at and not team.is_ready)
        assert sorted(int(number) for number in re.findall(r"team-([0-9]+)-", text)) == own
    assert sorted(named) == sorted(f"team-{number}-" for number in LACKING)


def lose_dispatchers(world: TwoForges, clock: Clock) -> None:
    """Kill a dispatcher that has heard of the revision before it tells anybody, and each that tells somebody."""
    services, now, new_id = world.services, world.services.world.now, world.services.world.new_id
    judge = Judge(services.database, now, new_id, public_url=services.config.public_url)
    # What the announcer has noted for afterwards is gone with it.
    follow = (judge.follow, Announcer(services.database, now, new_id).follow)
    while FanOut(services.database, now, new_id, integrations=services.world.integrations, follow=follow).tell_some():
        continue
    sweep(services)
    kills = 0
    while is_killed(world.start_doomed_dispatcher()):
        kills += 1
        # Until the leases of what it was at have ended.
        clock.advance(minutes=2)
    world.couriers = world.start_dispatcher()
    world.settle()
    # Every notice was sent by a dispatcher that could not write that down: to each repository, and to the receiver.
    assert (len(world.killed_at), kills > 0) == (2 * len(PLACES), True)


def is_killed(couriers: Couriers) -> bool:
    """Let a dispatcher work until there is nothing to do, and tell whether it was killed before."""
    try:
        couriers.run_until_idle()
    except KilledError:
        return True
    return False


def sweep(services: Services) -> None:
    """Do what the dispatcher does from time to time, in a process of its own."""
    dispatcher = build_dispatcher(services.config, services.world, services.database, services.transport, holder="two")
    assert dispatcher.run(only_due=False)


def _workflows(world: TwoForges) -> Iterator[dict[str, str]]:
    cursor = ""
    while True:
        page = world.admin.get(f"/workflows?project=many&limit=200{cursor}").json
        yield from page["items"]
        if not page.get("nextCursor"):
            return
        cursor = f"&cursor={page['nextCursor']}"
