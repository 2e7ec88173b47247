"""All lies at once, on one live scene: the server, its dispatcher, a forge, and hosts that nobody should speak to."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from server.config import ServerConfig
from server.wiring import Services
from tests.integration.server.app_world import app_server, as_app
from tests.integration.server.conftest import Clock, Tenant
from tests.integration.server.forge_world import NAME
from tests.integration.server.jobs import Job
from tests.integration.server.liars import OWN_DIGEST, SECRET, Liars
from tests.integration.server.strangers import Connections, Stranger, record_connections, stranger

WAITING = ("pending", "waiting for an attestation")
CLAIMED = ("pending", "commit claimed, not corroborated")
ATTESTED = ("success", "5/5 materials, signed, rev 2")


@pytest.fixture
def foreign() -> Iterator[Stranger]:
    with stranger() as found:
        yield found


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Connections:
    return record_connections(monkeypatch)


@pytest.fixture
def liars(
    config: ServerConfig,
    services: Services,
    acme: Tenant,
    rival: Tenant,
    clock: Clock,
    job: Job,
    foreign: Stranger,
    seen: Connections,
) -> Iterator[Liars]:
    with app_server(config, services, clock) as server:
        given = {"settings": {"surface": "status"}, "template": job, "rival": rival, "foreign": foreign.url}
        made = Liars(server.services, server.client, acme, server.forge, **given)
        made.installation = server.install(made.repository, server.forge.repository(SECRET, is_private=True))
        made.register(**as_app(made.installation, [NAME], environments={"production": ["app/build"]}))
        made.open_two()
        yield made


def test_every_lie_does_what_its_rule_says_and_no_request_leaves_for_a_foreign_host(
    liars: Liars, foreign: Stranger, seen: Connections, clock: Clock
) -> None:
    # R30: a run that claims another pull request's head makes that neither green nor red, nor its own.
    liars.succeed(liars.claim_head_of_victim())
    assert (liars.said(liars.sha), liars.said(liars.mallorys_sha)) == (WAITING, WAITING)
    run = liars.attest_honestly()
    liars.fail(liars.claim_head_of_victim())
    assert liars.said(liars.sha) == ATTESTED

    # R18: attempt 999999 orders nothing: it is claimed, and the real second attempt has the word after it.
    liars.fail(liars.claim_attempt(run, 999_999))
    assert liars.said(liars.sha) == CLAIMED
    liars.attest_again(run)
    assert liars.said(liars.sha) == ATTESTED
    assert "failure" not in liars.states(liars.sha)

    # R30, R44: another repository, or another forge, is neither asked nor told anything, and proves nothing here.
    liars.succeed(liars.claim_repository(SECRET))
    liars.succeed(liars.claim_repository(NAME, foreign.url))
    assert liars.asked_about(SECRET) == []
    assert liars.said(liars.mallorys_sha) == WAITING

    # R42: another tenant gets our installation neither by a key of its own nor by ours, and does not speak as it.
    assert liars.register_as_rival(own_app=True) == (422, "request-invalid")
    assert liars.register_as_rival(own_app=False) == (409, "conflict")
    assert liars.speak_as_installation(clock) == "ignored"

    # R43: a signed protection rule with a foreign callback is answered at the forge.
    deployment = liars.deploy_with_foreign_callback()
    assert [told["state"] for told in deployment.protections] == ["approved"]

    # R40: a forged status in our context is corrected and told.
    liars.forge_status(liars.mallorys_sha)
    assert liars.states(liars.mallorys_sha)[-2:] == ["success", "pending"]
    assert [event.facts["by"] for event in liars.events("status.forged")] == ["mallory"]

    # R36: a throw-away workflow opens no gate that does not name it, whatever it attests.
    liars.attest_by_throw_away_workflow()
    assert liars.last(liars.sha, "chainloop/app/deploy")[0] == "success"
    assert liars.ask_gate(workflows=["app/build"], digest=OWN_DIGEST) == (False, ["not-attested"])
    assert liars.ask_gate(workflows=["app/build"], commit=liars.sha) == (False, ["expected"])
    deployment = liars.deploy()
    clock.advance(minutes=31)
    liars.settle()
    assert [told.get("state") for told in deployment.protections] == [None, "rejected"]

    # Of all of them, none made us speak to anybody but the forge.
    assert seen.strangers(liars.forge.url) == []
    assert foreign.callers == []


def test_whoever_speaks_to_a_stranger_is_seen(foreign: Stranger, seen: Connections) -> None:
    host, _, port = foreign.url.rpartition("/")[2].partition(":")

    with socket.create_connection((host, int(port))) as connected:
        assert connected.recv(1) == b""

    assert seen.strangers("http://127.0.0.1:1") == [host, f"{host}:{port}"]
    assert len(foreign.callers) == 1
