"""R42: an installation of an App is bound to the organization that shows its forge the App's key, and to no other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from examples.forge.github.world import Installation as ForgeInstallation
from examples.forge.github.world import Repository
from server.config import ServerConfig
from server.dispatch_wiring import build_couriers, build_dispatcher
from server.model.app_installations import BoundInstallation, Installation
from server.services.app_installations import bind_installation, bind_installation_if_free
from server.store import app_installations, registrations
from server.wiring import Services
from tests.forges.checked import checked_github
from tests.forges.clients import PUBLIC_PEM
from tests.integration.server.app_world import APP_SECRET, RIGHTS, AppServer, app_server, as_app
from tests.integration.server.audit_log import list_newest
from tests.integration.server.conftest import Api, Clock, Tenant
from tests.integration.server.webhooks import Hook

NAME = "octo-org/app"


class Scene:
    """An App that is installed for one repository, and two organizations that could have it."""

    def __init__(self, server: AppServer, clock: Clock, acme: Tenant, rival: Tenant) -> None:
        self.server, self.clock, self.acme, self.rival = server, clock, acme, rival
        self.repository = server.forge.repository(NAME, is_private=True)
        self.other = server.forge.repository("octo-org/other", is_private=True)
        self.one = server.install(self.repository, self.other)
        self.hook = Hook(server.client, clock, "", "/webhooks/github-app", APP_SECRET, "")

    def api(self, tenant: Tenant) -> Api:
        return Api(self.server.client, tenant.token("admin"))

    def register(self, tenant: Tenant, one: ForgeInstallation | None = None, *names: str, **changed: Any) -> Any:
        body = {
            "kind": "github",
            "name": "forge",
            "url": self.server.forge.url,
            **as_app(one or self.one, names or [NAME]),
        }
        return self.api(tenant).post("/registrations", json={**body, **changed})

    def owners(self) -> list[tuple[str, str]]:
        """Return number and organization of every binding at the App's forge."""
        with self.server.services.database.read() as connection:
            found = [(tenant, app_installations.list_of(connection, tenant.id)) for tenant in (self.acme, self.rival)]
        return [(each.installation_id, tenant.name) for tenant, kept in found for each in kept]

    def hear(self, one: ForgeInstallation | None = None, found: Repository | None = None) -> str:
        """Send a deployment protection rule of an installation to the App's endpoint; return what became of it."""
        ident, found = (one or self.one).id, found or self.repository
        payload = {
            "action": "requested", "environment": "production", "event": "push",
            "deployment_callback_url": f"{self.server.forge.url}/actions/runs/{ident}/deployment_protection_rule",
            "deployment": {"id": 5, "sha": "f" * 40, "ref": "main"}, "installation": {"id": ident},
            "repository": {"id": found.id, "full_name": found.full_name},
        }  # fmt: skip
        answer = self.hook.github("deployment_protection_rule", payload)
        assert answer.status_code in (200, 202), answer.text
        return str(answer.json["status"])

    def settle(self) -> None:
        """Bring what the forge tells of its installations, and let the dispatcher work."""
        services = self.server.services
        for sent in self.server.forge.deliver():
            assert sent.reply is not None
        couriers = build_couriers(services.config, services.world, services.database, services.transport, holder="one")
        couriers.run_until_idle()

    def audited(self, tenant: Tenant) -> list[tuple[str, str]]:
        with self.server.services.database.read() as connection:
            records = list_newest(connection, tenant.id, limit=50)[::-1]
        return [(each.action.value, each.token_id) for each in records if each.action.value.startswith("installation.")]


@pytest.fixture
def scene(config: ServerConfig, services: Services, clock: Clock, acme: Tenant, rival: Tenant) -> Iterator[Scene]:
    with app_server(config, services, clock) as server:
        made = Scene(server, clock, acme, rival)
        client = server.client
        server.forge.outbox.post = lambda url, headers, body: _reply(
            client.post(url.removeprefix(config.public_url), data=body, headers=dict(headers))
        )
        yield made


def test_r42_who_shows_the_app_s_key_gets_the_installation_and_its_webhooks(scene: Scene) -> None:
    before = scene.hear()

    made = scene.register(scene.acme)

    assert made.status_code == 201, made.text
    bound = made.json["installation"]
    assert (before, scene.hear()) == ("ignored", "accepted")
    assert (bound["id"], bound["account"]) == (str(scene.one.id), "octo-org")
    assert scene.owners() == [(str(scene.one.id), "acme")]


def test_r42_an_installation_of_another_app_is_not_to_be_had(scene: Scene) -> None:
    """The forge shows an App's key its own installations only."""
    own = scene.server.forge.app("mallory-app", PUBLIC_PEM, RIGHTS)
    body = as_app(replace(scene.one, app=own), [NAME])

    refused = scene.register(scene.rival, **body)

    assert (refused.status_code, refused.json["code"]) == (422, "request-invalid")
    assert scene.owners() == []


