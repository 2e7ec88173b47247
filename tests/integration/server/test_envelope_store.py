"""The envelope table at the control plane's door: `store` takes one form, and nothing ambiguous (R9, R10)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from chainloop_ci.digests import sha256_digest
from server.app import create_app
from server.config import ServerConfig
from server.content_check.checker import ContentChecker
from server.store import schema
from server.wiring import World, build_services
from tests.integration.envelope import Attested, Row, Stored
from tests.integration.envelope_rows import ROWS
from tests.integration.server.conftest import Api, Clock, make_tenant
from tests.integration.server.jobs import Job, Key, put_contract, register_key


@pytest.fixture(scope="module")
def begin(tmp_path_factory: pytest.TempPathFactory, content_checker: ContentChecker) -> Iterator[Callable[[], Job]]:
    """Return what begins a run on one control plane and adds everything that its contract asks for."""
    clock = Clock()
    config = ServerConfig(data=tmp_path_factory.mktemp("data"), min_free_bytes=0)
    services = build_services(config, World(now=clock, checker=content_checker))
    schema.upgrade(services.database.engine)
    client = create_app(services).test_client()
    acme, key = make_tenant(services, clock, client, "acme"), Key()

    def api(secret: str) -> Api:
        return Api(client, secret)

    put_contract(api, acme)
    register_key(api, acme, key)

    def make() -> Job:
        job = Job(api(acme.token("attest", "workflow")), acme, key)
        assert job.begin().status_code == 201
        job.add_everything()
        return job

    yield make
    services.database.engine.dispose()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_r9_r10_store_of_a_bundle(begin: Callable[[], Job], row: Row) -> None:
    job = begin()
    bundle = row.spoil(Attested(job.payload(), job.key.private))

    answer = job.push(bundle)

    run = job.api.get(job.path).json["run"]
    if isinstance(row.store, Stored):
        assert answer.status_code == 201, answer.text
        assert (run["state"], answer.json["verified"]) == ("success", True)
        assert run["attestationDigest"] == sha256_digest(bundle)
    else:
        assert 400 <= answer.status_code < 500, answer.text
        found = {answer.json["code"], *(finding["code"] for finding in answer.json.get("findings", ()))}
        assert row.store.finding in found, answer.json
        assert run["state"] == "initialized"
