"""From an event to what GitLab shows, through fan-out, queue and couriers over a real database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import Connection

from server.dispatcher.couriers import Couriers
from server.integrations.gitlab.entry import GITLAB
from server.model.deliveries import Delivery
from server.model.events import Event, EventKind
from server.model.integrations import RegistrationState, StoredAttachment, StoredRegistration
from server.model.verdict_kinds import VerdictKind
from server.services.delivery_queue import DeliveryQueue
from server.services.fan_out import FanOut
from server.store import events, registrations
from server.wiring import Services
from tests.integration.server.conftest import Clock, Tenant
from tests.integration.server.gitlab.conftest import CONTEXT, Scene

LIFE = (VerdictKind.EXPECTED, VerdictKind.INITIALIZED, VerdictKind.SUCCESS)


@dataclass
class Office:
    """A dispatcher with one registration, and what it learned."""

    services: Services
    tenant: Tenant
    couriers: Couriers
    learned: list[Mapping[str, object]]
    registration_id: str

    def happen(self, kind: EventKind, facts: Mapping[str, Any]) -> None:
        world = self.services.world
        event = Event(world.new_id(), self.tenant.id, kind, world.now(), "x", run_id="run-1", facts=facts)
        with self.services.database.write() as connection:
            events.add(connection, event)


@pytest.fixture
def office(services: Services, acme: Tenant) -> Callable[[Scene], Office]:
    def make(scene: Scene) -> Office:
        return _office(services, acme, scene)

    return make


def _office(services: Services, tenant: Tenant, scene: Scene) -> Office:
    world, target = services.world, scene.target
    registration = StoredRegistration(
        world.new_id(), tenant.id, "gitlab", "our-forge", world.now(), "somebody", host=target.host
    )
    attachment = StoredAttachment(world.new_id(), tenant.id, registration.id, "gitlab", world.now(), "somebody")
    with services.database.write() as connection:
        registrations.add(connection, replace(registration, repositories=target.repositories))
        registrations.add_attachment(connection, attachment)
    learned: list[Mapping[str, object]] = []

    def learn(connection: Connection, delivery: Delivery, answer: Mapping[str, object]) -> None:
        learned.append(answer)

    known = {"gitlab": GITLAB}
    couriers = Couriers(
        FanOut(services.database, world.now, world.new_id, integrations=known),
        DeliveryQueue(services.database, world.now, world.new_id, lambda: 0.5, learn={"ci-run": learn}),
        integrations=known,
        open_credentials=lambda registration: target.credentials,
        tools=replace(scene.tools, now=world.now),
        holder="one",
        now=world.now,
    )
    return Office(services, tenant, couriers, learned, registration.id)


def test_a_life_that_is_told_step_by_step_is_one_job(scene: Scene, office: Callable[[Scene], Office]) -> None:
    ours = office(scene)
    for kind in LIFE:
        ours.happen(EventKind.VERDICT_CHANGED, scene.content(kind).to_facts())
        assert ours.couriers.run_until_idle()

    assert scene.states() == ["success"]
    assert len(scene.writes()) == 2


def test_of_a_life_that_was_judged_before_anything_was_sent_only_the_end_is_told(
    scene: Scene, office: Callable[[Scene], Office]
) -> None:
    ours = office(scene)
    for kind in LIFE:
        ours.happen(EventKind.VERDICT_CHANGED, scene.content(kind).to_facts())

    assert ours.couriers.run_until_idle()

    assert (scene.states(), len(scene.writes())) == (["success"], 1)


def test_a_question_is_answered_to_who_asked(scene: Scene, office: Callable[[Scene], Office]) -> None:
    ours, pipeline = office(scene), scene.pipeline
    assert pipeline is not None
    ci = {"provider": "gitlab", "serverUrl": scene.forge.url, "repository": "group/app", "runId": str(pipeline.id)}

    ours.happen(EventKind.RUN_INITIALIZED, {"ci": ci})
    ours.couriers.run_until_idle()

    assert [(answer["ciRunId"], answer["headSha"]) for answer in ours.learned] == [(ci["runId"], scene.sha)]


def test_a_token_that_is_not_taken_pauses_the_registration(scene: Scene, office: Callable[[Scene], Office]) -> None:
    ours = office(scene)
    scene.forge.revoke(scene.target.credentials["token"])
    ours.happen(EventKind.VERDICT_CHANGED, scene.content(VerdictKind.SUCCESS).to_facts())

    ours.couriers.run_until_idle()
    ours.couriers.run_until_idle()

    with ours.services.database.read() as connection:
        assert registrations.get_any(connection, ours.registration_id).state is RegistrationState.PAUSED
    assert len(scene.forge.log) == 1


def test_a_pipeline_that_comes_later_is_waited_for(
    bare: Scene, office: Callable[[Scene], Office], clock: Clock
) -> None:
    ours = office(bare)
    ours.happen(EventKind.VERDICT_CHANGED, bare.content(VerdictKind.INITIALIZED).to_facts())
    ours.couriers.run_until_idle()
    pipeline = bare.forge.start_pipeline(bare.project, bare.sha, "feature")

    clock.advance(seconds=5)
    assert ours.couriers.run_until_idle()

    assert [job.status for job in pipeline.current if job.is_status] == ["running"]


def test_a_forge_that_is_ill_for_a_while_shows_the_last_word_of_each_context(
    scene: Scene, office: Callable[[Scene], Office], clock: Clock
) -> None:
    ours, faults = office(scene), scene.forge.faults
    faults.server_error, faults.rate_limited, faults.lost_answer = 0.2, 0.1, 0.1
    contexts = [f"chainloop/app/w{number}" for number in range(15)]
    for kind in LIFE:
        for context in contexts:
            ours.happen(EventKind.VERDICT_CHANGED, scene.content(kind, context=context).to_facts())
        ours.couriers.run_until_idle()
    for _ in range(150):
        clock.advance(minutes=15)
        ours.couriers.run_until_idle()

    # One job each: what was sent twice because its answer was lost changed nothing.
    assert [scene.states(context) for context in contexts] == [["success"]] * len(contexts)
    assert scene.states(CONTEXT) == []
