"""R47: what statuses name depends on who reads the repository, and on what an operator allowed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from server.dispatch_wiring import build_dispatcher
from server.wiring import Services
from tests.forges.checked import checked_github
from tests.integration.server.conftest import Clock, Tenant
from tests.integration.server.forge_world import ForgeWorld
from tests.integration.server.jobs import Job
from tests.integration.server.judged import Repository


@pytest.fixture
def world(services: Services, client: FlaskClient, acme: Tenant, clock: Clock) -> Iterator[ForgeWorld]:
    with checked_github(clock=clock) as forge:
        yield ForgeWorld(services, client, acme, forge)


@pytest.fixture
def repository(services: Services, api: Any, acme: Tenant, job: Job) -> Repository:
    """Return a repository that nobody told anything of, with a commit whose attestation lacks all but the version."""
    made = Repository(services, api, acme)
    made.register()
    made.see_head()
    made.see_run()
    job.begin()
    job.add_string("version", "1.2.3")
    assert job.push().status_code == 422
    return made


@pytest.fixture
def allow(api: Any, acme: Tenant, repository: Repository) -> Callable[..., Any]:
    """Return what says whether the repository's statuses may name things."""

    def allow(allowed: bool, role: str = "operate", scope: str = "organization") -> Any:
        path = f"/sources/{repository.source_id}"
        return api(acme.token(role, scope)).patch(path, json={"namesInPublic": allowed})

    return allow


def described(repository: Repository) -> str:
    said = repository.said()
    assert said is not None
    return said.description


def sources_of(world: ForgeWorld) -> Any:
    return world.operator.get("/sources").json["items"]


def test_names_are_told_when_an_operator_allows_it_and_taken_back_with_that(
    repository: Repository, allow: Callable[..., Any], clock: Clock
) -> None:
    before = described(repository)
    allowed = allow(True)
    clock.advance(seconds=1)
    named = described(repository)
    allow(False)
    clock.advance(seconds=1)

    assert (allowed.status_code, allowed.json["namesInPublic"], allowed.json.get("public")) == (200, True, None)
    assert named.startswith("missing: binary, sbom, image")
    assert described(repository) == before == "4 of 5 materials missing"


def test_who_allows_it_is_in_the_audit_log_once(
    repository: Repository, allow: Callable[..., Any], api: Any, acme: Tenant
) -> None:
    for _ in range(2):
        allow(True)

    [record] = api(acme.token("admin")).get("/audit-records?action=source.settings-changed").json["items"]
    assert record["detail"] == {
        "source": "github:acme/app",
        "namesInPublic": True,
        "untrustedHeadsPass": False,
        "tokenIsProtected": False,
    }


@pytest.mark.parametrize(
    ("role", "scope"), [("attest", "organization"), ("read", "organization"), ("operate", "project")]
)
def test_r1_whoever_does_not_operate_the_organization_allows_nothing(
    repository: Repository, allow: Callable[..., Any], role: str, scope: str
) -> None:
    assert allow(True, role, scope).status_code == 403


def test_a_source_that_is_there_first_hears_from_the_registration_who_reads_it(world: ForgeWorld) -> None:
    world.bind("app/build")
    before = sources_of(world)[0].get("public")

    world.attach()

    assert (before, sources_of(world)[0]["public"]) == (None, False)


@pytest.mark.parametrize("how", ["daily", "asked"])
def test_what_is_opened_to_the_public_is_noticed_by_the_next_check_and_named_no_more(
    world: ForgeWorld, job: Job, services: Services, clock: Clock, how: str
) -> None:
    world.register()
    pull = world.propose()
    run = world.begin(job, world.sha, "pull_request", pull)
    assert world.job.push().status_code == 422
    world.settle()
    before = world.forge.statuses(world.sha, "chainloop/app/build")[-1]
    world.repository.is_private = False

    if how == "daily":
        dispatcher = build_dispatcher(
            services.config, services.world, services.database, services.transport, holder="one"
        )
        assert dispatcher.run(only_due=False)
    else:
        [registered] = world.admin.get("/registrations").json["items"]
        assert world.admin.post(f"/registrations/{registered['id']}/check").status_code == 200
    clock.advance(seconds=1)
    world.settle()

    after = world.forge.statuses(world.sha, "chainloop/app/build")[-1]
    assert run.last.status == "in_progress"
    assert sources_of(world)[0]["public"] is True
    assert "sbom" in (before.description or "")
    assert after.description == "5 of 5 materials missing"
    assert before.state == after.state == "failure"
