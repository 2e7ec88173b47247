"""Deployments that wait for our word: when they are told what, and by whom they may be asked about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from server.app import create_app
from server.config import ServerConfig
from server.integrations.github.entry import GITHUB
from server.model.app_installations import BoundInstallation
from server.model.deliveries import Outcome, OutcomeKind
from server.model.events import Event, EventKind
from server.model.gate_requests import GateState, StoredGateRequest
from server.model.integrations import BoundRepository, StoredAttachment, StoredRegistration
from server.services.gate_requests import GateRequests
from server.services.inbound_follow import InboundFollow
from server.store import app_installations, events, gate_requests, registrations
from server.wiring import Services, World, build_services
from tests.integration.server.conftest import Clock, Tenant
from tests.integration.server.jobs import COMMIT, Job
from tests.integration.server.judged import Repository
from tests.integration.server.telling import couriers
from tests.integration.server.webhooks import Hook

HOST = "https://github.com"
INSTALLATION = 5001


@pytest.fixture
def repository(services: Services, api: Any, acme: Tenant) -> Repository:
    found = Repository(services, api, acme)
    found.register()
    register(services, acme)
    return found


APP = BoundRepository(HOST, "4711", "acme/app")


def register(
    services: Services, tenant: Tenant, repository: BoundRepository = APP, **settings: Any
) -> StoredRegistration:
    """Let an organization have an App's installation for a repository."""
    world = services.world
    found = StoredRegistration(
        world.new_id(), tenant.id, "github", f"forge-{world.new_id()[:8]}", world.now(), "somebody",
        host=HOST, settings={"appId": 7, "installationId": INSTALLATION, **settings},
        credential_names=("app-private-key",),
        repositories=(repository,),
    )  # fmt: skip
    with services.database.write() as connection:
        registrations.add(connection, found)
        bound = BoundInstallation(found.host, str(INSTALLATION), tenant.id, "acme", "somebody", world.now())
        app_installations.add(connection, bound)
        attachment = StoredAttachment(world.new_id(), tenant.id, found.id, "github", world.now(), "somebody")
        registrations.add_attachment(connection, attachment)
    return found


def ask(repository: Repository, tenant: Tenant | None = None, **changes: Any) -> None:
    """Hear from the App's endpoint that a deployment waits."""
    world, services = repository.services.world, repository.services
    facts = {"environment": "production", "ciRunId": "88", "sha": COMMIT, "repositoryId": "4711"}
    facts |= {"installationId": str(INSTALLATION), "repository": "acme/app", **changes}
    owner = (tenant or repository.tenant).id
    event = Event(world.new_id(), owner, EventKind.GATE_REQUESTED, world.now(), "88/production", facts=facts)
    with services.database.write() as connection:
        events.add(connection, event)


def told(repository: Repository, tenant: Tenant | None = None) -> list[tuple[str, str]]:
    """Let the dispatcher work, and return state and comment of every answer, the first first."""
    services = repository.services
    gates = GateRequests(services.world.now, services.world.new_id, HOST)
    judge = repository.judge()
    seen = InboundFollow(services.world.now, services.world.new_id)
    silent = replace(GITHUB, deliver=lambda *_: Outcome(OutcomeKind.DELIVERED, "200"))
    first = (partial(seen.handle_some, services.database),)
    work = couriers(services, silent, follow=(judge.follow, gates.follow), first=first)
    work.run_until_idle()
    while judge.judge_due():
        work.run_until_idle()
    with services.database.read() as connection:
        page = events.list_page(connection, (tenant or repository.tenant).id, before=None, limit=1000)
    answers = [event.facts for event in page[::-1] if event.kind is EventKind.GATE_ANSWERED]
    return [(str(item["state"]), str(item["comment"])) for item in answers]


def attest(repository: Repository, job: Job) -> None:
    repository.see_run()
    job.begin()
    job.add_everything()
    assert job.push().status_code in (200, 201)
    repository.end_run()


def test_r36_a_deployment_of_a_compliant_commit_is_approved_at_once(repository: Repository, job: Job) -> None:
    repository.see_head()
    attest(repository, job)
    ask(repository)

    [(state, comment)] = told(repository)
    assert state == "approved"
    assert comment.startswith("- passes: app/build")


def test_r36_a_deployment_waits_while_the_attestation_may_come_and_goes_on_when_it_has(
    repository: Repository, job: Job
) -> None:
    repository.see_head()
    ask(repository)
    before = told(repository)
    attest(repository, job)

    assert [state for state, _ in before] == ["waiting"]
    assert [state for state, _ in told(repository)] == ["waiting", "approved"]


