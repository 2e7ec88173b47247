"""Outbound webhooks: signed as Standard Webhooks says (T49), and what each answer of a receiver means."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from chainloop_ci.digests import sha256_digest
from server.dispatch_wiring import build_couriers
from server.dispatcher.couriers import Couriers
from server.integrations.webhook.sending import MAX_REFUSALS
from server.wiring import Services
from tests.integration.server.conftest import EPOCH, Clock, Tenant
from tests.integration.server.jobs import Job
from tests.integration.server.receivers import (
    OTHER_SECRET,
    SECRET,
    TAKEN,
    attach,
    kinds,
    register,
    told,
)
from tests.unit.stub_server import Reply, Seen, StubServer, stub_server

RUNS = ["run.*", "attestation.*"]
SCHEMA = json.loads(Path("docs/webhook-event.schema.json").read_text())


@pytest.fixture
def receiver() -> Iterator[StubServer]:
    with stub_server() as stub:
        stub.replies = [TAKEN]
        yield stub


@pytest.fixture
def admin(api: Any, acme: Tenant, receiver: StubServer) -> Any:
    """Return an administrator who has registered the receiver."""
    found = api(acme.token("admin"))
    assert register(found, receiver).status_code == 201
    return found


@pytest.fixture
def dispatcher(services: Services) -> Couriers:
    return build_couriers(services.config, services.world, services.database, services.transport, holder="one")


def is_signed(seen: Seen, secret: str, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Tell what the library of Standard Webhooks says, at the time of the server."""

    class Now:
        @staticmethod
        def now(tz: Any = None) -> Any:
            return clock.moment

        fromtimestamp = staticmethod(type(EPOCH).fromtimestamp)

    monkeypatch.setattr("standardwebhooks.webhooks.datetime", Now)
    try:
        Webhook(secret).verify(seen.body, dict(seen.headers))
    except WebhookVerificationError:
        return False
    return True


