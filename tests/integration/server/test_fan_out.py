"""Who is told of an event: scopes, filters, and the one author of a verdict (R40, R44)."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from server.model.events import Event, EventKind
from server.model.integrations import BoundRepository
from server.services.fan_out import FanOut
from server.store import events
from server.wiring import Services
from tests.integration.server.conftest import Tenant
from tests.integration.server.telling import TAKEN, Sink, attach, couriers, integration

FORGE = "https://github.com"
APP = BoundRepository(FORGE, "7", "acme/App")
OTHER = BoundRepository(FORGE, "8", "acme/other")


@pytest.fixture
def sink() -> Sink:
    return Sink()


def tell(services: Services, tenant: Tenant, sink: Sink, kind: EventKind, facts: dict[str, Any]) -> list[str]:
    """Let an event happen; return the registrations that were told of it."""
    told: list[str] = []

    def answer(target: Any, message: Any) -> Any:
        told.append(target.registration_id)
        return TAKEN

    sink.answer = answer
    with services.database.write() as connection:
        events.add(connection, Event(services.world.new_id(), tenant.id, kind, services.world.now(), "x", facts=facts))
    couriers(services, integration(sink, answers_verdicts=True, always=("head.*", "head.seen"))).run_until_idle()
    return told


def test_a_question_is_asked_whatever_the_filter_says(services: Services, acme: Tenant, sink: Sink) -> None:
    registration = attach(services, acme, events=("verdict.changed",))

    assert tell(services, acme, sink, EventKind.HEAD_SEEN, {}) == [registration.id]
    assert tell(services, acme, sink, EventKind.CI_RUN_SEEN, {}) == []


@pytest.mark.parametrize(
    "facts",
    [
        {"repository": {"kind": "github", "host": FORGE, "id": "8", "name": "acme/renamed"}},
        {"ci": {"provider": "github", "serverUrl": FORGE, "repository": "ACME/Other"}},
    ],
)
def test_of_several_authors_the_one_speaks_that_lists_the_repository(
    services: Services, acme: Tenant, sink: Sink, facts: dict[str, Any]
) -> None:
    attach(services, acme, "first", (APP,))
    second = attach(services, acme, "second", (OTHER,))

    assert tell(services, acme, sink, EventKind.HEAD_SEEN, facts) == [second.id]


def test_a_repository_of_another_host_is_another_one(services: Services, acme: Tenant, sink: Sink) -> None:
    attach(services, acme, "elsewhere", (BoundRepository("https://ghe.test", "7", "acme/app"),))
    here = attach(services, acme, "here", (APP,))

    told = tell(services, acme, sink, EventKind.HEAD_SEEN, {"repository": {"host": FORGE, "id": "7"}})

    assert told == [here.id]


def test_an_attachment_of_one_workflow_is_asked_about_commits_too(services: Services, acme: Tenant, sink: Sink) -> None:
    registration = attach(services, acme, "narrow", (APP,), workflow_id=acme.workflows["app/build"])

    told = tell(services, acme, sink, EventKind.HEAD_SEEN, {"repository": {"host": FORGE, "id": "7"}})

    assert told == [registration.id]
    assert tell(services, acme, sink, EventKind.VERDICT_CHANGED, {}) == []


def test_another_organization_is_never_asked(services: Services, acme: Tenant, rival: Tenant, sink: Sink) -> None:
    attach(services, rival, "theirs", (APP,))

    assert tell(services, acme, sink, EventKind.HEAD_SEEN, {"repository": {"host": FORGE, "id": "7"}}) == []


@pytest.mark.engine("postgresql")  # where somebody may always wait
def test_a_turn_of_the_dispatcher_is_short_and_the_next_one_goes_on(services: Services, acme: Tenant) -> None:
    happened = [
        Event(services.world.new_id(), acme.id, EventKind.CI_RUN_SEEN, services.world.now(), f"run {number}")
        for number in range(3)
    ]
    with services.database.write() as connection:
        events.add(connection, *happened)
    hours = itertools.count()
    slow = FanOut(
        services.database,
        services.world.now,
        services.world.new_id,
        integrations={},
        monotonic=lambda: 3600.0 * next(hours),
    )

    told = [slow.tell_some() for _ in range(4)]

    assert told == [1, 1, 1, 0]