def test_a_deployment_that_waits_for_a_registration_that_was_removed_is_answered_no_more(
    repository: Repository, job: Job
) -> None:
    repository.see_head()
    ask(repository)
    before = [state for state, _ in told(repository)]
    services = repository.services
    with services.database.write() as connection:
        (kept,) = registrations.list_page(connection, repository.tenant.id, after=None, limit=2)
        registrations.save(connection, replace(kept, removed_at=services.world.now()))

    attest(repository, job)

    assert before == ["waiting"]
    assert [state for state, _ in told(repository)] == before


def test_r36_a_deployment_of_a_commit_whose_attestation_is_missing_is_rejected_with_the_reason(
    repository: Repository, clock: Clock
) -> None:
    repository.see_head()
    ask(repository)
    told(repository)
    clock.advance(minutes=31)

    state, comment = told(repository)[-1]
    assert state == "rejected"
    assert "no attestation within 30 min" in comment


@pytest.mark.parametrize("settings", [{}, {"environments": {"production": ["app/build"]}}])
def test_r47_a_deployment_of_a_public_repository_is_told_numbers_and_no_names(
    services: Services, api: Any, acme: Tenant, job: Job, settings: dict[str, Any]
) -> None:
    repository = Repository(services, api, acme)
    repository.register()
    register(services, acme, **settings)
    repository.see_head()
    repository.see_run()
    job.begin()
    job.add_string("version", "1.2.3")
    assert job.push().status_code == 422
    ask(repository)
    _, kept_back = told(repository)[-1]

    repository.allow_names()
    ask(repository)
    _, named = told(repository)[-1]

    assert "4 of 5 materials missing" in kept_back
    assert "sbom" not in kept_back
    assert "sbom" in named


def test_r47_a_deployment_of_a_repository_that_is_no_source_is_told_no_names(
    services: Services, api: Any, acme: Tenant, job: Job
) -> None:
    repository = Repository(services, api, acme)
    repository.register()
    repository.allow_names()
    register(services, acme, BoundRepository(HOST, "4712", "acme/site"), environments={"production": ["app/build"]})
    repository.see_head()
    repository.see_run()
    job.begin()
    job.add_string("version", "1.2.3")
    assert job.push().status_code == 422

    ask(repository, repositoryId="4712")

    _, comment = told(repository)[-1]
    assert "4 of 5 materials missing" in comment
    assert "sbom" not in comment


def test_r36_an_environment_needs_the_workflows_that_an_administrator_named(
    services: Services, api: Any, acme: Tenant, job: Job
) -> None:
    repository = Repository(services, api, acme)
    repository.register()
    register(services, acme, environments={"production": ["app/build", "app/deploy"], "staging": ["app/build"]})
    repository.see_head()
    attest(repository, job)

    ask(repository, environment="staging")
    ask(repository, environment="production")

    (staging, _), (production, comment) = told(repository)
    assert (staging, production) == ("approved", "rejected")
    assert "app/deploy has no source" in comment.replace("&#45;", "-")


def test_r36_another_spelling_of_an_environment_opens_nothing(
    services: Services, api: Any, acme: Tenant, job: Job
) -> None:
    repository = Repository(services, api, acme)
    repository.register()
    register(services, acme, environments={"production": ["app/build", "app/deploy"], "PRODUCTION": ["app/sign"]})
    repository.see_head()
    attest(repository, job)

    ask(repository, environment="Production")

    state, comment = told(repository)[-1]
    assert state == "rejected"
    assert all(name in comment for name in ("app/build", "app/deploy", "app/sign"))


def test_r33_a_commit_that_no_forge_told_of_is_rejected(repository: Repository) -> None:
    ask(repository, sha="f" * 40)

    [(state, comment)] = told(repository)
    assert (state, "no forge told of commit" in comment) == ("rejected", True)


def test_r31_of_a_pull_request_its_head_is_judged_and_not_the_test_merge(repository: Repository, job: Job) -> None:
    repository.see_head()
    attest(repository, job)
    repository.see_run("88")
    ask(repository, sha="e" * 40)

    assert told(repository)[-1][0] in ("waiting", "approved")


@pytest.mark.parametrize("changes", [{"installationId": "5002"}, {"repositoryId": "4712"}, {"ciRunId": None}])
def test_r42_an_installation_or_a_repository_that_nobody_here_speaks_for_is_not_answered(
    repository: Repository, job: Job, changes: dict[str, Any]
) -> None:
    repository.see_head()
    attest(repository, job)
    ask(repository, **changes)

    assert told(repository) == []


