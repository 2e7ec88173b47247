"""R38 against the whole server: what a contract would mean, who is told once, and the moment of enforcement."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from server.store.database import Database
from server.wiring import Services
from tests.integration.server.conftest import Tenant
from tests.integration.server.jobs import CONTRACT, Job, put_contract

STRICTER = CONTRACT.replace(b"  envAllowList:", b"    - {name: scan, type: SARIF}\n  envAllowList:")
YAML = {"Content-Type": "application/yaml"}
IMPACT = "/contracts/app-build/impact"


@pytest.fixture
def attested(job: Job) -> Job:
    job.begin()
    job.add_everything()
    assert job.push().status_code == 201
    return job


@pytest.fixture
def judge(api: Any, acme: Tenant) -> Callable[..., Any]:
    def judge(contract: bytes = STRICTER, role: str = "operate", query: str = "") -> Any:
        return api(acme.token(role)).post(f"{IMPACT}{query}", data=contract, headers=YAML)

    return judge


def dump(database: Database) -> list[str]:
    """Return every row of the tables that a judgement could touch."""
    tables = ("contracts", "contract_revisions", "attestations", "workflow_runs", "audit_records", "contract_notices")
    with database.read() as connection:
        return [str(tuple(row)) for name in tables for row in connection.execute(text(f"SELECT * FROM {name}"))]


def test_r38_impact_judges_the_last_successful_attestation_and_stores_nothing(
    attested: Job, judge: Any, services: Services
) -> None:
    before = dump(services.database)

    found = judge().json["items"]

    (item,) = found
    assert (item["project"], item["workflow"], item["outcome"]) == ("app", "build", "not-met")
    assert (item["runId"], item["contractRevision"]) == (attested.run_id, 2)
    assert [finding["message"] for finding in item["findings"]] == [
        "the material scan (SARIF) is required and was not added"
    ]
    assert dump(services.database) == before


def test_r38_impact_says_who_would_meet_it(attested: Job, judge: Any) -> None:
    (item,) = judge(CONTRACT + b"# said anew\n").json["items"]

    assert (item["outcome"], item["findings"]) == ("met", [])


def test_r38_impact_takes_no_failed_open_or_distrusted_run(attested: Job, judge: Any, services: Services) -> None:
    for ended in (True, False):
        later = replace(attested, run_id=str(uuid.uuid4()), materials={})
        later.begin()
        if ended:
            later.end()

    after_others = judge().json["items"][0]["runId"]
    with services.database.write() as connection:
        connection.execute(text("UPDATE workflow_runs SET distrusted_at = '2026-11-20'"))
    after_distrust = judge().json["items"][0]

    assert after_others == attested.run_id
    assert (after_distrust["outcome"], after_distrust.get("runId")) == ("no-attestation", None)


def test_r38_impact_shows_a_variable_that_no_attestation_has(attested: Job, judge: Any) -> None:
    (item,) = judge(CONTRACT.replace(b"[DEPLOY_TARGET]", b"[DEPLOY_TARGET, REGION]")).json["items"]

    assert [finding["code"] for finding in item["findings"]] == ["missing-variable"]


def test_r38_impact_of_a_broken_text_says_all_that_is_wrong(attested: Job, judge: Any) -> None:
    refused = judge(CONTRACT.replace(b"type: STRING", b"type: STRNG"))

    assert (refused.status_code, refused.json["code"]) == (422, "contract-invalid")


def test_r38_impact_keeps_to_the_scope_and_to_readers(attested: Job, judge: Any, api: Any, acme: Tenant) -> None:
    use = {"contract": "app-build"}
    api(acme.token("operate")).patch(f"/workflows/{acme.workflows['other/build']}", json=use)

    own = api(acme.token("operate", "project")).post(IMPACT, data=STRICTER, headers=YAML)

    assert [item["project"] for item in judge(role="read").json["items"]] == ["app", "other"]
    assert [item["project"] for item in own.json["items"]] == ["app"]
    assert judge(role="attest").status_code == 403


def test_r38_impact_of_another_organizations_contract_is_not_found(
    attested: Job, api: Any, acme: Tenant, rival: Tenant
) -> None:
    stranger = api(rival.token("operate"))
    put_contract(api, acme, CONTRACT.replace(b"app-build", b"own"), "own")

    unknown = stranger.post("/contracts/own/impact", data=CONTRACT.replace(b"app-build", b"own"), headers=YAML)
    namesake = stranger.post(IMPACT, data=STRICTER, headers=YAML)

    assert unknown.status_code == 404
    assert [item["outcome"] for item in namesake.json["items"]] == ["no-attestation"]
