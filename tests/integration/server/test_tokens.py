import pytest

from server.model import tokens as token_model
from server.model.audit import AuditAction
from server.services import tokens as token_service
from server.store.tables import metadata
from tests.integration.server.audit_log import list_newest
from tests.integration.server.conftest import bearer


def create(api, secret, **fields):
    return api(secret).post("/api-tokens", json={"name": "ci", "role": "read", **fields})


def records(services, organization_id):
    with services.database.read() as connection:
        return list_newest(connection, organization_id, limit=10)


def test_r6_a_created_token_works_and_is_shown_once(api, acme):
    created = create(api, acme.token("admin"), expiresInSeconds=60, description="for CI")

    token = created.json["token"]
    shown = api(acme.token("admin")).get(f"/api-tokens/{token['id']}")
    assert created.status_code == 201
    assert api(created.json["secret"]).get("/whoami").json["tokenName"] == "ci"
    assert shown.json["expiresAt"] == "2026-11-20T12:01:00Z"
    assert created.json["secret"] not in shown.text


def test_r6_the_database_holds_no_secret(api, acme, services):
    secret = create(api, acme.token("admin")).json["secret"]

    with services.database.read() as connection:
        rows = [row for table in metadata.tables.values() for row in connection.execute(table.select())]
    assert any("ci" in row for row in rows)
    assert secret not in repr(rows)


@pytest.mark.engine("sqlite")
def test_r6_the_database_file_holds_no_secret(api, acme, services):
    secret = create(api, acme.token("admin")).json["secret"]

    with services.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    assert secret.encode() not in services.config.database_path.read_bytes()


def test_r6_a_token_shows_its_last_use(api, acme):
    created = create(api, acme.token("admin")).json

    api(created["secret"]).get("/whoami")

    shown = api(acme.token("admin")).get(f"/api-tokens/{created['token']['id']}").json
    assert (shown["lastUsedAt"], shown["lastUsedAddress"]) == ("2026-11-20T12:00:00Z", "127.0.0.1")


def test_a_name_is_taken_once_even_after_its_end(api, acme):
    first = create(api, acme.token("admin")).json["token"]
    api(acme.token("admin")).post(f"/api-tokens/{first['id']}/revoke")

    assert create(api, acme.token("admin")).status_code == 409


def test_two_organizations_may_use_the_same_name(api, acme, rival):
    assert create(api, acme.token("admin")).status_code == 201
    assert create(api, rival.token("admin")).status_code == 201


def test_r1_a_token_bound_to_a_workflow_attests_and_nothing_else(api, acme):
    bound = {"project": "app", "workflow": "build"}

    service_account = create(api, acme.token("admin"), role="attest", **bound)
    other = create(api, acme.token("admin"), name="other", role="operate", **bound)

    assert service_account.json["token"]["scope"] == {"kind": "workflow", **bound}
    assert other.status_code == 422
    assert other.json["findings"][0]["path"] == "/role"


def test_all_that_does_not_go_together_is_reported_at_once(api, acme):
    answer = create(api, acme.token("admin"), workflow="build")

    assert {item["path"] for item in answer.json["findings"]} == {"/project", "/role"}


@pytest.mark.parametrize("scope", [{"project": "nope"}, {"role": "attest", "project": "app", "workflow": "nope"}])
def test_a_scope_that_is_not_there_is_not_found(api, acme, scope):
    assert create(api, acme.token("admin"), **scope).status_code == 404


def test_r1_nobody_makes_an_instance_token_through_the_api(api, acme, instance_token, client):
    admin = create(api, acme.token("admin"), role="instance")
    headers = bearer(instance_token, Chainloop_Organization="acme")
    operator = client.post("/api/v1/api-tokens", json={"name": "x", "role": "instance"}, headers=headers)

    assert (admin.status_code, operator.status_code) == (403, 403)
    assert "python -m server token create" in operator.json["hint"]


def test_r1_an_administrator_of_a_project_makes_tokens_of_that_project_only(api, acme):
    admin = acme.token("admin", "project")

    wide = create(api, admin)
    other = create(api, admin, project="other")
    own = create(api, admin, project="app", role="admin")

    assert (wide.status_code, other.status_code, own.status_code) == (403, 403, 201)


def test_r1_an_administrator_of_a_project_sees_and_ends_tokens_of_that_project_only(api, acme):
    admin = api(acme.token("admin", "project"))
    wide = create(api, acme.token("admin")).json["token"]["id"]

    names = {item["name"] for item in admin.get("/api-tokens").json["items"]}

    assert names == {"attest-project", "read-project", "operate-project", "admin-project", "attest-workflow"}
    assert admin.get(f"/api-tokens/{wide}").status_code == 403
    assert admin.post(f"/api-tokens/{wide}/revoke").status_code == 403
    assert admin.post(f"/api-tokens/{wide}/rotate", json={}).status_code == 403


