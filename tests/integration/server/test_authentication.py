import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from chainloop_ci.api.access import Role
from server.app import create_app
from server.auth.authenticator import Authenticator
from server.auth.token_text import token_sha256
from server.errors import StoreBusyError, StoreFullError
from server.store import tokens
from server.store.database import Database
from tests.integration.server.conftest import bearer, store_token


def last_use(services, secret):
    with services.database.read() as connection:
        token = tokens.find_by_secret(connection, token_sha256(secret))
    return token.last_used_at, token.last_used_address


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer  ", "Basic abc", "clp_x", "Bearer clp_unknown", "Bearer é", "Bearer " + "x" * 5000],
)
def test_r1_a_request_without_a_known_token_is_not_authenticated(client, acme, header):
    headers = {} if header is None else {"Authorization": header}

    answer = client.get("/api/v1/whoami", headers=headers)

    assert answer.status_code == 401
    assert answer.json["code"] == "not-authenticated"
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_the_scheme_is_read_in_any_case(client, acme):
    headers = {"Authorization": f"bearer {acme.token('read')}"}

    assert client.get("/api/v1/whoami", headers=headers).status_code == 200


def test_r6_an_expired_token_is_refused_with_its_end(client, acme, services, clock):
    secret = store_token(
        services,
        clock,
        name="short",
        role=Role.READ,
        organization_id=acme.id,
        expires_at=clock() + timedelta(hours=1),
    )

    before = client.get("/api/v1/whoami", headers=bearer(secret))
    clock.advance(hours=1)
    after = client.get("/api/v1/whoami", headers=bearer(secret))

    assert before.status_code == 200
    assert after.status_code == 401
    assert "expired at 2026-11-20T13:00:00Z" in after.json["detail"]


def test_r6_the_last_use_is_noted_with_its_address_at_most_once_a_minute(client, acme, services, clock):
    secret = acme.token("read")
    first = clock()

    client.get("/api/v1/whoami", headers=bearer(secret))
    clock.advance(seconds=59)
    client.get("/api/v1/whoami", headers=bearer(secret))
    within = last_use(services, secret)
    clock.advance(seconds=1)
    client.get("/api/v1/whoami", headers=bearer(secret))

    assert within == (first, "127.0.0.1")
    assert last_use(services, secret) == (clock(), "127.0.0.1")


class Unwritable(Database):
    """A database that can only be read."""

    def __init__(self, engine, error):
        super().__init__(engine)
        self._error = error

    def write(self, patience_seconds=None):
        raise self._error


@pytest.mark.parametrize("error", [StoreFullError(), StoreBusyError()])
def test_r8_a_token_is_accepted_while_its_use_cannot_be_noted(services, acme, clock, error):
    secret = acme.token("read")
    authenticator = Authenticator(Unwritable(services.database.engine, error), clock)
    client = create_app(replace(services, authenticator=authenticator)).test_client()

    answer = client.get("/api/v1/projects", headers=bearer(secret))

    assert answer.status_code == 200
    assert last_use(services, secret) == (None, None)


def test_r8_a_reader_does_not_wait_for_those_who_write_until_its_use_is_noted(services, acme, client):
    secret = acme.token("read")
    with closing(sqlite3.connect(services.config.database_path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()

        answer = client.get("/api/v1/projects", headers=bearer(secret))

        waited_seconds = time.monotonic() - began
    assert answer.status_code == 200
    assert waited_seconds < 3


def test_r6_a_refused_token_leaves_no_use(client, acme, services, clock):
    secret = store_token(services, clock, name="over", role=Role.READ, organization_id=acme.id, revoked_at=clock())

    client.get("/api/v1/whoami", headers=bearer(secret))

    assert last_use(services, secret) == (None, None)


def test_an_instance_token_names_its_organization_by_header(client, acme, rival, instance_token):
    headers = bearer(instance_token, Chainloop_Organization="rival")

    answer = client.get("/api/v1/workflows", headers=headers)

    assert {item["organization"] for item in answer.json["items"]} == {"rival"}


def test_an_instance_token_without_organization_is_told_the_header(client, instance_token):
    answer = client.get("/api/v1/workflows", headers=bearer(instance_token))

    assert answer.status_code == 400
    assert "Chainloop-Organization" in answer.json["hint"]


def test_an_instance_token_that_names_nobody_is_not_found(client, instance_token):
    answer = client.get("/api/v1/workflows", headers=bearer(instance_token, Chainloop_Organization="nobody"))

    assert answer.status_code == 404


def test_r1_a_token_cannot_leave_its_organization_by_header(client, acme, rival):
    other = client.get("/api/v1/workflows", headers=bearer(acme.token("admin"), Chainloop_Organization="rival"))
    absent = client.get("/api/v1/workflows", headers=bearer(acme.token("admin"), Chainloop_Organization="nobody"))
    own = client.get("/api/v1/workflows", headers=bearer(acme.token("admin"), Chainloop_Organization="acme"))

    assert (other.status_code, absent.status_code, own.status_code) == (404, 404, 200)
    assert other.json["detail"].replace("rival", "nobody") == absent.json["detail"]


def test_whoami_says_role_and_scope(api, acme):
    answer = api(acme.token("attest", "workflow")).get("/whoami").json

    assert answer["role"] == "attest"
    assert answer["scope"] == {"kind": "workflow", "project": "app", "workflow": "build"}
    assert answer["workflowId"] == acme.workflows["app/build"]
    assert answer["organization"] == "acme"
