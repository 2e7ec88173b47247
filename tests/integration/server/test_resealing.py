"""After a change of keys everything is sealed anew, and only then the old key can go (R44)."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from chainloop_ci.api.source_address import SourceKind
from server.admin.command import main
from server.admin.doctor import diagnose
from server.model.audit import AuditAction
from server.model.integrations import StoredRegistration
from server.secret_box import SealedFor, open_secret_box
from server.services.credentials import Credentials
from server.services.resealing import BATCH, KINDS, Resealed, Resealing
from server.services.secrets import Secrets
from server.store import hook_secrets, registrations, sealed_texts, secret_canaries
from server.store.tables import audit_records
from server.wiring import Services
from tests.integration.server.conftest import Tenant
from tests.integration.server.judged import CI_FILE

HOST = "https://github.test"
CREDENTIALS = {"token": "canary-3f1c-token"}


@dataclass
class Sealed:
    """Two registrations, a source whose secret is being rotated, and the file of the keys."""

    services: Services
    tenant: Tenant
    key_file: Path
    source_id: str
    secrets: list[str]
    """Of the webhook, in plain, the newest first."""

    def change_key(self, byte: bytes = b"n") -> None:
        """Put a new key before the others."""
        made = base64.b64encode(byte * 32).decode()
        self.key_file.write_text(f"{made}\n{self.key_file.read_text()}")

    def drop_old(self) -> None:
        """Keep the newest key only."""
        self.key_file.write_text(self.key_file.read_text().splitlines()[0] + "\n")

    def reseal(self, kind: type[Secrets] = Secrets) -> Resealed:
        """Do what the command does."""
        world = self.services.world
        box = open_secret_box(self.services.config, world.random_bytes)
        return Resealing(self.services.database, world.now, box, kind(box, world.now)).reseal()

    def opened(self) -> tuple[list[Any], list[str]]:
        """Return everything in plain: credentials, and the secrets of the webhook."""
        with self.services.database.read() as connection:
            kept = registrations.list_page(connection, self.tenant.id, after=None, limit=10)
            watched = hook_secrets.find_watched(connection, self.source_id, SourceKind.GITHUB)
        assert watched is not None
        own = Credentials(self.services.secrets)
        webhooks = self.services.webhooks.secrets.open(watched.source, watched.secrets)
        return [own.open(item) for item in kept], webhooks

    def look(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return problems and warnings that `doctor` has about keys."""
        found = diagnose(self.services.config, self.services.database, now=self.services.world.now())
        [check] = [check for check in found.checks if check.name == "keys of credentials"]
        return check.problems, check.warnings


def add_registrations(services: Services, tenant: Tenant, *names: str) -> None:
    """Put registrations with sealed credentials into the database."""
    world, own = services.world, Credentials(services.secrets)
    with services.database.write() as connection:
        for name in names:
            draft = StoredRegistration(world.new_id(), tenant.id, "github", name, world.now(), "somebody", host=HOST)
            registrations.add(connection, own.seal(connection, draft, CREDENTIALS))


@pytest.fixture
def sealed(services: Services, acme: Tenant, api: Any) -> Sealed:
    add_registrations(services, acme, "one", "two")
    body = {"source": f"github:{HOST}/acme/app", "ciFile": CI_FILE}
    bound = api(acme.token("operate")).put(f"/workflows/{acme.workflows['app/build']}/source", json=body)
    admin, route = api(acme.token("admin")), f"/sources/{bound.json['sourceId']}/secret"
    first = admin.post(route)
    second = admin.post(f"{route}/rotate", json={"overlapSeconds": 3600})
    secrets = [second.json["secret"], first.json["secret"]]
    return Sealed(services, acme, services.config.data / "secret.key", bound.json["sourceId"], secrets)


def test_r44_everything_is_sealed_anew_and_opens_without_the_old_key(sealed: Sealed) -> None:
    """R44: credentials stay sealed for their organization, row and host, now with the new key."""
    sealed.change_key()

    done = sealed.reseal()
    sealed.drop_old()

    assert dict(done.anew) == {"credentials of registrations": 2, "secrets of webhooks": 2}
    assert (done.current, done.unreadable) == (0, [])
    assert sealed.opened() == ([CREDENTIALS, CREDENTIALS], sealed.secrets)
    assert sealed.look() == ((), ())


def test_r44_more_than_one_batch_is_sealed_anew(sealed: Sealed) -> None:
    add_registrations(sealed.services, sealed.tenant, *(f"n{number}" for number in range(BATCH)))
    sealed.change_key()

    done = sealed.reseal()
    sealed.drop_old()

    assert dict(done.anew) == {"credentials of registrations": BATCH + 2, "secrets of webhooks": 2}
    assert sealed.look() == ((), ())


def test_repeated_it_changes_nothing(sealed: Sealed) -> None:
    sealed.change_key()
    sealed.reseal()
    with sealed.services.database.read() as connection:
        before = [sealed_texts.list_rows(connection, kind.where, after="", limit=10) for kind in KINDS]

    done = sealed.reseal()

    assert (dict(done.anew), done.current) == ({}, 4)
    with sealed.services.database.read() as connection:
        assert [sealed_texts.list_rows(connection, kind.where, after="", limit=10) for kind in KINDS] == before


class DyingSecrets(Secrets):
    """Seals two texts, and then the process is ended."""

    left = 2

    def seal(self, connection: Connection, text: str, place: SealedFor) -> str:
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        return super().seal(connection, text, place)


