"""R38 with two hundred workflows on one contract: nothing is red before the date, all that lack it are after."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import Connection

from server.model.notices import Notice
from server.model.principal import Reach
from server.services import notices
from server.store import contract_users, contracts
from server.wiring import Services
from tests.integration.server.conftest import Clock, Tenant
from tests.integration.server.jobs import Job, Key, register_key
from tests.integration.server.plans import Plans, whole_tables_and_sorts

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
DATE = "2026-12-04T12:00:00Z"
TEAMS = 200
READY = 20
"""So many add the ticket before anybody asks for it."""


@dataclass(frozen=True)
class Team:
    """A team with a workflow of its own."""

    job: Job
    is_ready: bool

    def attest(self, revision: int) -> str:
        """Attest once and return the state, or the code of the refusal."""
        raw = CONTRACT if revision == 1 else STRICTER
        job = replace(self.job, run_id=str(uuid.uuid4()), materials={}, contract=raw, revision=revision)
        begun = job.begin()
        if begun.status_code != 201:
            return str(begun.json["code"])
        job.add_string("version", "1.2.3")
        if self.is_ready:
            job.add_string("ticket", "T-1")
        pushed = job.push(job.key.bundle(job.payload(_name_contract)))
        return str(pushed.json.get("state", pushed.json.get("code")))


def contract_id(connection: Connection, tenant: Tenant) -> str:
    found = contracts.find_by_name(connection, tenant.id, "shared")
    assert found
    return found.id


def _name_contract(statement: dict[str, Any]) -> None:
    statement["predicate"]["metadata"]["contractName"] = "shared"


@pytest.fixture
def operator(api: Any, acme: Tenant) -> Any:
    return api(acme.token("operate"))


@pytest.fixture
def teams(api: Any, acme: Tenant, key: Key, operator: Any) -> list[Team]:
    """Return two hundred teams that use one contract; nobody has attested yet."""
    operator.put("/contracts/shared", data=CONTRACT, headers=YAML)
    register_key(api, acme, key, organizationWide=True)
    found = []
    for number in range(TEAMS):
        name = f"w{number:03}"
        body = {"name": name, "project": "many", "contract": "shared", "team": f"team-{number}"}
        acme.workflows[f"many/{name}"] = operator.post("/workflows", json=body).json["id"]
        job = Job(api(acme.token("attest")), acme, key, contract=CONTRACT, workflow=f"many/{name}")
        found.append(Team(job, is_ready=number < READY))
    return found


@pytest.fixture
def tell(services: Services, acme: Tenant, clock: Clock) -> Callable[[], list[Notice]]:
    """Return what tells the teams of the second revision, as the dispatcher does, and returns whom it told."""

    def tell() -> list[Notice]:
        with services.database.read() as connection:
            contract = contract_id(connection, acme)
            found = notices.find_untold(connection, acme.id, contract, 2)
        with services.database.write() as connection:
            return notices.mark_told(connection, found, clock())

    return tell


def test_r38_nothing_is_red_before_the_date_all_that_lack_it_are_after_and_each_team_is_told_once(
    teams: list[Team], operator: Any, clock: Clock, services: Services, tell: Callable[[], list[Notice]]
) -> None:
    first = Counter(team.attest(1) for team in teams)
    operator.put(f"/contracts/shared?enforceFrom={DATE}", data=STRICTER, headers=YAML)
    told, again = tell(), tell()
    before = Counter(team.attest(1) for team in teams)
    clock.advance(days=14)
    with services.database.write() as connection:
        passed = notices.notice_passed(connection, clock())
        passed_again = notices.notice_passed(connection, clock())
    after = Counter(team.attest(2) for team in teams)
    kept_pin = Counter(team.attest(1) for team in teams[:3])

    assert first == before == {"success": TEAMS}
    assert sorted(item.team for item in told) == sorted(f"team-{number}" for number in range(READY, TEAMS))
    assert {(item.requirements[0].message, item.requirements[0].hint) for item in told} == {
        (
            "the material ticket (STRING) is required and was not added",
            "chainloop attestation add --name ticket --value <text>",
        )
    }
    assert again == []
    assert [(item.contract, item.revision) for item in passed] == [("shared", 2)]
    assert passed_again == []
    assert after == {"success": READY, "attestation-refused": TEAMS - READY}
    assert kept_pin == {"contract-not-met": 3}


@pytest.mark.engine("sqlite")
def test_r38_impact_on_two_hundred_workflows_is_one_page_that_walks_indexes(
    teams: list[Team], operator: Any, services: Services, acme: Tenant
) -> None:
    for team in teams[:30]:
        team.attest(1)

    page = operator.post("/contracts/shared/impact?limit=200", data=STRICTER, headers=YAML).json
    pages = _walk(operator, limit=70)
    with services.database.read() as connection, Plans(connection) as plans:
        contract = contract_id(connection, acme)
        contract_users.list_page(connection, Reach(acme.id), contract, after=("many", "w010"), limit=200)
        steps = plans.steps()

    assert Counter(item["outcome"] for item in page["items"]) == {"met": 20, "not-met": 10, "no-attestation": 170}
    assert [item["workflow"] for item in page["items"]] == [f"w{number:03}" for number in range(TEAMS)]
    assert pages == page["items"]
    assert any("ix_runs_workflow " in step for step in steps), steps
    assert not [step for step in whole_tables_and_sorts(steps) if "workflow_runs" in step]


def _walk(operator: Any, limit: int) -> list[Any]:
    items: list[Any] = []
    cursor = ""
    while True:
        page = operator.post(f"/contracts/shared/impact?limit={limit}{cursor}", data=STRICTER, headers=YAML).json
        items += page["items"]
        if "nextCursor" not in page:
            return items
        cursor = f"&cursor={page['nextCursor']}"