def test_r42_a_forge_that_answers_with_another_installation_binds_none(scene: Scene) -> None:
    """The answer is about the one that was asked for, or about nothing: a forge may be anybody's own server."""
    scene.server.forge.installations[4711] = scene.one
    body = as_app(scene.one, [NAME])

    refused = scene.register(scene.rival, settings={**body["settings"], "installationId": 4711})

    assert (refused.status_code, refused.json["code"]) == (422, "request-invalid")
    assert scene.owners() == []


def test_r42_the_name_of_an_account_is_kept_as_every_database_takes_it(scene: Scene) -> None:
    """The daily check of all registrations writes it down: one that cannot be written would end it for everybody."""
    made = scene.register(
        scene.acme,
        settings={"repositories": [NAME], "appId": 1, "installationId": 5},
        credentials={"token": scene.server.forge.token("robot", login="robot")},
    )
    shown = Installation("5", "a\0\ud800" + "b" * 300)
    services = scene.server.services
    with services.database.write() as connection:
        registration = registrations.find(connection, scene.acme.id, made.json["id"])
        assert registration is not None
        bind_installation(connection, registration, shown, None, scene.clock())

    with services.database.read() as connection:
        [bound] = app_installations.list_of(connection, scene.acme.id)
    assert bound.account == "a?" + "b" * 252


def test_r42_a_token_that_reads_the_repository_proves_no_installation(scene: Scene) -> None:
    settings = as_app(scene.one, [NAME])["settings"]

    made = scene.register(
        scene.rival, settings=settings, credentials={"token": scene.server.forge.token("robot", login="robot")}
    )

    assert (made.status_code, made.json.get("installation")) == (201, None)
    assert scene.owners() == []
    assert scene.hear() == "ignored"


def test_r42_an_installation_that_another_organization_has_is_refused_without_its_name(scene: Scene) -> None:
    assert scene.register(scene.acme).status_code == 201

    refused = scene.register(scene.rival, None, "octo-org/other")

    assert (refused.status_code, refused.json["code"]) == (409, "conflict")
    assert "acme" not in refused.text
    assert scene.api(scene.rival).get("/registrations").json["items"] == []
    assert scene.owners() == [(str(scene.one.id), "acme")]


def test_r42_an_organization_that_changes_to_the_installation_of_another_is_refused(scene: Scene) -> None:
    mine = scene.server.install(scene.server.forge.repository("mallory/app"), account="mallory")
    assert scene.register(scene.acme).status_code == 201
    own = scene.register(scene.rival, mine, "mallory/app").json

    refused = scene.api(scene.rival).patch(
        f"/registrations/{own['id']}", json={"settings": as_app(scene.one, ["octo-org/other"])["settings"]}
    )

    assert refused.status_code == 409
    assert scene.owners() == [(str(scene.one.id), "acme"), (str(mine.id), "rival")]


def test_r42_a_forge_of_the_tenant_s_own_that_knows_the_same_number_takes_over_nothing(scene: Scene) -> None:
    """The attack: a GitHub that the tenant runs says of any number that the tenant's App has it."""
    with checked_github(clock=scene.clock) as own_forge:
        found = own_forge.repository(NAME)
        app = own_forge.app("mallory-app", PUBLIC_PEM, RIGHTS)
        fake = own_forge.install(app, "octo-org", [found])
        own_forge.installations = {scene.one.id: fake}
        fake.id = scene.one.id

        made = scene.register(scene.rival, fake, url=own_forge.url)

    assert made.status_code == 201, made.text
    assert scene.hear() == "ignored"
    assert scene.register(scene.acme).status_code == 201
    assert scene.hear() == "accepted"
    with scene.server.services.database.read() as connection:
        owner = app_installations.find_owner(connection, scene.server.forge.url, str(scene.one.id))
    assert owner == scene.acme.id


def test_r42_a_second_spelling_of_a_forge_is_not_taken(scene: Scene) -> None:
    refused = scene.register(scene.acme, url=f"{scene.server.forge.url}/anything")

    assert (refused.status_code, scene.owners()) == (422, [])


def test_r42_a_removed_registration_gives_the_installation_back(scene: Scene) -> None:
    made = scene.register(scene.acme).json

    assert scene.api(scene.acme).delete(f"/registrations/{made['id']}").status_code == 204

    assert scene.hear() == "ignored"
    assert scene.register(scene.rival).status_code == 201
    assert scene.owners() == [(str(scene.one.id), "rival")]


def test_r42_of_two_registrations_that_speak_as_an_installation_the_last_one_gives_it_back(scene: Scene) -> None:
    first = scene.register(scene.acme).json
    second = scene.register(scene.acme, None, "octo-org/other", name="second").json
    api = scene.api(scene.acme)

    api.delete(f"/registrations/{first['id']}")
    between = scene.owners()
    api.delete(f"/registrations/{second['id']}")

    assert (between, scene.owners()) == ([(str(scene.one.id), "acme")], [])


