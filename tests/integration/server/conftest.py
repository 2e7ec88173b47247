"""An application on a real database of each engine, with two organizations and tokens of every role.

Fixtures for every test of the server:

* `clock`: the server's time; `clock.advance(seconds=…)` moves it.
* `config`, `services`, `app`: over a migrated data folder in `tmp_path`.
* `client`: a Flask test client; pass `headers=bearer(secret)`.
* `acme`, `rival`: two `Tenant`s. Each has the projects `app` and `other`, the workflows `app/build`, `app/deploy` and
  `other/build`, and one token per role and scope in `tokens[(role, scope)]`, scope being `organization`, `project`
  (bound to `app`) or `workflow` (bound to `app/build`).
* `instance_token`: the operator's token.
* `api`: `api(secret).get("/projects")`, `.post(path, json=…)`, …: adds `/api/v1` and the token.
* `forge`, `world`: a GitHub, and a `ForgeWorld` in which `acme` has registered it.
"""

from __future__ import annotations

import ipaddress
import itertools
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from chainloop_ci.api.access import Role
from server.app import create_app
from server.auth.token_text import render_token, token_sha256
from server.config import ServerConfig
from server.model.organizations import StoredOrganization
from server.model.tokens import StoredToken
from server.setting_values import OpenedHost
from server.store import organizations, schema, tokens
from server.wiring import Services, World, build_services

LOOPBACK = (OpenedHost(None, ipaddress.ip_network("127.0.0.0/8")),)
"""What the operator has opened: receivers and forges of tests listen there."""
EPOCH = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@dataclass
class Clock:
    """The time that the server is told."""

    moment: datetime = EPOCH

    def __call__(self) -> datetime:
        return self.moment

    def advance(self, **parts: float) -> None:
        """Move on; the names are those of `timedelta`."""
        self.moment += timedelta(**parts)


@dataclass
class Tenant:
    """An organization with a token per role and scope."""

    id: str
    name: str
    tokens: dict[tuple[str, str], str] = field(default_factory=dict)
    projects: dict[str, str] = field(default_factory=dict)
    """Ids by name."""
    workflows: dict[str, str] = field(default_factory=dict)
    """Ids by `project/workflow`."""

    def token(self, role: str, scope: str = "organization") -> str:
        """Return the secret of the token with that role and scope."""
        return self.tokens[role, scope]


def bearer(secret: str, **headers: str) -> dict[str, str]:
    """Return request headers with a token."""
    return {"Authorization": f"Bearer {secret}", **{name.replace("_", "-"): value for name, value in headers.items()}}


