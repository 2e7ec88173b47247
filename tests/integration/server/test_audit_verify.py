"""What the control plane accepts verifies in an audit file, whatever kind of run it was; and the file ends its lies."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chainloop_ci.api.audit_export import KINDS, ExportPage
from chainloop_ci.api.record import from_dict
from chainloop_ci.audit.file import opened
from chainloop_ci.audit.verify import Report, verify_file
from chainloop_ci.signing.public_keys import load_public_key
from tests.integration.server.conftest import Clock, Tenant
from tests.integration.server.jobs import CONTRACT, Job, put_contract

NOW = "2026-11-20T12:00:00Z"
ABOUT = {"format": "1", "organization_id": "acme", "project": "", "since": "", "until": ""}


@pytest.fixture
def verified(api: Any, acme: Tenant, tmp_path: Path) -> Callable[[], Report]:
    """Return what exports everything into a file and verifies it."""
    path = tmp_path / "audit.db"

    def export_and_verify() -> Report:
        with opened(path) as file:
            file.begin(ABOUT, ABOUT)
            for kind in KINDS:
                cursor, seen = file.cursor(kind.name) if kind.goes_on else None, set[str]()
                while True:
                    query = {"limit": 200, **({"cursor": cursor} if cursor else {})}
                    answer = api(acme.token("admin")).get(f"/audit-export/{kind.name}", query_string=query)
                    page = from_dict(ExportPage, answer.json)
                    seen |= file.take(kind, page)[1]
                    if page.is_complete:
                        break
                    cursor = page.cursor
                if not kind.goes_on:
                    file.mark_gone(kind, frozenset(seen), NOW)
            file.complete(NOW)
        return verify_file(path, load_public_key, None)

    return export_and_verify


def test_an_attested_run_verifies(verified: Callable[[], Report], job: Job) -> None:
    job.begin()
    job.add_everything()
    assert job.push().status_code == 201

    report = verified()

    assert (report.findings, report.attestations) == ((), 1)


def test_an_annotation_that_the_contract_asks_of_a_material_is_seen(
    verified: Callable[[], Report], job: Job, api: Any, acme: Tenant
) -> None:
    asking = CONTRACT.replace(b"type: STRING}", b"type: STRING, annotations: [{name: reviewer}]}")
    put_contract(api, acme, asking)
    held = replace(job, contract=asking, revision=3)
    held.begin()
    held.add_everything()
    held.replace_material("version", annotations={"reviewer": "somebody"})
    stored = held.push()
    assert stored.status_code == 201, stored.text

    assert verified().findings == ()


def test_r4_an_unsigned_attestation_is_there_and_is_no_success(
    verified: Callable[[], Report], job: Job, api: Any, acme: Tenant, tmp_path: Path
) -> None:
    api(acme.token("admin")).patch("/organizations/acme", json={"acceptUnsigned": True})
    job.begin()
    job.add_everything()
    bundle = job.key.bundle(job.payload())
    document = json.loads(bundle)
    document["dsseEnvelope"]["signatures"] = []
    assert job.push(json.dumps(document).encode()).status_code == 201

    report = verified()

    assert report.findings == ()
    with closing(sqlite3.connect(tmp_path / "audit.db")) as connection, connection:
        assert connection.execute("SELECT state FROM workflow_runs").fetchall() == [("error",)]


def test_r20_a_late_run_verifies(verified: Callable[[], Report], job: Job) -> None:
    assert job.begin(late=True).status_code == 201
    job.add_everything()
    assert job.push().status_code == 201

    assert verified().findings == ()


def test_r20_a_late_run_of_a_job_that_knew_neither_its_organization_nor_the_newest_contract_verifies(
    verified: Callable[[], Report], job: Job, api: Any, acme: Tenant
) -> None:
    newer = CONTRACT + b"# the same, said anew\n"
    put_contract(api, acme, newer)
    assert replace(job, contract=newer, revision=3).begin(late=True).status_code == 201
    job.add_everything()

    def forget(document: dict[str, Any]) -> None:
        for name in ("organization", "workflowID"):
            del document["predicate"]["metadata"][name]

    stored = job.push(job.key.bundle(job.payload(forget)))
    assert stored.status_code == 201, stored.text

    assert verified().findings == ()


def test_r16_a_successor_verifies_with_the_pin_of_its_predecessor(
    verified: Callable[[], Report], job: Job, api: Any, acme: Tenant, clock: Clock
) -> None:
    job.begin(stateLocation="shared")
    job.add_everything()
    job.keep(b"sealed")
    job.end()
    clock.advance(minutes=1)
    put_contract(api, acme, CONTRACT + b"# the same, said anew\n")
    run = job.succeed(2).json
    second = replace(job, run_id=run["id"], ci=replace(job.ci, run_attempt=2))
    stored = second.push()
    assert stored.status_code == 201, stored.text

    report = verified()

    assert (report.findings, report.attestations) == ((), 1)


def test_a_key_that_was_retired_later_verifies_what_it_signed_before(
    verified: Callable[[], Report], job: Job, api: Any, acme: Tenant, clock: Clock
) -> None:
    job.begin()
    job.add_everything()
    job.push()
    clock.advance(hours=1)
    (key,) = api(acme.token("admin")).get("/verification-keys").json["items"]
    api(acme.token("admin")).post(f"/verification-keys/{key['id']}/retire")

    assert verified().findings == ()


def test_a_refused_store_and_a_run_without_attestation_are_no_differences(
    verified: Callable[[], Report], job: Job, tmp_path: Path
) -> None:
    job.begin()
    job.add_everything()
    assert job.push(b"{}").status_code == 422

    report = verified()

    assert (report.findings, report.attestations) == ((), 0)
    with closing(sqlite3.connect(tmp_path / "audit.db")) as connection:
        assert connection.execute("SELECT count(*) FROM findings_of_refused_stores").fetchone()[0] > 0


def test_a_workflow_that_was_deleted_stays_in_the_file(
    verified: Callable[[], Report], api: Any, acme: Tenant, tmp_path: Path
) -> None:
    verified()
    assert api(acme.token("operate")).delete(f"/workflows/{acme.workflows['app/deploy']}").status_code == 204

    report = verified()

    assert report.findings == ()
    with closing(sqlite3.connect(tmp_path / "audit.db")) as connection:
        gone = connection.execute("SELECT row_key FROM export_rows WHERE gone_at IS NOT NULL").fetchall()
    assert gone == [(f'["{acme.workflows["app/deploy"]}"]',)]
