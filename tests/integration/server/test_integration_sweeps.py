"""Credentials are checked daily, what was told long ago is forgotten, and an operator sees what does not get on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from server.admin.doctor import diagnose
from server.dispatch_wiring import build_couriers
from server.dispatcher.couriers import Couriers
from server.integrations.registry import INTEGRATIONS, by_kind
from server.integrations.types import Checked, Target, Tools
from server.model.events import Event, EventKind
from server.services.credentials import Credentials
from server.services.event_retention import forget_events
from server.services.registration_checks import RegistrationChecks
from server.services.third_parties import ThirdParties
from server.store import delivery_facts, events
from server.wiring import Services, make_tools
from tests.integration.server.conftest import Clock, Tenant, bearer
from tests.integration.server.jobs import Job
from tests.integration.server.receivers import TAKEN, attach, register
from tests.integration.server.telling import Sink, couriers, integration
from tests.integration.server.telling import attach as attach_sink
from tests.unit.stub_server import Reply, StubServer, stub_server


@pytest.fixture
def receiver() -> Iterator[StubServer]:
    with stub_server() as stub:
        stub.replies = [TAKEN]
        yield stub


@pytest.fixture
def admin(api: Any, acme: Tenant) -> Any:
    return api(acme.token("admin"))


@pytest.fixture
def dispatcher(services: Services) -> Couriers:
    return build_couriers(services.config, services.world, services.database, services.transport, holder="one")


def kinds(services: Services, tenant: Tenant) -> list[EventKind]:
    with services.database.read() as connection:
        return [event.kind for event in events.list_page(connection, tenant.id, before=None, limit=100)]


def checks(services: Services, answer: Any) -> RegistrationChecks:
    """Return the checks over the registrations of `telling`, whose third party answers so."""
    world = services.world
    return RegistrationChecks(
        services.database,
        world.now,
        world.new_id,
        ThirdParties(
            {"sink": integration(Sink(), check=answer)},
            Credentials(services.secrets),
            make_tools(services.config, world, services.database, services.transport),
        ),
    )


def expiring(at: datetime) -> Any:
    return lambda target, tools: Checked(credential_expires_at=at)


def test_the_end_of_a_credential_is_told_once_and_two_weeks_before(
    services: Services, acme: Tenant, clock: Clock
) -> None:
    attach_sink(services, acme)
    work = checks(services, expiring(clock() + timedelta(days=15)))
    told = []

    for _ in range(4):
        list(work.check_all())
        told.append(kinds(services, acme).count(EventKind.CREDENTIAL_EXPIRING))
        clock.advance(days=1)

    assert told == [0, 1, 1, 1]


@pytest.mark.parametrize("year", [1, 500, 9999])
def test_a_third_party_that_names_a_strange_year_stops_nobody_elses_checks_and_deliveries(
    services: Services, acme: Tenant, rival: Tenant, clock: Clock, year: int
) -> None:
    """A third party is anybody's own server; what it says of one credential is read with those of all others."""
    attach_sink(services, acme)
    attach_sink(services, rival)
    work = checks(services, expiring(datetime(year, 12 if year == 9999 else 1, 1, tzinfo=UTC)))
    list(work.check_all())
    with services.database.write() as connection:
        for tenant in (acme, rival):
            events.add(connection, Event(services.world.new_id(), tenant.id, EventKind.RUN_SUCCEEDED, clock(), "a run"))
    sink = Sink()

    couriers(services, integration(sink)).run_until_idle()

    assert sink.kinds() == ["run.succeeded"] * 2
    assert list(work.check_all()) == [{"checked": 2, "wrong": 0}]
    assert diagnose(services.config, services.database, now=clock()).healthy


def test_a_new_credential_that_ends_soon_is_told_of_too(services: Services, acme: Tenant, clock: Clock) -> None:
    attach_sink(services, acme)
    list(checks(services, expiring(clock() + timedelta(days=3))).check_all())

    list(checks(services, expiring(clock() + timedelta(days=5))).check_all())

    assert kinds(services, acme).count(EventKind.CREDENTIAL_EXPIRING) == 2


