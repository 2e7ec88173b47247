"""An administrator has our webhooks looked after, and the dispatcher does it, with a secret that nobody else sees."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chainloop_ci.api.source_hooks import HookMode
from server.dispatcher.couriers import Couriers
from server.integrations.github.entry import GITHUB
from server.model.integrations import StoredAttachment, StoredRegistration
from server.services.delivery_queue import DeliveryQueue
from server.services.fan_out import FanOut
from server.store import registrations
from server.wiring import Services
from tests.integration.server.conftest import Tenant
from tests.integration.server.github.conftest import Scene

CI = ".github/workflows/ci.yml"


class Desk:
    """An administrator, a source at the forge, and a dispatcher."""

    def __init__(self, services: Services, api: Any, tenant: Tenant, scene: Scene) -> None:
        self.services, self.scene = services, scene
        self.admin = api(tenant.token("admin"))
        world, target = services.world, scene.target
        registration = StoredRegistration(
            world.new_id(),
            tenant.id,
            "github",
            "forge",
            world.now(),
            "somebody",
            host=target.host,
            repositories=target.repositories,
        )
        attachment = StoredAttachment(world.new_id(), tenant.id, registration.id, "github", world.now(), "somebody")
        with services.database.write() as connection:
            registrations.add(connection, registration)
            registrations.add_attachment(connection, attachment)
        body = {"source": f"github:{target.host}/octo-org/app", "ciFile": CI}
        placed = self.admin.put(f"/workflows/{tenant.workflows['app/build']}/source", json=body)
        assert placed.status_code in (200, 201), placed.text
        self.source_id = placed.json["sourceId"]
        self.couriers = self._couriers()

    def _couriers(self) -> Couriers:
        services, world, known = self.services, self.services.world, {"github": GITHUB}
        tools = replace(self.scene.tools, now=world.now, hook_secret=services.hooks.open_secret)
        return Couriers(
            FanOut(services.database, world.now, world.new_id, integrations=known),
            DeliveryQueue(services.database, world.now, world.new_id, lambda: 0.5, learn=services.hooks.handlers()),
            integrations=known,
            open_credentials=lambda registration: self.scene.target.credentials,
            tools=tools,
            holder="one",
            now=world.now,
        )

    def ask(self, mode: str = "sync") -> Any:
        answer = self.admin.post("/source-hooks", json={"mode": mode})
        assert answer.status_code == 202, answer.text
        self.couriers.run_until_idle()
        return answer.json

    def found(self) -> Any:
        return self.admin.get("/source-hooks").json["items"]


@pytest.fixture
def desk(services: Services, api: Any, acme: Tenant, by_token: Scene) -> Desk:
    return Desk(services, api, acme, by_token)


def test_a_sync_makes_secret_and_webhook(desk: Desk) -> None:
    asked = desk.ask()

    (source,) = asked["asked"]
    (made,) = desk.scene.repository.hooks.values()
    (found,) = desk.found()
    assert source.endswith("/octo-org/app")
    assert made.url == found["url"]
    assert made.url.endswith(f"/webhooks/github/{desk.source_id}")
    assert made.secret.startswith("whsec_")
    assert (found["state"], found["hookId"]) == ("created", str(made.id))


def test_the_secret_is_in_nothing_that_is_stored(desk: Desk) -> None:
    desk.ask()
    (made,) = desk.scene.repository.hooks.values()

    with desk.services.database.read() as connection:
        for table in ("events", "deliveries", "delivery_attempts", "lane_memories", "source_hooks", "sources"):
            rows = connection.exec_driver_sql(f"SELECT * FROM {table}").all()
            assert made.secret not in repr(rows), table


def test_a_check_says_what_differs_and_a_sync_repairs_it(desk: Desk) -> None:
    desk.ask()
    (made,) = desk.scene.repository.hooks.values()
    made.is_active = False

    desk.ask("check")
    (found,) = desk.found()
    desk.ask()

    assert (found["state"], found["differences"]) == ("differs", ["it is switched off"])
    assert made.is_active
    assert desk.found()[0]["state"] == "repaired"


def test_another_secret_is_brought_to_the_forge(desk: Desk) -> None:
    desk.ask()
    (made,) = desk.scene.repository.hooks.values()
    rotated = desk.admin.post(f"/sources/{desk.source_id}/secret/rotate", json={})
    assert rotated.status_code == 200, rotated.text

    desk.ask()

    assert made.secret == rotated.json["secret"]


def test_what_never_came_through_is_asked_for_every_now_and_then(desk: Desk) -> None:
    desk.ask()
    # Nothing listens at the address of the tests' control plane.
    desk.scene.forge.deliver()

    assert list(desk.services.hooks.redeliver()) == [1]
    desk.couriers.run_until_idle()

    (found,) = desk.found()
    assert (found["mode"], found["state"], found["failed"], found["askedAgain"]) == ("redeliver", "created", 1, 1)


def test_a_repository_that_no_registration_lists_is_left_out(desk: Desk, acme: Tenant) -> None:
    body = {"source": f"github:{desk.scene.target.host}/octo-org/other", "ciFile": CI}
    desk.admin.put(f"/workflows/{acme.workflows['app/deploy']}/source", json=body)

    asked = desk.ask(HookMode.CHECK.value)

    assert [source.rpartition("/")[2] for source in asked["leftOut"]] == ["other"]
    assert len(asked["asked"]) == 1
