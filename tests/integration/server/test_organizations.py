import pytest

from server.model.audit import AuditAction
from tests.integration.server.audit_log import list_newest


def newest(services, organization_id):
    with services.database.read() as connection:
        return list_newest(connection, organization_id, limit=1)[0]


def test_an_instance_token_creates_an_organization(api, instance_token, services):
    answer = api(instance_token).post("/organizations", json={"name": "acme"})

    assert answer.status_code == 201
    assert answer.json["acceptUnsigned"] is False
    assert answer.json["runExpirySeconds"] == 6 * 3600
    assert newest(services, answer.json["id"]).action is AuditAction.ORGANIZATION_CREATED


def test_a_name_is_taken_once(api, instance_token):
    api(instance_token).post("/organizations", json={"name": "acme"})

    assert api(instance_token).post("/organizations", json={"name": "acme"}).status_code == 409


@pytest.mark.parametrize("name", ["", "Acme", "a_b", "-a", "a" * 64, "a\n"])
def test_a_name_is_a_label(api, instance_token, name):
    answer = api(instance_token).post("/organizations", json={"name": name})

    assert answer.status_code == 422
    assert answer.json["findings"][0]["path"] == "/name"


def test_an_organization_sees_itself_only(api, acme, rival):
    reader = api(acme.token("read"))

    assert [item["name"] for item in reader.get("/organizations").json["items"]] == ["acme"]
    assert reader.get("/organizations/acme").status_code == 200
    assert reader.get("/organizations/rival").status_code == 404


def test_an_instance_token_sees_all(api, acme, rival, instance_token):
    operator = api(instance_token)

    first = operator.get("/organizations?limit=1").json
    second = operator.get(f"/organizations?limit=1&cursor={first['nextCursor']}").json

    assert [page["items"][0]["name"] for page in (first, second)] == ["acme", "rival"]
    assert "nextCursor" not in second
    assert operator.get("/organizations/rival").status_code == 200


def test_r4_accepting_unsigned_attestations_is_audited_with_old_and_new_value(api, acme, services):
    answer = api(acme.token("admin")).patch("/organizations/acme", json={"acceptUnsigned": True, "quotaBytes": 0})

    record = newest(services, acme.id)
    assert answer.json["acceptUnsigned"] is True
    assert record.action is AuditAction.ORGANIZATION_SETTINGS_CHANGED
    assert record.detail == {"accept_unsigned": {"from": False, "to": True}}


def test_settings_that_are_left_out_stay(api, acme):
    admin = api(acme.token("admin"))

    admin.patch("/organizations/acme", json={"runExpirySeconds": 600, "casBackend": "inline"})
    answer = admin.patch("/organizations/acme", json={"quotaBytes": 1000})

    assert (answer.json["runExpirySeconds"], answer.json["casBackend"]) == (600, "inline")


@pytest.mark.parametrize(
    "settings",
    [
        {"runExpirySeconds": 59},
        {"runExpirySeconds": 2592001},
        {"casBackend": "tape"},
        {"quotaBytes": -1},
        {"name": "x"},
    ],
)
def test_settings_out_of_their_range_are_refused(api, acme, settings):
    assert api(acme.token("admin")).patch("/organizations/acme", json=settings).status_code == 422


def test_r1_only_an_administrator_of_the_whole_organization_changes_settings(api, acme, rival):
    change = {"quotaBytes": 1}

    assert api(acme.token("operate")).patch("/organizations/acme", json=change).status_code == 403
    assert api(acme.token("admin", "project")).patch("/organizations/acme", json=change).status_code == 403
    assert api(acme.token("admin")).patch("/organizations/rival", json=change).status_code == 404


def test_r1_only_the_operator_creates_organizations(api, acme):
    assert api(acme.token("admin")).post("/organizations", json={"name": "more"}).status_code == 403