class Api:
    """Requests below `/api/v1` with one token."""

    def __init__(self, client: FlaskClient, secret: str) -> None:
        self._client = client
        self._secret = secret

    def request(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> TestResponse:
        headers = {**bearer(self._secret), **(headers or {})}
        return self._client.open("/api/v1" + path, method=method, headers=headers, **options)

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.request("GET", path, **options)

    def head(self, path: str, **options: Any) -> TestResponse:
        return self.request("HEAD", path, **options)

    def post(self, path: str, **options: Any) -> TestResponse:
        return self.request("POST", path, **options)

    def put(self, path: str, **options: Any) -> TestResponse:
        return self.request("PUT", path, **options)

    def patch(self, path: str, **options: Any) -> TestResponse:
        return self.request("PATCH", path, **options)

    def delete(self, path: str, **options: Any) -> TestResponse:
        return self.request("DELETE", path, **options)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def config(tmp_path: Path, database_url: str) -> ServerConfig:
    return ServerConfig(data=tmp_path, database_url=database_url, min_free_bytes=0, egress_allow=LOOPBACK)


@pytest.fixture
def services(
    config: ServerConfig, clock: Clock, content_checker: Any, request: pytest.FixtureRequest
) -> Iterator[Services]:
    world = World(now=clock, checker=content_checker)
    if not config.database_url:
        shutil.copy(request.getfixturevalue("sqlite_template"), config.database_path)
    services = build_services(config, world)
    schema.require_current(services.database.engine)
    yield services
    services.transport.close()
    services.database.engine.dispose()


@pytest.fixture
def app(services: Services) -> Flask:
    return create_app(services)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def api(client: FlaskClient) -> Any:
    return lambda secret: Api(client, secret)


@pytest.fixture
def instance_token(services: Services, clock: Clock) -> str:
    return store_token(services, clock, name="operator", role=Role.INSTANCE)


@pytest.fixture
def acme(services: Services, clock: Clock, client: FlaskClient) -> Tenant:
    return make_tenant(services, clock, client, "acme")


@pytest.fixture
def rival(services: Services, clock: Clock, client: FlaskClient) -> Tenant:
    return make_tenant(services, clock, client, "rival")


def store_token(services: Services, clock: Clock, *, name: str, role: Role, **scope: str | None) -> str:
    """Put a token into the database and return its secret."""
    number = next(_NUMBERS)
    secret = render_token(number.to_bytes(32, "big"))
    token = StoredToken(
        id=services.world.new_id(),
        name=name,
        role=role,
        secret_sha256=token_sha256(secret),
        created_at=clock(),
        created_by="server",
        **scope,  # type: ignore[arg-type]
    )
    with services.database.write() as connection:
        tokens.add(connection, token)
    return secret


_NUMBERS = itertools.count(1)


def make_tenant(services: Services, clock: Clock, client: FlaskClient, name: str) -> Tenant:
    """Make an organization with its projects, workflows and tokens."""
    tenant = Tenant(services.world.new_id(), name)
    with services.database.write() as connection:
        organizations.add(connection, StoredOrganization(tenant.id, name, clock()))
    for role in (Role.ATTEST, Role.READ, Role.OPERATE, Role.ADMIN):
        tenant.tokens[role.value, "organization"] = store_token(
            services, clock, name=f"{role.value}-organization", role=role, organization_id=tenant.id
        )
    _make_workflows(client, tenant)
    for role in (Role.ATTEST, Role.READ, Role.OPERATE, Role.ADMIN):
        scope = {"organization_id": tenant.id, "project_id": tenant.projects["app"]}
        tenant.tokens[role.value, "project"] = store_token(
            services, clock, name=f"{role.value}-project", role=role, **scope
        )
    scope["workflow_id"] = tenant.workflows["app/build"]
    tenant.tokens["attest", "workflow"] = store_token(
        services, clock, name="attest-workflow", role=Role.ATTEST, **scope
    )
    return tenant


def _make_workflows(client: FlaskClient, tenant: Tenant) -> None:
    operator = Api(client, tenant.token("operate"))
    for project, name in (("app", "build"), ("app", "deploy"), ("other", "build")):
        answer = operator.post("/workflows", json={"name": name, "project": project})
        assert answer.status_code == 201, answer.text
        tenant.workflows[f"{project}/{name}"] = answer.json["id"]
    for item in operator.get("/projects").json["items"]:
        tenant.projects[item["name"]] = item["id"]


@pytest.fixture
def key() -> Any:
    """Return a signing key of `acme`."""
    from tests.integration.server.jobs import Key

    return Key()


@pytest.fixture
def job(api: Any, acme: Tenant, key: Any) -> Any:
    """Return a job of `acme`'s workflow `app/build`, with its contract and its key registered; nothing is begun."""
    from tests.integration.server.jobs import Job, put_contract, register_key

    put_contract(api, acme)
    register_key(api, acme, key)
    return Job(api(acme.token("attest", "workflow")), acme, key)


@pytest.fixture
def forge(clock: Clock) -> Iterator[Any]:
    """Run a GitHub whose requests and answers are held to the published description."""
    from tests.forges.checked import checked_github

    with checked_github(clock=clock) as forge:
        yield forge


@pytest.fixture
def world(services: Services, client: FlaskClient, acme: Tenant, forge: Any, job: Any) -> Any:
    """Return a forge that `acme` has registered, and from which the workflow of `job` comes."""
    from tests.integration.server.forge_world import ForgeWorld

    made = ForgeWorld(services, client, acme, forge)
    made.register()
    return made
