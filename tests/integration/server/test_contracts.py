import base64
import threading

import pytest
from sqlalchemy import update

from chainloop_ci.api.limits import MAX_BODY_BYTES
from chainloop_ci.digests import sha256_digest
from server.app import create_app
from server.services import contracts as contract_service
from server.store.tables import contract_revisions
from tests.integration.server.conftest import Api

V2 = b"""apiVersion: chainloop.dev/v1
kind: Contract
metadata:
  name: build
  description: What a build must show.
spec:
  materials:
    - type: SBOM_CYCLONEDX_JSON
      name: sbom
"""
V1 = b'{"schemaVersion": "v1", "envAllowList": ["CUSTOM_VAR"]}'


def put(api, secret, raw=V2, *, name="build", content_type="application/yaml", query="", **headers):
    headers = {key.replace("_", "-"): value for key, value in headers.items()}
    return api(secret).put(f"/contracts/{name}{query}", data=raw, content_type=content_type, headers=headers)


def test_a_new_contract_has_revision_1_and_its_exact_bytes(api, acme):
    answer = put(api, acme.token("operate"))

    assert answer.status_code == 201
    assert answer.headers["ETag"] == '"1"'
    assert (answer.json["revision"], answer.json["latestRevision"], answer.json["changed"]) == (1, 1, True)
    assert base64.b64decode(answer.json["rawBody"]) == V2
    assert answer.json["digest"] == sha256_digest(V2)
    assert answer.json["document"]["spec"]["materials"] == [{"type": "SBOM_CYCLONEDX_JSON", "name": "sbom"}]


def test_the_same_bytes_make_no_new_revision(api, acme):
    put(api, acme.token("operate"))
    again = put(api, acme.token("operate"))
    other = put(api, acme.token("operate"), V2 + b"# a comment\n")

    assert (again.status_code, again.json["revision"], again.json["changed"]) == (200, 1, False)
    assert (other.status_code, other.json["revision"], other.json["changed"]) == (200, 2, True)


def test_a_description_makes_no_new_revision(api, acme):
    put(api, acme.token("operate"))
    put(api, acme.token("operate"), query="?description=Other%20words")

    shown = api(acme.token("read")).get("/contracts/build").json
    assert (shown["description"], shown["latestRevision"]) == ("Other words", 1)


def test_a_contract_describes_itself(api, acme):
    put(api, acme.token("operate"))

    assert api(acme.token("read")).get("/contracts/build").json["description"] == "What a build must show."


def test_earlier_revisions_stay_readable(api, acme):
    put(api, acme.token("operate"))
    put(api, acme.token("operate"), V1, content_type="application/json")
    reader = api(acme.token("read"))

    first = reader.get("/contracts/build/revisions/1").json
    listed = reader.get("/contracts/build/revisions?limit=1").json
    rest = reader.get(f"/contracts/build/revisions?limit=1&cursor={listed['nextCursor']}").json

    assert base64.b64decode(first["rawBody"]) == V2
    assert (first["revision"], first["latestRevision"], first["format"]) == (1, 2, "yaml")
    assert [item["revision"] for item in (*listed["items"], *rest["items"])] == [2, 1]
    assert "rawBody" not in listed["items"][0]


def test_a_revision_that_is_not_there_names_the_newest(api, acme):
    put(api, acme.token("operate"))

    answer = api(acme.token("read")).get("/contracts/build/revisions/9")

    assert answer.status_code == 404
    assert "the newest is 1" in answer.json["detail"]


def test_a_broken_contract_is_refused_with_every_finding(api, acme):
    broken = V2.replace(b"SBOM_CYCLONEDX_JSON", b"SBOM").replace(b"name: sbom", b"name: S") + b"  surprise: 1\n"

    answer = put(api, acme.token("operate"), broken)

    assert answer.status_code == 422
    assert answer.json["code"] == "contract-invalid"
    assert len(answer.json["findings"]) >= 3
    assert all("line" in item for item in answer.json["findings"])
    assert api(acme.token("read")).get("/contracts/build").status_code == 404


