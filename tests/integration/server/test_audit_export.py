"""The audit export's answers on a real database of each engine: whole, bounded, going on, and without a secret."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from chainloop_ci.api.audit_export import KINDS
from chainloop_ci.digests import sha256_digest
from server.model.audit import AuditAction, AuditRecord
from server.model.events import Event, EventKind
from server.store import audit, audit_export, deliveries, events
from server.store.times import to_text
from server.wiring import Services
from tests.integration.server.audit_reading import Read, of, reader_of
from tests.integration.server.conftest import EPOCH, Clock, Tenant
from tests.integration.server.jobs import Job
from tests.integration.server.telling import Sink, attach, couriers, integration

LATER = {"hours": 2}
"""Beyond what clocks may differ."""


@pytest.fixture
def read(api: Any, acme: Tenant) -> Read:
    return reader_of(api, acme)


@pytest.fixture
def attested(job: Job) -> Job:
    job.begin()
    job.add_everything()
    assert job.push().status_code == 201
    return job


@pytest.fixture
def audited(services: Services, acme: Tenant) -> Callable[[int], None]:
    """Return what writes audit records."""

    def write(count: int) -> None:
        with services.database.write() as connection:
            for number in range(count):
                record = AuditRecord(acme.id, EPOCH, "server", AuditAction.TOKEN_CREATED, f"subject {number}")
                audit.add(connection, record)

    return write


def test_an_administrator_may_export_every_kind(api: Any, acme: Tenant) -> None:
    found = api(acme.token("admin")).get("/audit-export").json

    assert found["kinds"] == [kind.name for kind in KINDS]
    assert (found["organization"], found["organizationId"], found["withheld"]) == ("acme", acme.id, [])


@pytest.mark.parametrize("kind", ["audit-records", "api-tokens"])
def test_who_holds_rights_is_for_administrators_only(api: Any, acme: Tenant, kind: str) -> None:
    reader = api(acme.token("read"))

    assert kind in reader.get("/audit-export").json["withheld"]
    assert reader.get(f"/audit-export/{kind}").status_code == 403


@pytest.mark.parametrize("path", ["/audit-export", "/audit-export/runs"])
def test_a_token_of_one_project_exports_nothing(api: Any, acme: Tenant, path: str) -> None:
    assert api(acme.token("read", "project")).get(path).status_code == 403


def test_an_unknown_kind_is_not_found(api: Any, acme: Tenant) -> None:
    assert api(acme.token("admin")).get("/audit-export/passwords").status_code == 404


def test_a_run_comes_with_everything_that_belongs_to_it(read: Read, attested: Job) -> None:
    rows, _ = read("runs")

    assert Counter(item["table"] for item in rows)["workflow_runs"] == 1
    assert {row["name"] for row in of(rows, "run_materials")} == {entry.name for entry in attested.materials.values()}
    (attestation,) = of(rows, "attestations")
    assert attestation["run_id"] == attested.run_id


def test_the_bundle_comes_byte_for_byte(read: Read, attested: Job) -> None:
    import base64

    (attestation,) = of(read("runs")[0], "attestations")

    assert sha256_digest(base64.b64decode(attestation["bundle"])) == attestation["digest"]


def test_r44_no_page_of_any_kind_holds_a_secret(read: Read, attested: Job, services: Services, sink: Any) -> None:
    attach(services, attested.tenant)
    columns = {
        "api_tokens": "secret_sha256", "workflow_runs": "handle_sha256", "registrations": "settings",
        "workflows": "public_contract_id",
    }  # fmt: skip
    workflow = attested.tenant.workflows["app/build"]
    with services.database.write() as connection:
        connection.execute(text("UPDATE registrations SET sealed = 'sealed-text', settings = '{\"url\": \"hidden\"}'"))
        connection.execute(text(f"UPDATE workflows SET public_contract_id = '{uuid.uuid4()}' WHERE id = '{workflow}'"))
        secrets = {
            value
            for table, column in columns.items()
            for (value,) in connection.execute(text(f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL"))
        }

    whole = json.dumps([read(kind.name)[0] for kind in KINDS])

    assert len(secrets) > 4
    assert not [secret for secret in {*secrets, "sealed-text", "hidden", attested.handle} if secret in whole]


def test_nothing_of_another_organization_is_in_it(read: Read, rival: Tenant, attested: Job) -> None:
    whole = json.dumps([read(kind.name)[0] for kind in KINDS])

    assert rival.id not in whole
    assert not [ident for ident in (*rival.projects.values(), *rival.workflows.values()) if ident in whole]


def test_pages_are_bounded_and_leave_nothing_out(
    read: Read, audited: Callable[[int], None], api: Any, acme: Tenant
) -> None:
    audited(25)

    page = api(acme.token("admin")).get("/audit-export/audit-records?limit=10").json
    rows, _ = read("audit-records", limit=10)

    assert (len(page["rows"]), page["isComplete"]) == (10, False)
    assert [row["subject"] for row in of(rows, "audit_records")][-25:] == [f"subject {number}" for number in range(25)]


def test_a_cursor_leads_to_what_is_new_another_day(read: Read, audited: Callable[[int], None]) -> None:
    audited(3)
    _, cursor = read("audit-records")
    audited(2)

    rows, after = read("audit-records", cursor)

    assert [row["subject"] for row in of(rows, "audit_records")] == ["subject 0", "subject 1"]
    assert read("audit-records", after)[0] == []


def test_a_cursor_of_other_filters_is_refused(
    read: Read, api: Any, acme: Tenant, audited: Callable[[int], None]
) -> None:
    audited(1)
    _, cursor = read("audit-records")

    answer = api(acme.token("admin")).get(
        "/audit-export/audit-records", query_string={"cursor": cursor, "project": "app"}
    )

    assert answer.status_code == 422


def test_a_cursor_of_another_organization_or_kind_is_refused(
    read: Read, api: Any, acme: Tenant, rival: Tenant, audited: Callable[[int], None]
) -> None:
    audited(1)
    _, cursor = read("audit-records")

    rivals = api(rival.token("admin")).get("/audit-export/audit-records", query_string={"cursor": cursor})
    of_events = api(acme.token("admin")).get("/audit-export/events", query_string={"cursor": cursor})

    assert (rivals.status_code, of_events.status_code) == (422, 422)


def test_a_run_that_ends_is_handed_out_again(read: Read, job: Job) -> None:
    job.begin()
    rows, cursor = read("runs")
    assert [row["state"] for row in of(rows, "workflow_runs")] == ["initialized"]
    job.end()

    again, after = read("runs", cursor)

    assert [row["state"] for row in of(again, "workflow_runs")] == ["error"]
    assert read("runs", after)[0] == []


def test_a_run_that_changes_while_the_export_walks_is_not_missed(read: Read, api: Any, acme: Tenant, job: Job) -> None:
    job.begin()
    first = api(acme.token("admin")).get("/audit-export/runs").json
    job.end()

    rows, _ = read("runs", first["cursor"])

    assert [row["state"] for row in of(rows, "workflow_runs")] == ["error"]


def test_r39_a_run_that_is_distrusted_later_is_handed_out_again(
    read: Read, api: Any, acme: Tenant, attested: Job
) -> None:
    _, cursor = read("runs")
    body = {"kind": "distrust", "runId": attested.run_id, "reason": "the build host was broken into"}
    assert api(acme.token("operate")).post("/overrides", json=body).status_code == 201

    rows, _ = read("runs", cursor)

    assert of(rows, "workflow_runs")[0]["distrusted_at"] is not None


def test_many_changes_of_many_runs_come_once_each_page_and_end(
    read: Read, services: Services, acme: Tenant, job: Job
) -> None:
    job.begin()
    _, cursor = read("runs")
    with services.database.write() as connection:
        for _ in range(45):
            happened = Event(services.world.new_id(), acme.id, EventKind.HEAD_SEEN, EPOCH, "x", run_id=job.run_id)
            events.add(connection, happened)

    rows, after = read("runs", cursor, limit=10)

    assert len(of(rows, "workflow_runs")) == 5
    assert read("runs", after)[0] == []


def test_large_things_come_in_pages_of_their_own(
    read: Read, services: Services, acme: Tenant, api: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(audit_export, "PAGE_BYTES", 100)
    with services.database.write() as connection:
        for number in range(5):
            facts = {"text": "x" * 80, "number": number}
            happened = Event(services.world.new_id(), acme.id, EventKind.HEAD_SEEN, EPOCH, "large", facts=facts)
            events.add(connection, happened)

    page = api(acme.token("admin")).get("/audit-export/events").json
    rows, _ = read("events")

    assert page["isComplete"] is False
    assert len([row for row in of(rows, "events") if row["subject"] == "large"]) == 5


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def told(services: Services, acme: Tenant, sink: Sink) -> Iterator[Callable[[], None]]:
    """Return what lets something happen and tells it to a target."""
    attach(services, acme)

    def tell() -> None:
        with services.database.write() as connection:
            happened = Event(services.world.new_id(), acme.id, EventKind.RUN_INITIALIZED, services.world.now(), "run")
            events.add(connection, happened)
        couriers(services, integration(sink)).run_until_idle()

    return tell


def test_a_delivery_comes_with_its_attempts(read: Read, told: Callable[[], None]) -> None:
    told()

    rows, _ = read("deliveries")

    assert [row["state"] for row in of(rows, "deliveries")] == ["delivered"]
    assert [row["number"] for row in of(rows, "delivery_attempts")] == [1]


def test_deliveries_that_were_known_do_not_come_again(read: Read, told: Callable[[], None], clock: Clock) -> None:
    told()
    clock.advance(**LATER)
    _, cursor = read("deliveries")
    told()

    rows, _ = read("deliveries", cursor)

    assert len(of(rows, "deliveries")) == 1


def test_deliveries_that_were_known_do_not_come_again_after_a_day_without_any(
    read: Read, told: Callable[[], None], clock: Clock
) -> None:
    told()
    clock.advance(**LATER)
    _, cursor = read("deliveries")
    clock.advance(**LATER)

    rows, after = read("deliveries", cursor)

    assert (rows, read("deliveries", after)[0]) == ([], [])


def test_a_delivery_that_is_replayed_comes_again(
    read: Read, told: Callable[[], None], services: Services, acme: Tenant, clock: Clock
) -> None:
    told()
    clock.advance(**LATER)
    (before,) = of(read("deliveries")[0], "deliveries")
    _, cursor = read("deliveries")
    clock.advance(**LATER)
    with services.database.write() as connection:
        found = deliveries.find(connection, acme.id, before["id"])
        assert found is not None
        deliveries.save(connection, found.replayed(clock()))

    rows, after = read("deliveries", cursor)

    assert [row["state"] for row in of(rows, "deliveries")] == ["pending"]
    assert [row["state"] for row in of(read("deliveries", after)[0], "deliveries")] == ["pending"]


def test_an_export_of_a_project_has_nothing_of_the_others(read: Read, acme: Tenant, attested: Job) -> None:
    rows = [item for kind in KINDS for item in read(kind.name, project="other")[0]]

    assert [row["name"] for row in of(rows, "projects")] == ["other"]
    assert of(rows, "workflow_runs") == []
    assert acme.workflows["app/build"] not in json.dumps(rows)


def test_an_export_of_a_project_has_the_contracts_that_its_runs_pin(read: Read, attested: Job) -> None:
    (run,) = of(read("runs", project="app")[0], "workflow_runs")

    revisions = of(read("contract-revisions", project="app")[0], "contract_revisions")

    assert (run["contract_id"], run["contract_revision"]) in {
        (row["contract_id"], row["revision"]) for row in revisions
    }


def test_since_and_until_keep_to_what_began_then(read: Read, attested: Job) -> None:
    before, after = "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"

    assert len(of(read("runs", since=before, until=after)[0], "workflow_runs")) == 1
    assert read("runs", until=before)[0] == []
    assert read("runs", since=after)[0] == []


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
def test_every_kind_takes_every_filter(read: Read, attested: Job, kind: str) -> None:
    rows, _ = read(kind, project="app", since="2026-11-01T00:00:00Z", until="2026-12-01T00:00:00Z", limit=1)

    assert {item["table"] for item in rows} <= {
        table.name for item in KINDS if item.name == kind for table in item.tables
    }


def test_a_cursor_that_somebody_made_up_is_refused(api: Any, acme: Tenant) -> None:
    assert api(acme.token("admin")).get("/audit-export/runs?cursor=WyJhIl0").status_code == 422


@pytest.fixture
def webhook(services: Services, acme: Tenant, clock: Clock) -> Callable[[], str]:
    """Return what writes down a webhook that nobody has handled yet, and returns its id."""
    from server.model.inbound import ReceiverKind, StoredInbound
    from server.store import inbound

    def write() -> str:
        ident = services.world.new_id()
        digest = sha256_digest(ident.encode())
        came = StoredInbound(
            id=ident, organization_id=acme.id, scope=ident, receiver=ReceiverKind.GITHUB, source_id=None,
            delivery_id=ident, body_digest=digest, body_bytes=12, event="push", action=None, address="192.0.2.1",
            received_at=clock(),
        )  # fmt: skip
        with services.database.write() as connection:
            assert inbound.add(connection, came, b"whatever the forge said")
        return ident

    return write


def test_a_webhook_comes_without_its_body_and_again_when_it_was_handled(
    read: Read, webhook: Callable[[], str], services: Services, clock: Clock
) -> None:
    ident = webhook()
    rows, cursor = read("inbound-deliveries")
    clock.advance(**LATER)
    with services.database.write() as connection:
        handled = text("UPDATE inbound_deliveries SET handled_at = :at WHERE id = :id")
        connection.execute(handled, {"at": "2026-11-20T14:00:00.000000Z", "id": ident})

    again, after = read("inbound-deliveries", cursor)

    assert [(row["id"], "body" in row) for row in of(rows, "inbound_deliveries")] == [(ident, False)]
    assert [row["handled_at"] for row in of(again, "inbound_deliveries")] == ["2026-11-20T14:00:00.000000Z"]
    clock.advance(**LATER)
    assert read("inbound-deliveries", read("inbound-deliveries", after)[1])[0] == []


def test_what_was_handled_by_a_clock_that_is_late_is_not_missed(
    read: Read, webhook: Callable[[], str], services: Services, clock: Clock
) -> None:
    ident = webhook()
    clock.advance(**LATER)
    _, cursor = read("inbound-deliveries")
    late = to_text(clock() - timedelta(minutes=1))
    with services.database.write() as connection:
        handled = text("UPDATE inbound_deliveries SET handled_at = :at WHERE id = :id")
        connection.execute(handled, {"at": late, "id": ident})

    again, _ = read("inbound-deliveries", cursor)

    assert [row["handled_at"] for row in of(again, "inbound_deliveries")] == [late]