def test_a_check_that_breaks_is_a_finding_and_ends_no_other(services: Services, acme: Tenant, rival: Tenant) -> None:
    attach_sink(services, acme)
    attach_sink(services, rival)

    def check(target: Target, tools: Tools) -> Checked:
        if target.organization_id == acme.id:
            raise RuntimeError("canary")
        return Checked()

    with capture_logs() as logged:
        list(checks(services, check).check_all())

    with services.database.read() as connection:
        found = {item.organization: item.findings for item in delivery_facts.list_registrations(connection)}
    assert found["rival"] == "[]"
    assert "RuntimeError" in found["acme"]
    assert "canary" not in found["acme"]
    # The finding says so.
    assert [str(line["exc_info"]) for line in logged if line["event"] == "third-party-not-asked"] == ["canary"]


def test_a_webhook_is_not_sent_a_test_message_every_day(services: Services, admin: Any, receiver: StubServer) -> None:
    register(admin, receiver)
    work = RegistrationChecks(
        services.database,
        services.world.now,
        services.world.new_id,
        ThirdParties(
            by_kind(),
            Credentials(services.secrets),
            make_tools(services.config, services.world, services.database, services.transport),
        ),
    )

    assert list(work.check_all()) == []
    assert len(receiver.seen) == 1


def test_what_was_told_long_ago_is_forgotten_and_what_waits_is_not(
    services: Services, admin: Any, job: Job, receiver: StubServer, dispatcher: Couriers, clock: Clock, acme: Tenant
) -> None:
    register(admin, receiver)
    attach(admin, events=["run.*"])
    receiver.replies = [TAKEN, Reply(500)]
    job.begin()
    dispatcher.run_until_idle()
    job.add_everything()
    job.push()
    dispatcher.run_until_idle()
    clock.advance(days=90)

    counts = list(forget_events(services.database, clock() - timedelta(days=89)))

    assert counts[0]["deliveries"] == 1
    left = admin.get("/deliveries").json["items"]
    assert [(item["event"], item["state"]) for item in left] == [("run.succeeded", "pending")]
    assert kinds(services, acme) == [EventKind.RUN_SUCCEEDED]


def test_nothing_young_is_forgotten(
    services: Services, admin: Any, job: Job, receiver: StubServer, dispatcher: Couriers, clock: Clock
) -> None:
    register(admin, receiver)
    attach(admin)
    job.begin()
    dispatcher.run_until_idle()

    assert list(forget_events(services.database, clock() - timedelta(days=1))) == []


def test_an_operator_sees_what_does_not_get_on(
    services: Services,
    admin: Any,
    job: Job,
    receiver: StubServer,
    dispatcher: Couriers,
    clock: Clock,
    client: Any,
    instance_token: str,
) -> None:
    made = register(admin, receiver).json["id"]
    attach(admin, events=["run.initialized"])
    receiver.replies = [Reply(302, headers={"Location": "/x"})]
    job.begin()
    dispatcher.run_until_idle()
    admin.post(f"/registrations/{made}/pause")

    metrics = client.get("/metrics", headers=bearer(instance_token)).text
    found = {check.name: check for check in diagnose(services.config, services.database, now=clock()).checks}

    assert 'chainloop_deliveries{state="dead"} 1.0' in metrics
    assert 'chainloop_registration_paused{kind="webhook",org="acme",registration="siem"} 1.0' in metrics
    assert found["deliveries"].warnings == (
        "acme/siem: 1 deliveries were given up",
        "acme/siem: is paused: paused by admin-organization",
    )


def test_the_registry_has_exactly_one_entry_for_each_kind() -> None:
    from chainloop_ci.api.words import IntegrationKind

    assert sorted(item.kind for item in INTEGRATIONS) == sorted(IntegrationKind)


@pytest.mark.parametrize("entry", INTEGRATIONS, ids=lambda entry: entry.kind)
def test_an_entry_names_only_events_and_credentials_that_there_are(entry: Any) -> None:
    from server.model.integrations import matches

    assert all(any(matches(kind, pattern) for kind in EventKind) for pattern in (*entry.events, *entry.always))
    named = {name for names in entry.required_credentials for name in names} | set(entry.kept_credentials)
    assert named | set(entry.kept_credentials.values()) <= set(entry.credential_names)
    assert replace(entry) == entry