def test_the_name_inside_agrees_with_the_address(api, acme):
    answer = put(api, acme.token("operate"), name="other-name")

    assert answer.status_code == 422
    assert answer.json["findings"][0]["path"] == "/metadata/name"


def test_r24_a_contract_that_lists_a_secret_variable_is_refused(api, acme):
    answer = put(api, acme.token("operate"), V1.replace(b"CUSTOM_VAR", b"AWS_TOKEN"), content_type="application/json")

    assert answer.status_code == 422
    assert "AWS_TOKEN" in answer.text


def test_what_is_not_implemented_yet_is_accepted_with_a_warning(api, acme):
    answer = put(api, acme.token("operate"), V2.replace(b"SBOM_CYCLONEDX_JSON", b"HELM_CHART"))

    assert answer.status_code == 201
    assert any("HELM_CHART" in warning for warning in answer.json["warnings"])


@pytest.mark.parametrize(
    ("content_type", "raw", "found"),
    [
        ("application/json", V1, "json"),
        ("text/plain", V1, "json"),
        ("text/plain", V2, "yaml"),
        ("application/cue", b'schemaVersion: "v1"\n', "cue"),
        ("application/yaml; charset=utf-8", V2, "yaml"),
    ],
)
def test_the_media_type_says_the_format(api, acme, content_type, raw, found):
    assert put(api, acme.token("operate"), raw, content_type=content_type).json["format"] == found


def test_full_cue_is_not_evaluated_by_the_server(api, acme):
    raw = b'import "strings"\nschemaVersion: strings.ToLower("V1")\n'

    assert put(api, acme.token("operate"), raw, content_type="application/cue").status_code == 422


def test_another_media_type_is_refused(api, acme):
    assert put(api, acme.token("operate"), content_type="application/x-www-form-urlencoded").status_code == 415


def test_a_contract_over_the_limit_is_refused_with_the_limit(api, acme):
    answer = put(api, acme.token("operate"), V2 + b"#" * MAX_BODY_BYTES)

    assert answer.status_code == 413
    assert str(MAX_BODY_BYTES) in answer.json["detail"]


@pytest.mark.parametrize("name", ["Build", "a_b", "a" * 128, "-a"])
def test_a_name_is_a_label(api, acme, name):
    assert put(api, acme.token("operate"), V1, name=name, content_type="application/json").status_code == 422


def test_if_match_lets_only_the_first_of_two_writers_through(api, acme):
    put(api, acme.token("operate"))

    first = put(api, acme.token("operate"), V2 + b"# one\n", If_Match='"1"')
    second = put(api, acme.token("operate"), V2 + b"# two\n", If_Match='"1"')

    assert (first.status_code, second.status_code) == (200, 412)
    assert "the newest revision of contract build is 2, not 1" in second.json["detail"]


def test_if_none_match_lets_only_a_new_contract_through(api, acme):
    first = put(api, acme.token("operate"), If_None_Match="*")
    second = put(api, acme.token("operate"), If_None_Match="*")

    assert (first.status_code, second.status_code) == (201, 412)


@pytest.mark.parametrize(
    "header", [{"If_Match": "1"}, {"If_Match": '"x"'}, {"If_Match": "*"}, {"If_None_Match": '"1"'}]
)
def test_a_precondition_of_another_form_is_refused(api, acme, header):
    assert put(api, acme.token("operate"), **header).status_code == 422


def test_fifty_writers_at_once_make_revisions_without_gap_or_duplicate(services, acme):
    operator = acme.token("operate")
    app = create_app(services)
    numbers, errors = [], []
    start = threading.Barrier(50)

    def write(writer):
        start.wait()
        raw = V1[:-1] + b', "annotations": [{"name": "w%d"}]}' % writer
        answer = Api(app.test_client(), operator).put("/contracts/shared", data=raw, content_type="application/json")
        (numbers if answer.status_code in (200, 201) else errors).append(answer.json)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert sorted(item["revision"] for item in numbers) == list(range(1, 51))
    assert all(item["changed"] for item in numbers)