def test_r1_a_token_of_another_organization_is_not_found(api, acme, rival):
    token_id = create(api, rival.token("admin")).json["token"]["id"]
    admin = api(acme.token("admin"))

    assert admin.get(f"/api-tokens/{token_id}").status_code == 404
    assert admin.post(f"/api-tokens/{token_id}/revoke").status_code == 404
    assert admin.post(f"/api-tokens/{token_id}/rotate", json={}).status_code == 404
    assert api(rival.token("admin")).get(f"/api-tokens/{token_id}").status_code == 200


def test_r6_after_a_rotation_both_secrets_work_until_the_overlap_ends(api, acme, clock):
    created = create(api, acme.token("admin")).json
    path = f"/api-tokens/{created['token']['id']}/rotate"

    rotated = api(acme.token("admin")).post(path, json={"overlapSeconds": 86400}).json
    new = rotated["secret"]
    during = [api(secret).get("/whoami").status_code for secret in (created["secret"], new)]
    clock.advance(days=1)
    after = [api(secret).get("/whoami").status_code for secret in (created["secret"], new)]

    assert during == [200, 200]
    assert after == [401, 200]
    assert rotated["token"]["previousExpiresAt"] == "2026-11-21T12:00:00Z"


def test_r6_an_old_secret_is_told_from_a_typo(api, acme, clock):
    created = create(api, acme.token("admin")).json
    path = f"/api-tokens/{created['token']['id']}/rotate"
    second = api(acme.token("admin")).post(path, json={}).json["secret"]

    old = api(created["secret"]).get("/whoami")
    api(acme.token("admin")).post(path, json={})
    forgotten, replaced = api(created["secret"]).get("/whoami"), api(second).get("/whoami")
    typo = api(second[:-1] + ("a" if second[-1] != "a" else "b")).get("/whoami")

    assert [answer.status_code for answer in (old, forgotten, replaced, typo)] == [401] * 4
    assert "was rotated at 2026-11-20T12:00:00Z; this is its old secret" in old.json["detail"]
    assert "the rotation showed" in old.json["hint"]
    assert "was rotated at" in replaced.json["detail"]
    assert forgotten.json["detail"] == typo.json["detail"] == "this token is not known here"


def test_r6_the_old_secret_of_a_token_that_ended_is_told_that_it_ended(api, acme):
    created = create(api, acme.token("admin")).json
    path = f"/api-tokens/{created['token']['id']}"
    api(acme.token("admin")).post(f"{path}/rotate", json={})
    api(acme.token("admin")).post(f"{path}/revoke")

    answer = api(created["secret"]).get("/whoami")

    assert answer.json["detail"] == "this token was revoked"
    assert "api-token create" in answer.json["hint"]


def test_r6_a_revoked_token_is_refused_by_the_next_request(api, acme):
    created = create(api, acme.token("admin")).json
    path = f"/api-tokens/{created['token']['id']}"
    rotated = api(acme.token("admin")).post(f"{path}/rotate", json={"overlapSeconds": 600}).json["secret"]

    answer = api(acme.token("admin")).post(f"{path}/revoke")

    assert answer.json["revokedAt"] == "2026-11-20T12:00:00Z"
    assert answer.json["endedRuns"] == 0
    assert [api(secret).get("/whoami").status_code for secret in (created["secret"], rotated)] == [401, 401]
    assert api(acme.token("admin")).post(f"{path}/rotate", json={}).status_code == 409


def test_r6_creation_rotation_and_revocation_are_audited_without_secrets(api, acme, services):
    created = create(api, acme.token("admin"), project="app").json
    path = f"/api-tokens/{created['token']['id']}"
    rotated = api(acme.token("admin")).post(f"{path}/rotate", json={"overlapSeconds": 60}).json["secret"]
    api(acme.token("admin")).post(f"{path}/revoke")
    api(acme.token("admin")).post(f"{path}/revoke")

    found = records(services, acme.id)

    actions = [AuditAction.TOKEN_REVOKED, AuditAction.TOKEN_ROTATED, AuditAction.TOKEN_CREATED]
    assert [record.action for record in found[:3]] == actions
    assert found[2].detail["scope"] == {"kind": "project", "project": "app", "workflow": None}
    assert created["secret"] not in str(found)
    assert rotated not in str(found)


def test_the_number_of_working_tokens_is_limited(api, acme, monkeypatch):
    assert token_service.MAX_TOKENS == token_model.MAX_TOKENS == 1000
    monkeypatch.setattr(token_service, "MAX_TOKENS", 9)

    answer = create(api, acme.token("admin"))

    assert answer.status_code == 422
    assert "9 working tokens" in answer.json["detail"]


def test_tokens_are_listed_newest_first_over_pages(api, acme, clock):
    for number in range(3):
        clock.advance(seconds=1)
        create(api, acme.token("admin"), name=f"ci-{number}")

    first = api(acme.token("admin")).get("/api-tokens?limit=2").json
    second = api(acme.token("admin")).get(f"/api-tokens?limit=2&cursor={first['nextCursor']}").json

    assert [item["name"] for item in first["items"]] == ["ci-2", "ci-1"]
    assert second["items"][0]["name"] == "ci-0"