def test_r42_another_organizations_installation_answers_nothing_of_ours(
    repository: Repository, rival: Tenant, job: Job
) -> None:
    register(repository.services, rival)
    repository.see_head()
    attest(repository, job)
    ask(repository, rival)

    assert (told(repository), told(repository, rival)) == ([], [])


def test_r42_the_registration_of_the_installation_that_was_told_answers_and_no_other(
    services: Services, api: Any, acme: Tenant, clock: Clock, job: Job
) -> None:
    repository = Repository(services, api, acme)
    repository.register()
    own = register(services, acme)
    clock.advance(seconds=1)
    register(services, acme, installationId=5002)
    repository.see_head()
    ask(repository)
    told(repository)

    with services.database.read() as connection:
        page = events.list_page(connection, acme.id, before=None, limit=1000)
    answers = [event.only_registration_id for event in page if event.kind is EventKind.GATE_ANSWERED]
    assert answers == [own.id]


def test_r36_what_waits_for_a_commit_is_the_organization_s_own_and_the_oldest_comes_first(
    services: Services, acme: Tenant, rival: Tenant
) -> None:
    own, foreign = register(services, acme), register(services, rival)
    first = waiting(own)
    later = replace(first, environment="staging", requested_at=first.requested_at + timedelta(seconds=1))
    another_commit = replace(first, ci_run_id="89", sha="f" * 40)
    answered = replace(first, ci_run_id="90", state=GateState.APPROVED)

    with services.database.write() as connection:
        for each in (later, first, waiting(foreign), another_commit, answered):
            gate_requests.put(connection, each)
        found = gate_requests.list_waiting(connection, acme.id, COMMIT)

    assert found == [first, later]


def waiting(registration: StoredRegistration) -> StoredGateRequest:
    """Return a deployment to production that waits."""
    owner, asked = registration.organization_id, registration.created_at
    return StoredGateRequest(owner, registration.id, HOST, "4711", "acme/app", "88", "production", COMMIT, asked)


def test_what_was_answered_is_not_answered_again_unless_it_is_asked_again(
    api: Any, acme: Tenant, repository: Repository, job: Job
) -> None:
    repository.see_head()
    attest(repository, job)
    ask(repository)
    first = told(repository)
    body = {"kind": "block", "reason": "broken into", "workflowId": acme.workflows["app/build"]}
    assert api(acme.token("operate")).post("/overrides", json=body).status_code == 201

    unasked = told(repository)
    ask(repository)

    assert unasked == first
    assert [state for state, _ in told(repository)] == ["approved", "rejected"]


APP_SECRET = "a secret of the App's webhook"
FOREIGN = "https://attacker.test/repos/acme/app/actions/runs/88/deployment_protection_rule"


@pytest.fixture
def app_hook(
    config: ServerConfig, services: Services, clock: Clock, content_checker: Any, acme: Tenant
) -> Iterator[Hook]:
    """Return the App's webhook on a server whose operator configured it; the installation is acme's."""
    own = build_services(
        replace(config, github_app_webhook_secrets=(APP_SECRET,)), World(now=clock, checker=content_checker)
    )
    yield Hook(create_app(own).test_client(), clock, "", "/webhooks/github-app", APP_SECRET, "")
    own.database.engine.dispose()


def test_r43_a_signed_payload_with_a_foreign_callback_gets_its_answer_at_the_registration_s_host(
    repository: Repository, job: Job, app_hook: Hook
) -> None:
    repository.see_head()
    attest(repository, job)
    payload = {
        "action": "requested", "environment": "production", "event": "push", "deployment_callback_url": FOREIGN,
        "deployment": {"id": 5, "sha": COMMIT, "ref": "main"}, "installation": {"id": INSTALLATION},
        "repository": {"id": 4711, "full_name": "acme/app"},
    }  # fmt: skip

    answer = app_hook.github("deployment_protection_rule", payload)

    assert answer.status_code == 202
    assert [state for state, _ in told(repository)] == ["approved"]
    with repository.services.database.read() as connection:
        page = events.list_page(connection, repository.tenant.id, before=None, limit=1000)
        sent = deliveries_of(connection)
    [facts] = [event.facts for event in page if event.kind is EventKind.GATE_ANSWERED]
    assert facts["repository"] == {"kind": "github", "host": "https://github.com", "id": "4711", "name": "acme/app"}
    assert "attacker" not in str([event.facts for event in page])
    assert [part for part in sent if part == "protection"] == ["protection"]


def deliveries_of(connection: Any) -> list[str]:
    return list(connection.exec_driver_sql("SELECT part FROM deliveries ORDER BY sequence").scalars())
