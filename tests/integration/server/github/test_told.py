"""From an event to what GitHub shows, through fan-out, queue and couriers over a real database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import Connection

from server.dispatcher.couriers import Couriers
from server.integrations.github.entry import GITHUB
from server.model.deliveries import Delivery
from server.model.events import Event, EventKind
from server.model.integrations import RegistrationState, StoredAttachment, StoredRegistration
from server.model.verdict_content import VerdictContent
from server.model.verdict_kinds import VerdictKind
from server.services.delivery_queue import DeliveryQueue
from server.services.fan_out import FanOut
from server.store import events, registrations
from server.wiring import Services
from tests.integration.server.conftest import Tenant
from tests.integration.server.github.conftest import CONTEXT, Scene


@dataclass
class Office:
    """A dispatcher with one registration, and what it learned."""

    services: Services
    tenant: Tenant
    couriers: Couriers
    learned: list[Mapping[str, object]]
    registration_id: str

    def happen(self, kind: EventKind, facts: Mapping[str, Any]) -> None:
        event = Event(self.services.world.new_id(), self.tenant.id, kind, self.services.world.now(), "x", facts=facts)
        with self.services.database.write() as connection:
            events.add(connection, replace(event, run_id="run-1"))

    def judge(self, content: VerdictContent) -> None:
        self.happen(EventKind.VERDICT_CHANGED, content.to_facts())


@pytest.fixture
def office(services: Services, acme: Tenant) -> Callable[[Scene], Office]:
    def make(scene: Scene) -> Office:
        return _office(services, acme, scene)

    return make


def _office(services: Services, tenant: Tenant, scene: Scene) -> Office:
    world, target = services.world, scene.target
    registration = StoredRegistration(
        world.new_id(),
        tenant.id,
        "github",
        "our-forge",
        world.now(),
        "somebody",
        host=target.host,
        settings=target.settings,
        repositories=target.repositories,
    )
    attachment = StoredAttachment(world.new_id(), tenant.id, registration.id, "github", world.now(), "somebody")
    with services.database.write() as connection:
        registrations.add(connection, registration)
        registrations.add_attachment(connection, attachment)
    learned: list[Mapping[str, object]] = []

    def learn(connection: Connection, delivery: Delivery, answer: Mapping[str, object]) -> None:
        learned.append(answer)

    known = {"github": GITHUB}
    couriers = Couriers(
        FanOut(services.database, world.now, world.new_id, integrations=known),
        DeliveryQueue(services.database, world.now, world.new_id, lambda: 0.5, learn={"ci-run": learn, "head": learn}),
        integrations=known,
        open_credentials=lambda registration: target.credentials,
        tools=replace(scene.tools, now=world.now),
        holder="one",
        now=world.now,
    )
    return Office(services, tenant, couriers, learned, registration.id)


def test_of_a_life_that_was_judged_before_anything_was_sent_only_the_end_is_told(
    by_token: Scene, office: Callable[[Scene], Office]
) -> None:
    ours = office(by_token)
    for kind in (VerdictKind.EXPECTED, VerdictKind.INITIALIZED, VerdictKind.SUCCESS):
        ours.judge(by_token.content(kind))

    assert ours.couriers.run_until_idle()

    assert [status.state for status in by_token.forge.statuses(by_token.sha, CONTEXT)] == ["success"]


def test_a_check_run_is_remembered_between_deliveries(by_app: Scene, office: Callable[[Scene], Office]) -> None:
    ours = office(by_app)
    for kind in (VerdictKind.EXPECTED, VerdictKind.INITIALIZED, VerdictKind.SUCCESS):
        ours.judge(by_app.content(kind))
        ours.couriers.run_until_idle()

    assert [(run.status, run.conclusion) for run in by_app.check_runs()] == [("completed", "success")]
    assert sum("GET /commits" in line for line in by_app.requests()) == 1


def test_a_question_is_answered_to_who_asked(by_token: Scene, office: Callable[[Scene], Office]) -> None:
    ours = office(by_token)
    run = by_token.forge.start_run(by_token.repository, ".github/workflows/build.yml", by_token.sha)
    ci = {"provider": "github", "serverUrl": by_token.forge.url, "repository": "octo-org/app"}

    ours.happen(EventKind.RUN_INITIALIZED, {"ci": {**ci, "runId": str(run.id), "runAttempt": 1}})
    ours.couriers.run_until_idle()

    assert [(answer["ciRunId"], answer["headSha"]) for answer in ours.learned] == [(str(run.id), by_token.sha)]


def test_a_token_that_is_not_taken_pauses_the_registration_and_asks_no_more(
    by_token: Scene, office: Callable[[Scene], Office]
) -> None:
    """Deliveries that 401 stopped wait for another credential."""
    ours = office(by_token)
    by_token.forge.revoke(by_token.target.credentials["token"])
    for context in ("chainloop/app/a", "chainloop/app/b"):
        ours.judge(by_token.content(VerdictKind.SUCCESS, context=context))

    ours.couriers.run_until_idle()
    ours.couriers.run_until_idle()

    with ours.services.database.read() as connection:
        assert registrations.get_any(connection, ours.registration_id).state is RegistrationState.PAUSED
    assert 1 <= len(by_token.forge.log) <= 2


def test_thirty_of_a_hundred_errors_leave_every_status_right(
    by_token: Scene, office: Callable[[Scene], Office], clock: Any
) -> None:
    """A forge that is ill for a while shows the last word of each context in the end, and nothing after it."""
    ours, faults = office(by_token), by_token.forge.faults
    faults.server_error, faults.rate_limited, faults.lost_answer = 0.2, 0.1, 0.1
    contexts = [f"chainloop/app/w{number}" for number in range(15)]
    for kind in (VerdictKind.EXPECTED, VerdictKind.INITIALIZED, VerdictKind.SUCCESS):
        for context in contexts:
            ours.judge(by_token.content(kind, context=context))
        ours.couriers.run_until_idle()
    for _ in range(60):
        clock.advance(minutes=5)
        ours.couriers.run_until_idle()

    for context in contexts:
        states = [status.state for status in by_token.forge.statuses(by_token.sha, context)]
        assert states[-1] == "success"
        assert "pending" not in states[states.index("success") :]