def test_r2_a_job_changes_no_contract(api, acme):
    path = "/contracts/app-build"

    for scope in ("organization", "project", "workflow"):
        answer = api(acme.token("attest", scope)).put(path, data=V1, content_type="application/json")
        assert answer.status_code == 403
    assert api(acme.token("read")).get(path).json["latestRevision"] == 1


def test_r1_a_job_reads_the_contract_of_its_workflow_only(api, acme):
    job = api(acme.token("attest", "workflow"))

    assert job.get("/contracts/app-build").status_code == 200
    assert job.get("/contracts/app-build/revisions/1").status_code == 200
    assert job.get("/contracts/app-deploy").status_code == 403
    assert job.get("/contracts/app-deploy/revisions/1").status_code == 403
    assert job.get("/contracts").status_code == 403


def test_r1_a_project_reads_and_writes_the_contracts_of_its_workflows_only(api, acme):
    operator = acme.token("operate", "project")

    assert [item["name"] for item in api(operator).get("/contracts").json["items"]] == ["app-build", "app-deploy"]
    assert api(operator).get("/contracts/other-build").status_code == 403
    assert put(api, operator, V1, name="app-build", content_type="application/json").status_code == 200
    assert put(api, operator, V1, name="other-build", content_type="application/json").status_code == 403
    assert put(api, operator, V1, name="brand-new", content_type="application/json").status_code == 403


def test_r1_a_contract_that_others_use_too_is_not_changed_from_within_a_project(api, acme):
    path = f"/workflows/{acme.workflows['other/build']}"
    api(acme.token("operate")).patch(path, json={"contract": "app-build"})

    answer = put(api, acme.token("operate", "project"), V1, name="app-build", content_type="application/json")

    assert answer.status_code == 403
    assert api(acme.token("read", "project")).get("/contracts/app-build").status_code == 200


def test_r1_contracts_of_two_organizations_do_not_meet(api, acme, rival):
    put(api, acme.token("operate"))

    assert api(rival.token("read")).get("/contracts/build").status_code == 404
    assert api(rival.token("read")).get("/contracts/build/revisions").status_code == 404
    assert put(api, rival.token("operate")).status_code == 201
    assert api(acme.token("read")).get("/contracts/build").json["latestRevision"] == 1


def test_a_contract_in_use_is_kept(api, acme):
    put(api, acme.token("operate"))
    operator = api(acme.token("operate"))

    used = operator.delete("/contracts/app-build")
    unused = operator.delete("/contracts/build")

    assert (used.status_code, unused.status_code) == (409, 204)
    assert used.json["detail"].endswith("is used by 1 workflow")
    assert operator.get("/contracts/build").status_code == 404


def test_the_numbers_of_contracts_and_revisions_are_limited(api, acme, monkeypatch):
    put(api, acme.token("operate"))
    monkeypatch.setattr(contract_service, "MAX_CONTRACTS", 4)
    monkeypatch.setattr(contract_service, "MAX_REVISIONS", 1)

    one_more = put(api, acme.token("operate"), V1, name="more", content_type="application/json")
    next_revision = put(api, acme.token("operate"), V2 + b"#\n")

    assert (one_more.status_code, next_revision.status_code) == (422, 422)


def test_bytes_that_newer_rules_would_refuse_are_still_shown(api, acme, services):
    put(api, acme.token("operate"))
    with services.database.write() as connection:
        first = contract_revisions.c.revision == 1
        connection.execute(update(contract_revisions).where(first).values(raw_body=b"surprise: 1"))

    answer = api(acme.token("read")).get("/contracts/build/revisions/1").json

    assert base64.b64decode(answer["rawBody"]) == b"surprise: 1"
    assert answer["warnings"]
