"""What happens is written down as an event in its own transaction, and each event is told once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from server.model.events import Event, EventKind
from server.services.run_expiry import RunExpiry
from server.store import events
from server.wiring import Services
from tests.integration.server.conftest import Clock, Tenant
from tests.integration.server.jobs import Job
from tests.integration.server.telling import Sink, attach, couriers, integration


def happened(services: Services, tenant: Tenant) -> list[Event]:
    with services.database.read() as connection:
        return events.list_page(connection, tenant.id, before=None, limit=100)[::-1]


def kinds(services: Services, tenant: Tenant) -> list[str]:
    return [event.kind.value for event in happened(services, tenant) if event.run_id]


def test_a_run_tells_its_beginning_its_attestation_and_its_end(services: Services, job: Job, acme: Tenant) -> None:
    job.begin()
    job.add_everything()
    job.push()

    assert kinds(services, acme) == ["run.initialized", "attestation.stored", "run.succeeded"]
    end = happened(services, acme)[-1]
    assert end.run_id == job.run_id
    assert end.facts["state"] == "success"
    assert str(end.facts["attestationDigest"]).startswith("sha256:")


def test_a_refused_store_is_told_with_its_findings_and_ends_nothing(services: Services, job: Job, acme: Tenant) -> None:
    job.begin()
    job.push()

    assert kinds(services, acme) == ["run.initialized", "attestation.refused"]
    assert happened(services, acme)[-1].facts["findings"]


def test_expiry_is_told_once(services: Services, job: Job, acme: Tenant, clock: Clock) -> None:
    job.begin()
    clock.advance(hours=7)

    for _ in range(2):
        RunExpiry(services.database, clock, services.world.new_id).expire_some()

    assert kinds(services, acme) == ["run.initialized", "run.expired"]


def test_a_revocation_is_told_with_the_runs_that_it_ended(services: Services, job: Job, acme: Tenant, api: Any) -> None:
    job.begin()
    own = api(acme.token("attest", "workflow")).get("/whoami").json["tokenId"]

    api(acme.token("admin")).post(f"/api-tokens/{own}/revoke")

    assert kinds(services, acme)[-1] == "run.canceled"
    assert happened(services, acme)[-1].kind is EventKind.TOKEN_REVOKED
    assert happened(services, acme)[-1].facts["endedRuns"] == 1


def test_no_event_holds_a_secret_or_another_organization(
    services: Services, job: Job, acme: Tenant, rival: Tenant
) -> None:
    job.begin()
    job.add_everything()
    job.push()

    texts = " ".join(str(event.facts) for event in happened(services, acme))
    assert not any(secret in texts for secret in acme.tokens.values())
    assert happened(services, rival) == []


@pytest.fixture
def sink() -> Sink:
    return Sink()


def test_who_is_attached_is_told_in_the_order_in_which_it_happened(
    services: Services, job: Job, acme: Tenant, sink: Sink
) -> None:
    attach(services, acme)
    job.begin()
    job.add_everything()
    job.push()

    assert couriers(services, integration(sink)).run_until_idle()

    assert sink.kinds() == ["run.initialized", "attestation.stored", "run.succeeded"]
    assert {message.content["subject"] for message in sink.told} == {job.run_id}


@pytest.mark.parametrize(
    ("where", "filters", "count"),
    [
        ("app/build", (), 3),
        ("app/deploy", (), 0),
        ("app/build", ("run.succeeded",), 1),
        ("app/build", ("attestation.*",), 1),
    ],
)
def test_an_attachment_is_told_what_its_scope_and_filter_say(
    services: Services, job: Job, acme: Tenant, sink: Sink, where: str, filters: tuple[str, ...], count: int
) -> None:
    attach(services, acme, workflow_id=acme.workflows[where], events=filters)
    job.begin()
    job.add_everything()
    job.push()

    couriers(services, integration(sink)).run_until_idle()

    assert len(sink.told) == count


def test_another_organization_is_never_told(services: Services, job: Job, rival: Tenant, sink: Sink) -> None:
    attach(services, rival)
    job.begin()

    couriers(services, integration(sink)).run_until_idle()

    assert sink.told == []


def test_each_event_is_told_once_by_whichever_dispatcher_comes_first(
    services: Services, job: Job, acme: Tenant, sink: Sink
) -> None:
    attach(services, acme)
    job.begin()

    for holder in ("one", "two", "one"):
        couriers(services, integration(sink), holder=holder).run_until_idle()

    assert sink.kinds() == ["run.initialized"]


def test_events_are_told_however_long_ago_they_happened(
    services: Services, job: Job, acme: Tenant, sink: Sink, clock: Clock
) -> None:
    attach(services, acme)
    job.begin()
    clock.moment += timedelta(days=30)

    couriers(services, integration(sink)).run_until_idle()

    assert sink.kinds() == ["run.initialized"]
