"""R11: when contents cannot be checked just now, nothing is decided: no store, no refusal; the client comes again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from chainloop_ci.digests import sha256_digest
from server.app import create_app
from server.config import ServerConfig
from server.content_check.checker import ContentChecker
from server.content_check.limits import MIN_MEMORY_BYTES
from server.wiring import World, build_services
from tests.integration.server.conftest import Api, Clock, Tenant
from tests.integration.server.jobs import Job


@pytest.fixture
def small_checker() -> Iterator[ContentChecker]:
    """Return a checker with memory for one document at a time."""
    checker = ContentChecker(MIN_MEMORY_BYTES)
    yield checker
    checker.close()


@pytest.fixture
def ready(job: Job, acme: Tenant, config: ServerConfig, clock: Clock, small_checker: ContentChecker) -> Iterator[Job]:
    """Return a job that only has to push, to a server with that checker."""
    job.begin()
    job.add_everything()
    services = build_services(config, World(now=clock, checker=small_checker))
    yield replace(job, api=Api(create_app(services).test_client(), acme.token("attest", "workflow")))
    services.database.engine.dispose()


def test_r11_a_store_that_cannot_be_checked_now_is_put_off(ready: Job, small_checker: ContentChecker) -> None:
    with small_checker.session("another organization", 1):
        put_off = ready.push()
    again = ready.push()

    assert (put_off.status_code, put_off.json["code"]) == (503, "checker-busy")
    assert put_off.headers["Retry-After"]
    assert again.status_code == 201
    assert ready.api.get(ready.path).json["run"]["refusals"] == 0


def test_r11_documents_are_checked_up_to_what_the_memory_allows(ready: Job, small_checker: ContentChecker) -> None:
    large = b'{"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1}' + b" " * (MIN_MEMORY_BYTES // 12)
    assert ready.upload(large, "sbom.json").status_code == 201
    ready.replace_material(
        "sbom", digest=sha256_digest(large), size_bytes=len(large), main_component=None, annotations={}
    )

    stored = ready.push()

    assert stored.status_code == 201
    assert "sbom: not checked: larger than 5 MiB" in stored.json["verification"]["content"]["reason"]
