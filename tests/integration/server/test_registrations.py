"""Registered integrations: checked against the third party, credentials sealed and never shown (R43-R45)."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from server.config import ServerConfig
from server.model.events import EventKind
from server.store import events, registrations
from server.wiring import Services
from tests.integration.server.conftest import Tenant
from tests.integration.server.receivers import OTHER_SECRET, SECRET, TAKEN, register
from tests.unit.stub_server import Reply, StubServer, stub_server


@pytest.fixture
def receiver() -> Iterator[StubServer]:
    with stub_server() as stub:
        stub.replies = [TAKEN]
        yield stub


@pytest.fixture
def admin(api: Any, acme: Tenant) -> Any:
    return api(acme.token("admin"))


def happened(services: Services, tenant: Tenant) -> list[str]:
    with services.database.read() as connection:
        return [event.kind.value for event in events.list_page(connection, tenant.id, before=None, limit=100)][::-1]


def test_a_registration_is_written_after_the_receiver_has_taken_a_test_message(
    admin: Any, receiver: StubServer
) -> None:
    made = register(admin, receiver)

    assert made.status_code == 201, made.text
    assert [json.loads(seen.body)["type"] for seen in receiver.seen] == ["integration.tested"]
    assert made.json["state"] == "active"
    assert made.json["credentials"] == ["secret"]
    assert admin.get("/registrations").json["items"] == [made.json]


@pytest.mark.parametrize(
    ("reply", "words"),
    [(Reply(401), "another one"), (Reply(302, headers={"Location": "/x"}), "redirects"), (Reply(500), "500")],
)
def test_nothing_is_written_when_the_receiver_does_not_take_it(
    admin: Any, receiver: StubServer, reply: Reply, words: str
) -> None:
    receiver.replies = [reply]

    refused = register(admin, receiver)

    assert refused.status_code == 422
    assert words in refused.json["detail"]
    assert admin.get("/registrations").json["items"] == []


def test_a_receiver_that_is_not_there_is_named_without_its_path(admin: Any, receiver: StubServer) -> None:
    receiver.close()

    refused = register(admin, receiver, url=f"{receiver.url}/services/T0/canary")

    assert (refused.status_code, refused.json["code"]) == (422, "egress-unreachable")
    assert "canary" not in refused.text
    # `stub_server` closes it once more.
    receiver.close = lambda: None  # type: ignore[method-assign]


@pytest.mark.parametrize(
    "url",
    ["https://10.0.0.1/hook", "https://169.254.169.254/latest", "http://8.8.8.8/hook", "file:///etc/passwd", ""],
)
def test_r45_an_address_that_is_not_public_is_refused_before_anything_is_asked(
    admin: Any, receiver: StubServer, url: str
) -> None:
    refused = register(admin, receiver, url=url)

    assert refused.status_code == 422
    assert refused.json["findings"][0]["path"] == "/url"
    assert receiver.seen == []


@pytest.mark.parametrize(
    "credentials",
    [
        {},
        {"previous-secret": SECRET},
        {"secret": "whsec_c2hvcnQ="},
        {"secret": ""},
        {"secret": SECRET, "token": "canary"},
    ],
)
def test_credentials_that_do_not_fit_are_refused_and_not_shown(
    admin: Any, receiver: StubServer, credentials: dict[str, str]
) -> None:
    refused = register(admin, receiver, credentials=credentials)

    assert refused.status_code == 422
    assert receiver.seen == []
    assert not any(value and value in refused.text for value in credentials.values())


@pytest.mark.parametrize("credentials", ["canary-value", {"secret": {"value": "canary-value"}}, ["canary-value"]])
def test_a_credential_of_a_wrong_form_does_not_come_back(admin: Any, receiver: StubServer, credentials: Any) -> None:
    refused = register(admin, receiver, credentials=credentials)

    assert refused.status_code == 422
    assert "canary-value" not in refused.text


def test_r44_a_credential_is_neither_shown_nor_stored_in_the_clear(
    services: Services, admin: Any, receiver: StubServer
) -> None:
    made = register(admin, receiver, url=f"{receiver.url}/hook?token=canary-query")

    with services.database.read() as connection:
        row = connection.execute(text("SELECT * FROM registrations")).mappings().one()
        audits = connection.execute(text("SELECT detail FROM audit_records")).scalars().all()
    shown = made.text + admin.get(f"/registrations/{made.json['id']}").text
    assert SECRET not in shown
    assert "canary-query" not in shown + " ".join(audits)
    assert SECRET not in str(dict(row))
    assert made.json["url"].endswith("/hook?…")


def test_r44_another_address_needs_the_credentials_again(admin: Any, receiver: StubServer) -> None:
    made = register(admin, receiver).json["id"]
    with stub_server() as other:
        other.replies = [TAKEN]

        refused = admin.patch(f"/registrations/{made}", json={"url": f"{other.url}/hook"})
        taken = admin.patch(
            f"/registrations/{made}", json={"url": f"{other.url}/hook", "credentials": {"secret": OTHER_SECRET}}
        )

        assert (refused.status_code, taken.status_code) == (422, 200)
        assert "again" in refused.json["hint"]
        # One message: the old secret was never seen by the new address.
        assert len(other.seen) == 1
        assert taken.json["credentials"] == ["secret"]


def test_r44_a_sealed_credential_that_is_moved_to_another_host_does_not_open(
    services: Services, admin: Any, acme: Tenant, receiver: StubServer
) -> None:
    made = register(admin, receiver).json["id"]
    with stub_server() as thief:
        thief.replies = [TAKEN]
        with services.database.write() as connection:
            connection.execute(text("UPDATE registrations SET host = :host"), {"host": f"{thief.url}/hook"})

        refused = admin.post(f"/registrations/{made}/check")

        assert (refused.status_code, refused.json["code"]) == (500, "secret-unreadable")
        assert thief.seen == []


def test_a_credential_whose_key_is_lost_is_entered_anew_once_the_operator_gives_another_key(
    admin: Any, receiver: StubServer, config: ServerConfig
) -> None:
    made = register(admin, receiver).json["id"]
    config.secret_key_path.unlink()

    refused = admin.patch(f"/registrations/{made}", json={"settings": {}})
    too_early = admin.patch(f"/registrations/{made}", json={"credentials": {"secret": OTHER_SECRET}})
    config.secret_key_path.write_bytes(base64.b64encode(b"n" * 32))
    taken = admin.patch(f"/registrations/{made}", json={"credentials": {"secret": OTHER_SECRET}})

    assert (refused.status_code, refused.json["code"]) == (500, "secret-unreadable")
    assert (too_early.status_code, too_early.json["code"]) == (500, "secret-key-missing")
    assert "openssl rand" in too_early.json["hint"]
    assert (taken.status_code, taken.json["credentials"]) == (200, ["secret"])


def test_r44_a_credential_is_not_entered_anew_for_a_host_that_was_changed_in_the_database(
    services: Services, admin: Any, receiver: StubServer
) -> None:
    made = register(admin, receiver).json["id"]
    with stub_server() as thief:
        thief.replies = [TAKEN]
        with services.database.write() as connection:
            connection.execute(text("UPDATE registrations SET host = :host"), {"host": f"{thief.url}/hook"})

        refused = admin.patch(f"/registrations/{made}", json={"credentials": {"secret": OTHER_SECRET}})

        assert (refused.status_code, refused.json["code"]) == (500, "secret-unreadable")
        assert thief.seen == []


def test_a_new_secret_signs_together_with_the_old_one_until_that_is_dropped(admin: Any, receiver: StubServer) -> None:
    made = register(admin, receiver).json["id"]

    rotated = admin.patch(f"/registrations/{made}", json={"credentials": {"secret": OTHER_SECRET}})
    dropped = admin.patch(f"/registrations/{made}", json={"droppedCredentials": ["previous-secret"]})

    assert rotated.json["credentials"] == ["previous-secret", "secret"]
    assert dropped.json["credentials"] == ["secret"]
    assert [len(seen.headers["webhook-signature"].split()) for seen in receiver.seen] == [1, 2, 1]


def test_a_change_ends_a_pause_and_is_told(services: Services, admin: Any, acme: Tenant, receiver: StubServer) -> None:
    made = register(admin, receiver).json["id"]
    paused = admin.post(f"/registrations/{made}/pause").json

    changed = admin.patch(f"/registrations/{made}", json={"credentials": {"secret": OTHER_SECRET}}).json

    assert (paused["state"], changed["state"]) == ("paused", "active")
    assert paused["pausedReason"] == "paused by admin-organization"
    assert happened(services, acme)[-2:] == [EventKind.INTEGRATION_PAUSED, EventKind.INTEGRATION_RESUMED]


def test_a_refused_change_changes_nothing(admin: Any, receiver: StubServer) -> None:
    before = register(admin, receiver).json
    receiver.replies = [Reply(401)]

    refused = admin.patch(f"/registrations/{before['id']}", json={"credentials": {"secret": OTHER_SECRET}})

    assert refused.status_code == 422
    assert admin.get(f"/registrations/{before['id']}").json == before


def test_what_is_removed_keeps_no_credential_and_its_name_is_free(
    services: Services, admin: Any, acme: Tenant, receiver: StubServer
) -> None:
    made = register(admin, receiver).json["id"]
    admin.post("/attachments", json={"registration": "siem"})

    assert admin.delete(f"/registrations/{made}").status_code == 204

    with services.database.read() as connection:
        gone = registrations.find(connection, acme.id, made)
    assert gone is not None and gone.sealed is None
    assert admin.get(f"/registrations/{made}").status_code == 404
    assert admin.get("/attachments").json["items"] == []
    assert register(admin, receiver).status_code == 201


def test_a_name_is_given_once(admin: Any, receiver: StubServer) -> None:
    register(admin, receiver)

    again = register(admin, receiver)

    assert (again.status_code, len(receiver.seen)) == (409, 1)


def test_what_an_administrator_does_is_audited_without_secrets(admin: Any, receiver: StubServer) -> None:
    made = register(admin, receiver).json["id"]
    for path in ("pause", "resume"):
        admin.post(f"/registrations/{made}/{path}")
    admin.patch(f"/registrations/{made}", json={"credentials": {"secret": OTHER_SECRET}})
    admin.delete(f"/registrations/{made}")

    records = admin.get("/audit-records").json["items"]

    actions = [item["action"] for item in records if item["action"].startswith("integration.")]
    assert actions[::-1] == [
        f"integration.{word}" for word in ("registered", "paused", "resumed", "changed", "removed")
    ]
    assert SECRET not in json.dumps(records)
    assert receiver.host in json.dumps(records)


def test_unknown_settings_are_all_named(admin: Any, receiver: StubServer) -> None:
    refused = register(admin, receiver, settings={"one": 1})

    assert refused.status_code == 422
    assert refused.json["findings"][0]["path"] == "/settings"


def test_the_list_of_integrations_says_what_each_needs(admin: Any) -> None:
    items = admin.get("/integrations").json["items"]

    webhook = next(item for item in items if item["kind"] == "webhook")
    assert webhook["requiredCredentials"] == ["secret"]
    assert webhook["attachmentSchema"]["properties"]["payload"]["enum"] == ["summary", "attestation"]