def test_t49_each_message_verifies_with_the_library_of_standard_webhooks(
    admin: Any,
    receiver: StubServer,
    job: Job,
    dispatcher: Couriers,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attach(admin, events=RUNS)
    job.begin()
    job.add_everything()
    job.push()

    assert dispatcher.run_until_idle()

    assert kinds(receiver) == ["run.initialized", "attestation.stored", "run.succeeded"]
    assert all(is_signed(seen, SECRET, clock, monkeypatch) for seen in receiver.seen)
    assert not any(is_signed(seen, OTHER_SECRET, clock, monkeypatch) for seen in receiver.seen)


def test_t49_a_changed_body_another_id_and_an_old_message_do_not_verify(
    admin: Any, receiver: StubServer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = receiver.seen[0]
    changed = Seen(seen.method, seen.path, seen.headers, seen.body.replace(b"tested", b"paused"))
    other = Seen(seen.method, seen.path, {**seen.headers, "webhook-id": "another"}, seen.body)

    assert is_signed(seen, SECRET, clock, monkeypatch)
    assert not is_signed(changed, SECRET, clock, monkeypatch)
    assert not is_signed(other, SECRET, clock, monkeypatch)
    clock.advance(minutes=6)
    assert not is_signed(seen, SECRET, clock, monkeypatch)


def test_t49_a_message_of_a_rotated_secret_verifies_with_both(
    admin: Any,
    receiver: StubServer,
    job: Job,
    dispatcher: Couriers,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attach(admin, events=RUNS)
    registration = admin.get("/registrations").json["items"][0]["id"]
    job.begin()
    admin.patch(f"/registrations/{registration}", json={"credentials": {"secret": OTHER_SECRET}})

    dispatcher.run_until_idle()

    seen, _ = told(receiver)[0]
    assert all(is_signed(seen, secret, clock, monkeypatch) for secret in (SECRET, OTHER_SECRET))


def test_messages_have_the_form_that_the_documentation_gives(
    admin: Any, receiver: StubServer, job: Job, dispatcher: Couriers, acme: Tenant
) -> None:
    attach(admin, events=["*"], settings={"payload": "attestation"})
    job.begin()
    job.push()
    job.add_everything()
    job.push()

    dispatcher.run_until_idle()

    bodies = [json.loads(seen.body) for seen in receiver.seen]
    assert [error.message for body in bodies for error in Draft202012Validator(SCHEMA).iter_errors(body)] == []
    assert {body["data"]["organizationId"] for body in bodies} == {acme.id}
    assert {body["data"].get("runId") for body in bodies} == {None, job.run_id}


def test_the_whole_attestation_is_told_where_that_is_asked_for(
    admin: Any, receiver: StubServer, job: Job, dispatcher: Couriers
) -> None:
    attach(admin, events=["run.succeeded"], settings={"payload": "attestation"})
    job.begin()
    job.add_everything()
    stored = job.push().json["digest"]

    dispatcher.run_until_idle()

    attestation = told(receiver)[0][1]["data"]["attestation"]
    assert attestation["digest"] == stored
    assert sha256_digest(base64.b64decode(attestation["bundle"])) == stored


def test_a_summary_holds_no_attestation(admin: Any, receiver: StubServer, job: Job, dispatcher: Couriers) -> None:
    attach(admin, events=["run.succeeded"])
    job.begin()
    job.add_everything()
    job.push()

    dispatcher.run_until_idle()

    assert "attestation" not in told(receiver)[0][1]["data"]


def test_every_try_sends_the_same_id_and_body(
    admin: Any, receiver: StubServer, job: Job, dispatcher: Couriers, clock: Clock
) -> None:
    attach(admin, events=RUNS)
    receiver.replies = [Reply(500), Reply(503, headers={"Retry-After": "7"}), TAKEN]
    job.begin()

    for seconds in (2, 6, 3):
        dispatcher.run_until_idle()
        clock.advance(seconds=seconds)
    dispatcher.run_until_idle()

    seen = [seen for seen, _ in told(receiver)]
    assert len(seen) == 3
    assert len({(each.body, each.headers["webhook-id"]) for each in seen}) == 1
    assert len({each.headers["webhook-timestamp"] for each in seen}) == 3


def state_after(admin: Any, dispatcher: Couriers) -> tuple[str, str]:
    dispatcher.run_until_idle()
    found = admin.get("/deliveries").json["items"][-1]
    return found["state"], found["outcomeCode"]


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (200, "delivered"),
        (202, "delivered"),
        (302, "dead"),
        (307, "dead"),
        (400, "pending"),
        (401, "pending"),
        (404, "pending"),
        (410, "pending"),
        (429, "pending"),
        (500, "pending"),
    ],
)
def test_an_answer_means_what_the_documentation_says(
    admin: Any, receiver: StubServer, job: Job, dispatcher: Couriers, status: int, state: str
) -> None:
    attach(admin, events=RUNS)
    receiver.replies = [Reply(status, headers={"Location": f"{receiver.url}/elsewhere"})]
    job.begin()

    assert state_after(admin, dispatcher) == (state, str(status))
    assert {seen.path for seen in receiver.seen} == {"/hook"}


@pytest.mark.parametrize("status", [401, 410])
def test_a_receiver_that_does_not_take_us_gets_nothing_until_its_registration_is_changed(
    admin: Any, receiver: StubServer, job: Job, dispatcher: Couriers, status: int
) -> None:
    attach(admin, events=RUNS)
    registration = admin.get("/registrations").json["items"][0]["id"]
    receiver.replies = [Reply(status)]
    job.begin()
    dispatcher.run_until_idle()
    job.add_everything()
    job.push()
    dispatcher.run_until_idle()
    assert len(told(receiver)) == 1
    assert admin.get(f"/registrations/{registration}").json["state"] == "paused"

    receiver.replies = [TAKEN]
    admin.patch(f"/registrations/{registration}", json={"credentials": {"secret": OTHER_SECRET}})
    dispatcher.run_until_idle()

    assert kinds(receiver)[1:4] == ["run.initialized", "attestation.stored", "run.succeeded"]


def test_a_message_that_is_refused_again_and_again_is_given_up_and_told(
    admin: Any, receiver: StubServer, job: Job, dispatcher: Couriers, clock: Clock
) -> None:
    attach(admin, events=["run.initialized"])
    receiver.replies = [Reply(422)]
    job.begin()

    for _ in range(MAX_REFUSALS + 2):
        dispatcher.run_until_idle()
        clock.advance(minutes=20)

    assert len(told(receiver)) == MAX_REFUSALS
    assert admin.get("/deliveries").json["items"][0]["state"] == "dead"
    assert admin.get("/events?event=delivery.dead").json["items"] != []


def test_a_receiver_that_hangs_up_is_tried_again(
    admin: Any, receiver: StubServer, job: Job, dispatcher: Couriers, clock: Clock
) -> None:
    attach(admin, events=RUNS)
    receiver.replies = [Reply(cut=0), TAKEN]
    job.begin()

    dispatcher.run_until_idle()
    clock.advance(seconds=2)
    dispatcher.run_until_idle()

    delivery = admin.get("/deliveries").json["items"][0]
    detail = admin.get(f"/deliveries/{delivery['id']}").json
    assert [attempt["code"] for attempt in detail["tries"]] == ["egress-unreachable", "204"]


def test_r44_a_receiver_never_sees_another_organizations_events(
    api: Any, admin: Any, receiver: StubServer, job: Job, dispatcher: Couriers, rival: Tenant
) -> None:
    with stub_server() as theirs:
        theirs.replies = [TAKEN]
        other = api(rival.token("admin"))
        register(other, theirs)
        attach(other, events=["*"])
        job.begin()
        dispatcher.run_until_idle()

        assert told(theirs) == []
