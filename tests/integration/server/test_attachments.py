"""Attachments and the list of deliveries: who is told what where, and what an operator does about it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from server.dispatch_wiring import build_couriers
from server.dispatcher.couriers import Couriers
from server.model.deliveries import Delivery
from server.model.events import Event, EventKind
from server.store import deliveries, events
from server.wiring import Services
from tests.integration.server.conftest import Clock, Tenant
from tests.integration.server.jobs import Job
from tests.integration.server.receivers import TAKEN, attach, kinds, register
from tests.unit.stub_server import Reply, StubServer, stub_server


@pytest.fixture
def receiver() -> Iterator[StubServer]:
    with stub_server() as stub:
        stub.replies = [TAKEN]
        yield stub


@pytest.fixture
def admin(api: Any, acme: Tenant, receiver: StubServer) -> Any:
    found = api(acme.token("admin"))
    assert register(found, receiver).status_code == 201
    return found


@pytest.fixture
def dispatcher(services: Services) -> Couriers:
    return build_couriers(services.config, services.world, services.database, services.transport, holder="one")


@pytest.mark.parametrize(
    ("place", "path"),
    [
        ({"workflow": "build"}, "/project"),
        ({"events": ["run.begun"]}, "/events/0"),
        ({"events": ["*.failed"]}, "/events/0"),
        ({"settings": {"payload": "everything"}}, "/settings/payload"),
        ({"settings": {"colour": "red"}}, "/settings"),
    ],
)
def test_what_would_never_be_told_is_refused(admin: Any, place: dict[str, Any], path: str) -> None:
    refused = attach(admin, **place)

    assert refused.status_code == 422
    assert refused.json["findings"][0]["path"] == path


@pytest.mark.parametrize("place", [{"project": "none"}, {"project": "app", "workflow": "none"}])
def test_a_place_that_is_not_there_is_not_found(admin: Any, place: dict[str, str]) -> None:
    assert attach(admin, **place).status_code == 404


def test_what_is_attached_in_just_this_way_is_not_attached_again(admin: Any) -> None:
    answers = [
        attach(admin, **place).status_code
        for place in ({}, {}, {"events": ["run.*"]}, {"project": "app"}, {"events": ["run.*"]})
    ]

    assert answers == [201, 409, 201, 201, 409]
    assert len(admin.get("/attachments").json["items"]) == 3


def test_r1_an_operator_of_a_project_attaches_to_it_and_to_nothing_else(api: Any, admin: Any, acme: Tenant) -> None:
    operator = api(acme.token("operate", "project"))

    answers = [attach(operator, **place).status_code for place in ({"project": "app"}, {"project": "other"}, {})]

    assert answers == [201, 403, 403]
    assert [item["project"] for item in operator.get("/attachments").json["items"]] == ["app"]


def test_a_deleted_workflow_takes_its_attachments_with_it(admin: Any) -> None:
    made = admin.post("/workflows", json={"name": "short-lived", "project": "app"}).json["id"]
    attach(admin, project="app", workflow="short-lived")
    attach(admin)

    assert admin.delete(f"/workflows/{made}").status_code == 204

    assert [item.get("workflow") for item in admin.get("/attachments").json["items"]] == [None]


def test_who_is_detached_is_told_nothing_more(admin: Any, receiver: StubServer, job: Job, dispatcher: Couriers) -> None:
    made = attach(admin, events=["run.*"]).json["id"]
    job.begin()
    dispatcher.run_until_idle()

    admin.delete(f"/attachments/{made}")
    job.add_everything()
    job.push()
    dispatcher.run_until_idle()

    assert kinds(receiver) == ["run.initialized"]


def test_what_was_given_up_is_told_again_with_the_same_content(
    admin: Any, receiver: StubServer, job: Job, dispatcher: Couriers
) -> None:
    attach(admin, events=["run.initialized"])
    receiver.replies = [Reply(302), TAKEN]
    job.begin()
    dispatcher.run_until_idle()
    [dead] = admin.get("/deliveries?state=dead").json["items"]

    again = admin.post(f"/deliveries/{dead['id']}/replay")
    dispatcher.run_until_idle()

    assert again.json["state"] == "pending"
    detail = admin.get(f"/deliveries/{dead['id']}").json
    assert (detail["delivery"]["state"], len(detail["tries"])) == ("delivered", 2)
    first, second = receiver.seen[-2:]
    assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])


def test_nothing_is_told_again_that_something_newer_has_made_outdated(
    services: Services, admin: Any, acme: Tenant, clock: Clock
) -> None:
    registration = admin.get("/registrations").json["items"][0]["id"]
    ids = [services.world.new_id() for _ in range(2)]
    with services.database.write() as connection:
        for each in ids:
            events.add(connection, Event(each, acme.id, EventKind.VERDICT_CHANGED, clock(), "a commit"))
            sequence = events.list_page(connection, acme.id, before=None, limit=1)[0].sequence
            deliveries.add(
                connection,
                Delivery(
                    each, acme.id, sequence, registration, "a", "status", "one context", {}, clock(), clock(),
                    replaces_older=True,
                ),
            )  # fmt: skip

    answers = [admin.post(f"/deliveries/{each}/replay").status_code for each in ids]

    assert answers == [409, 200]


def test_what_waits_for_a_removed_registration_ends(
    admin: Any, receiver: StubServer, job: Job, dispatcher: Couriers
) -> None:
    attach(admin, events=["run.initialized"])
    registration = admin.get("/registrations").json["items"][0]["id"]
    receiver.replies = [Reply(500)]
    job.begin()
    dispatcher.run_until_idle()

    admin.delete(f"/registrations/{registration}")

    [ended] = admin.get("/deliveries").json["items"]
    assert (ended["state"], ended["outcomeCode"]) == ("skipped", "registration-removed")
    assert admin.post(f"/deliveries/{ended['id']}/replay").status_code == 409


def test_deliveries_are_found_by_what_is_known_of_them(
    admin: Any, receiver: StubServer, job: Job, dispatcher: Couriers
) -> None:
    attach(admin, events=["run.*", "attestation.*"])
    job.begin()
    job.add_everything()
    job.push()
    dispatcher.run_until_idle()

    def found(query: str) -> list[str]:
        return [item["event"] for item in admin.get(f"/deliveries?{query}").json["items"]]

    assert found("event=run.succeeded") == ["run.succeeded"]
    assert found(f"run={job.run_id}&registration=siem") == ["run.succeeded", "attestation.stored", "run.initialized"]
    assert found("state=dead") == []
    assert admin.get("/deliveries?registration=nobody").status_code == 404
    pages = admin.get("/deliveries?limit=2").json
    assert len(admin.get(f"/deliveries?limit=2&cursor={pages['nextCursor']}").json["items"]) == 1
