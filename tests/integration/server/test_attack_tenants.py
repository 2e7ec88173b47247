"""One organization tries to keep others from being told, or to speak for them (R44, T38)."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from flask.testing import FlaskClient

from examples.forge.github import FakeGitHub
from server.dispatcher.couriers import THREADS
from server.integrations.types import Message, Target
from server.model.deliveries import Outcome
from server.model.events import Event, EventKind
from server.store import events
from server.wiring import Services
from tests.integration.server.conftest import Api, Clock, Tenant
from tests.integration.server.forge_world import NAME, ForgeWorld
from tests.integration.server.jobs import Job
from tests.integration.server.telling import TAKEN, Sink, attach, couriers, integration


def happen(services: Services, tenant: Tenant, count: int) -> None:
    with services.database.write() as connection:
        for number in range(count):
            event = Event(
                services.world.new_id(),
                tenant.id,
                EventKind.RUN_SUCCEEDED,
                services.world.now(),
                f"r{number}",
                run_id=f"r{number}",
            )
            events.add(connection, event)


def test_targets_of_one_organization_that_all_hang_hold_up_no_other(
    services: Services, acme: Tenant, rival: Tenant
) -> None:
    for number in range(THREADS // 4 + 4):
        attach(services, rival, f"hung{number}")
    attach(services, acme, "own")
    happen(services, rival, 4)
    answered, told, hanging = threading.Event(), threading.Event(), threading.Semaphore(0)

    def answer(target: Target, message: Message) -> Outcome:
        if target.organization_id == rival.id:
            hanging.release()
            answered.wait(60)
        else:
            told.set()
        return TAKEN

    work = couriers(services, integration(Sink(answer)))
    thread = threading.Thread(target=lambda: work.run(told.is_set))
    thread.start()
    while hanging.acquire(timeout=2):
        continue
    happen(services, acme, 1)
    is_told = told.wait(10)
    answered.set()
    told.wait(60)
    thread.join(60)

    assert is_told, "the other organization waits for those that hang"


@pytest.mark.parametrize("spelling", ["/x", "/x/../y", "/."])
def test_r44_a_repository_has_one_speaker_however_its_host_is_spelt(
    services: Services, client: FlaskClient, acme: Tenant, rival: Tenant, forge: FakeGitHub, job: Job, spelling: str
) -> None:
    ForgeWorld(services, client, acme, forge).attach()
    body: dict[str, Any] = {
        "kind": "github",
        "name": "forge",
        "url": forge.url + spelling,
        "settings": {"repositories": [NAME]},
        "credentials": {"token": forge.token("rival-bot", login="rival-bot")},
    }

    made = Api(client, rival.token("admin")).post("/registrations", json=body)

    assert made.status_code in (409, 422), made.text


def test_an_event_of_one_organization_that_cannot_be_told_holds_up_no_other(
    services: Services, acme: Tenant, rival: Tenant, clock: Clock
) -> None:
    sink, defects = Sink(), [True]
    attach(services, acme)
    happen(services, rival, 2)
    happen(services, acme, 2)

    def conclude(connection: Any, event: Event) -> None:
        if event.organization_id == rival.id and defects:
            raise RecursionError("made to hurt")

    work = couriers(services, integration(sink), follow=(conclude,))
    work.run_until_idle()
    told = len(sink.told)
    defects.clear()
    clock.advance(minutes=2)
    work.run_until_idle()

    assert told == 2
    with services.database.read() as connection:
        assert events.list_owners(connection, "", 9) == []


def test_t30_of_what_waits_the_oldest_come_first_and_no_more_than_were_asked_for(
    services: Services, acme: Tenant, rival: Tenant
) -> None:
    happen(services, rival, 1)
    happen(services, acme, 3)

    with services.database.read() as connection:
        oldest = events.list_new(connection, acme.id, limit=2)
        owners = events.list_owners(connection, "", 1)

    assert [event.subject for event in oldest] == ["r0", "r1"]
    assert owners == [min(acme.id, rival.id)]


def test_t30_a_flood_of_one_organization_s_events_lets_the_others_through(
    services: Services, acme: Tenant, rival: Tenant
) -> None:
    happen(services, rival, 400)
    happen(services, acme, 3)
    served: list[str] = []

    work = couriers(services, integration(Sink()), follow=(lambda _, event: served.append(event.organization_id),))
    work.run_until_idle()

    assert len(served) == 403
    assert served[:6].count(acme.id) == 3