def test_interrupted_it_keeps_what_is_done_and_goes_on(sealed: Sealed) -> None:
    sealed.change_key()
    with pytest.raises(KeyboardInterrupt):
        sealed.reseal(DyingSecrets)

    done = sealed.reseal()
    sealed.drop_old()

    assert (done.current, dict(done.anew)) == (2, {"secrets of webhooks": 2})
    assert sealed.opened() == ([CREDENTIALS, CREDENTIALS], sealed.secrets)


def test_doctor_warns_of_what_an_old_key_sealed_and_reports_what_an_unknown_one_did(sealed: Sealed) -> None:
    assert sealed.look() == ((), ())

    sealed.change_key()
    problems, warnings = sealed.look()
    assert problems == ()
    assert re.fullmatch(r"4 sealed with the key [0-9a-f]{16}, which seals no more", warnings[0])

    sealed.drop_old()
    problems, warnings = sealed.look()
    assert any(
        re.match(r"4 sealed with the key '[0-9a-f]{16}', which this server does not have", each) for each in problems
    )
    assert warnings == ()


def test_what_does_not_open_stays_and_is_named_and_the_rest_is_sealed_anew(sealed: Sealed) -> None:
    with sealed.services.database.write() as connection:
        one, _ = registrations.list_page(connection, sealed.tenant.id, after=None, limit=10)
        connection.exec_driver_sql(f"UPDATE registrations SET host = 'https://elsewhere.test' WHERE id = '{one.id}'")
    sealed.change_key()

    done = sealed.reseal()

    assert sum(done.anew.values()) == 3
    assert len(done.unreadable) == 1
    assert one.id in done.unreadable[0]
    assert "canary-3f1c" not in done.unreadable[0]
    assert len(sealed.look()[1]) == 1


def audited(sealed: Sealed) -> list[Any]:
    with sealed.services.database.read() as connection:
        own = audit_records.c.action == AuditAction.SECRETS_RESEALED.value
        return list(connection.execute(audit_records.select().where(own)))


def test_r44_the_canary_of_a_key_goes_with_its_last_text_which_is_audited(sealed: Sealed) -> None:
    def canaries() -> int:
        with sealed.services.database.read() as connection:
            return len(secret_canaries.list_all(connection))

    with sealed.services.database.write() as connection:
        one, _ = registrations.list_page(connection, sealed.tenant.id, after=None, limit=10)
        connection.exec_driver_sql(f"UPDATE registrations SET host = 'https://elsewhere.test' WHERE id = '{one.id}'")
    sealed.change_key()
    sealed.reseal()
    before = canaries()
    with sealed.services.database.write() as connection:
        connection.exec_driver_sql(f"UPDATE registrations SET sealed = NULL WHERE id = '{one.id}'")

    done = sealed.reseal()

    assert (before, canaries(), dict(done.anew)) == (2, 1, {})
    assert len(audited(sealed)) == 2


def test_after_everything_was_entered_anew_the_lost_key_is_forgotten(sealed: Sealed, api: Any) -> None:
    services, admin = sealed.services, api(sealed.tenant.token("admin"))
    sealed.key_file.write_bytes(base64.b64encode(b"n" * 32))
    own = Credentials(services.secrets)
    with services.database.write() as connection:
        for kept in registrations.list_page(connection, sealed.tenant.id, after=None, limit=10):
            registrations.save(connection, own.seal(connection, kept, CREDENTIALS))
    admin.post(f"/sources/{sealed.source_id}/secret/rotate", json={"overlapSeconds": 0})
    lost = sealed.look()[0]

    done = sealed.reseal()

    assert "which this server does not have" in lost[0]
    assert done.unreadable == []
    assert sealed.look() == ((), ())


def test_it_is_audited_when_something_was_done(sealed: Sealed) -> None:
    sealed.change_key()
    done = sealed.reseal()
    sealed.reseal()

    assert [(row.organization_id, row.subject) for row in audited(sealed)] == [(None, done.key)]


def test_the_command_says_how_much_it_did_and_no_secret(
    sealed: Sealed, capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    sealed.change_key()
    env = {"CHAINLOOP_DATA": str(sealed.services.config.data)}
    env |= {"CHAINLOOP_DATABASE_URL": database_url} if database_url else {}

    assert main(["reseal"], env) == 0
    out = capsys.readouterr().out
    assert main(["reseal"], env) == 0

    assert out.startswith("sealed 2 credentials of registrations and 2 secrets of webhooks with the key ")
    assert capsys.readouterr().out.endswith("; 4 had it already\n")
    assert "canary-3f1c" not in out


def test_the_command_fails_when_something_stays_sealed_with_a_key_that_is_gone(
    sealed: Sealed, capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    sealed.change_key()
    sealed.drop_old()
    env = {"CHAINLOOP_DATA": str(sealed.services.config.data)}
    env |= {"CHAINLOOP_DATABASE_URL": database_url} if database_url else {}

    assert main(["reseal"], env) == 1

    said = capsys.readouterr()
    assert said.out.startswith("sealed 0 ")
    assert said.err.count("which this server does not have") == 4


def test_everything_that_is_sealed_anywhere_is_sealed_anew(project: Path) -> None:
    """A purpose that is not in KINDS would keep the old key for ever."""
    sources = [*(project / "server").rglob("*.py")]
    texts = "\n".join(path.read_text() for path in sources)
    places = set(re.findall(r"\bSealedFor\(\s*([\w.\"-]+),", texts))

    assert places == {"REGISTRATION", "PURPOSE", "kind.purpose", '"canary"'}
    assert len(KINDS) == 2
