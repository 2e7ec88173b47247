import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from chainloop_ci.digests import sha256_digest
from server.model.audit import AuditAction
from server.services import keys as key_service
from tests.integration.server.audit_log import list_newest


def new_pem():
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.fixture
def pem():
    return new_pem()


def register(api, secret, pem, **fields):
    body = {"name": "ci", "publicKey": pem, **fields}
    return api(secret).post("/verification-keys", json=body)


def test_r3_a_key_is_bound_to_named_workflows_and_projects(api, acme, pem):
    answer = register(api, acme.token("admin"), pem, workflows=["app/build"], projects=["other"])

    assert answer.status_code == 201
    assert answer.json["scopes"] == [
        {"kind": "workflow", "project": "app", "workflow": "build"},
        {"kind": "project", "project": "other"},
    ]
    assert answer.json["validFrom"] == "2026-11-20T12:00:00Z"


def test_a_keys_id_is_the_digest_of_its_spki(api, acme):
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    answer = register(api, acme.token("admin"), pem, projects=["app"])

    assert answer.json["id"] == sha256_digest(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def test_r3_a_key_for_the_whole_organization_is_said_explicitly(api, acme, pem):
    unsaid = register(api, acme.token("admin"), pem)
    both = register(api, acme.token("admin"), pem, organizationWide=True, projects=["app"])
    said = register(api, acme.token("admin"), pem, organizationWide=True)

    assert (unsaid.status_code, both.status_code, said.status_code) == (422, 422, 201)
    assert said.json["scopes"] == [{"kind": "organization"}]


def test_every_scope_that_is_not_there_is_reported(api, acme, rival, pem):
    names = {"projects": ["app", "nope"], "workflows": ["app/nope", "nonsense", "app/build"]}

    answer = register(api, acme.token("admin"), pem, **names)

    assert answer.status_code == 422
    assert [item["path"] for item in answer.json["findings"]] == ["/projects/1", "/workflows/0", "/workflows/1"]


@pytest.mark.parametrize("text", ["", "not a key", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_what_is_no_public_key_is_refused(api, acme, text):
    answer = register(api, acme.token("admin"), text, projects=["app"])

    assert answer.status_code == 422
    assert answer.json["code"] == "signing-key-invalid"


def test_r3_a_private_key_is_refused_and_not_repeated(api, acme):
    private = ec.generate_private_key(ec.SECP256R1())
    text = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    answer = register(api, acme.token("admin"), text, projects=["app"])

    assert answer.status_code == 422
    assert text.splitlines()[1] not in answer.text


@pytest.mark.parametrize("role", ["attest", "read", "operate"])
def test_r3_only_administrators_register_and_end_keys(api, acme, pem, role):
    key_id = register(api, acme.token("admin"), pem, projects=["app"]).json["id"]

    assert register(api, acme.token(role), new_pem(), projects=["app"]).status_code == 403
    assert api(acme.token(role)).post(f"/verification-keys/{key_id}/retire").status_code == 403
    assert api(acme.token(role)).post(f"/verification-keys/{key_id}/revoke").status_code == 403


def test_r3_an_administrator_of_a_project_binds_keys_to_that_project_only(api, acme, pem):
    admin = acme.token("admin", "project")

    wide = register(api, admin, pem, organizationWide=True)
    other = register(api, admin, pem, projects=["app", "other"])
    own = register(api, admin, pem, workflows=["app/build"])

    assert (wide.status_code, other.status_code, own.status_code) == (403, 403, 201)


def test_r3_a_wider_key_is_seen_but_not_ended_from_within_a_project(api, acme, pem):
    wide = register(api, acme.token("admin"), pem, organizationWide=True).json["id"]
    foreign = register(api, acme.token("admin"), new_pem(), name="foreign", projects=["other"]).json["id"]
    admin = api(acme.token("admin", "project"))

    assert [item["id"] for item in admin.get("/verification-keys").json["items"]] == [wide]
    assert admin.get(f"/verification-keys/{wide}").status_code == 200
    assert admin.post(f"/verification-keys/{wide}/revoke").status_code == 403
    assert admin.get(f"/verification-keys/{foreign}").status_code == 403


def test_r3_a_key_is_retired_then_revoked_and_never_deleted(api, acme, pem, clock):
    key_id = register(api, acme.token("admin"), pem, projects=["app"]).json["id"]
    admin = api(acme.token("admin"))

    admin.post(f"/verification-keys/{key_id}/retire")
    clock.advance(hours=1)
    admin.post(f"/verification-keys/{key_id}/retire")
    admin.post(f"/verification-keys/{key_id}/revoke")

    shown = admin.get(f"/verification-keys/{key_id}").json
    assert shown["retiredAt"] == "2026-11-20T12:00:00Z"
    assert shown["revokedAt"] == "2026-11-20T13:00:00Z"
    assert admin.delete(f"/verification-keys/{key_id}").status_code == 405
    assert register(api, acme.token("admin"), pem, name="again", projects=["app"]).status_code == 409


def test_r3_a_name_stands_for_one_key(api, acme):
    assert register(api, acme.token("admin"), new_pem(), projects=["app"]).status_code == 201
    assert register(api, acme.token("admin"), new_pem(), projects=["app"]).status_code == 409


def test_r3_two_organizations_may_hold_the_same_key_and_do_not_see_each_others(api, acme, rival, pem):
    key_id = register(api, acme.token("admin"), pem, projects=["app"]).json["id"]

    assert api(rival.token("admin")).get(f"/verification-keys/{key_id}").status_code == 404
    assert api(rival.token("admin")).post(f"/verification-keys/{key_id}/revoke").status_code == 404
    assert register(api, rival.token("admin"), pem, projects=["app"]).status_code == 201


def test_r3_registering_and_ending_are_audited(api, acme, services, pem):
    key_id = register(api, acme.token("admin"), pem, workflows=["app/build"]).json["id"]
    api(acme.token("admin")).post(f"/verification-keys/{key_id}/retire")
    api(acme.token("admin")).post(f"/verification-keys/{key_id}/retire")

    with services.database.read() as connection:
        found = list_newest(connection, acme.id, limit=3)
    assert [record.action for record in found[:2]] == [AuditAction.KEY_RETIRED, AuditAction.KEY_REGISTERED]
    assert {record.subject for record in found[:2]} == {key_id}
    assert found[1].detail["scopes"] == ["app/build"]


def test_the_number_of_keys_is_limited(api, acme, pem, monkeypatch):
    monkeypatch.setattr(key_service, "MAX_KEYS", 0)

    assert register(api, acme.token("admin"), pem, projects=["app"]).status_code == 422