def test_r42_a_registration_that_changes_to_another_installation_or_to_a_token_gives_the_first_back(
    scene: Scene,
) -> None:
    mine = scene.server.install(scene.server.forge.repository("octo-org/third"))
    made = scene.register(scene.acme).json
    api = scene.api(scene.acme)

    changed = api.patch(f"/registrations/{made['id']}", json={"settings": as_app(mine, ["octo-org/third"])["settings"]})
    between = scene.owners()
    token = {"credentials": {"token": scene.server.forge.token("robot")}, "droppedCredentials": ["app-private-key"]}
    by_token = api.patch(f"/registrations/{made['id']}", json=token)

    assert changed.status_code == 200, changed.text
    assert between == [(str(mine.id), "acme")]
    assert (by_token.status_code, by_token.json.get("installation")) == (200, None)
    assert scene.owners() == []


@pytest.mark.parametrize("ending", ["suspend", "uninstall"])
def test_r42_an_installation_that_the_account_ends_is_bound_no_more(scene: Scene, ending: str) -> None:
    assert scene.register(scene.acme).status_code == 201
    scene.settle()

    getattr(scene.server.forge, ending)(scene.one)
    scene.settle()

    described = scene.api(scene.acme).get("/registrations").json["items"][0]
    assert (scene.owners(), described.get("installation")) == ([], None)
    assert scene.hear() == "ignored"
    assert scene.audited(scene.acme)[-1] == ("installation.released", "server")


def test_r42_a_suspended_installation_is_not_bound_and_one_that_was_taken_up_again_is_by_the_next_check(
    scene: Scene,
) -> None:
    made = scene.register(scene.acme).json
    api = scene.api(scene.acme)
    scene.server.forge.suspend(scene.one)
    scene.settle()

    during = api.post(f"/registrations/{made['id']}/check").json
    scene.server.forge.unsuspend(scene.one)
    scene.settle()
    after = api.post(f"/registrations/{made['id']}/check").json

    assert during.get("installation") is None
    assert "suspended" in " ".join(during["findings"])
    assert after["installation"]["id"] == str(scene.one.id)
    assert scene.hear() == "accepted"


def test_r42_the_daily_check_binds_what_is_free_and_reports_what_is_not(scene: Scene) -> None:
    """As after an upgrade from a version that bound none."""
    made = scene.register(scene.acme).json
    theirs = scene.register(scene.rival, scene.server.install(scene.other), "octo-org/other").json
    with scene.server.services.database.write() as connection:
        kept = [
            each for tenant in (scene.acme, scene.rival) for each in app_installations.list_of(connection, tenant.id)
        ]
        for each in kept:
            app_installations.remove(connection, each)
        assert app_installations.add(connection, replace(kept[1], organization_id=scene.acme.id))

    services = scene.server.services
    dispatcher = build_dispatcher(
        services.config, services.world, services.database, services.transport, holder="daily"
    )
    assert dispatcher.run(only_due=False)

    mine = scene.api(scene.acme).get(f"/registrations/{made['id']}").json
    other = scene.api(scene.rival).get(f"/registrations/{theirs['id']}").json
    assert mine["installation"]["id"] == str(scene.one.id)
    assert other.get("installation") is None
    assert "another organization" in " ".join(other["findings"])
    assert scene.audited(scene.acme)[-1] == ("installation.bound", "server")


def test_r42_a_check_that_ends_after_its_registration_was_removed_binds_nothing(scene: Scene) -> None:
    made = scene.register(scene.acme).json
    database = scene.server.services.database
    with database.read() as connection:
        asked = registrations.find(connection, scene.acme.id, made["id"])
    assert asked is not None
    assert scene.api(scene.acme).delete(f"/registrations/{made['id']}").status_code == 204

    with database.write() as connection:
        shown = Installation(str(scene.one.id), "octo-org")
        findings = bind_installation_if_free(connection, asked, shown, None, scene.clock())

    assert (findings, scene.owners()) == ((), [])


def test_r42_what_the_app_s_forge_ends_is_not_another_forge_s_of_the_same_number(scene: Scene) -> None:
    assert scene.register(scene.acme).status_code == 201
    scene.settle()
    own = BoundInstallation("https://own.test", str(scene.one.id), scene.acme.id, "octo-org", "server", scene.clock())
    database = scene.server.services.database
    with database.write() as connection:
        assert app_installations.add(connection, own)

    scene.server.forge.suspend(scene.one)
    scene.settle()

    with database.read() as connection:
        assert app_installations.list_of(connection, scene.acme.id) == [own]


def test_r42_who_bound_and_who_gave_back_is_audited(scene: Scene) -> None:
    made = scene.register(scene.acme).json
    scene.api(scene.acme).delete(f"/registrations/{made['id']}")

    kinds, tokens = zip(*scene.audited(scene.acme), strict=True)
    assert kinds == ("installation.bound", "installation.released")
    assert tokens[0] == tokens[1] == made["createdBy"]


def _reply(answer: Any) -> Any:
    from examples.forge.outbox import Reply

    return Reply(answer.status_code, dict(answer.headers), answer.text)
