import pytest

from server.services import workflows as workflow_service

UUID = "5f0c2f6e-2f0b-4c56-9a0e-6f1f3c0e7a11"


def create(api, secret, **fields):
    return api(secret).post("/workflows", json={"name": "test", "project": "app", **fields})


def test_a_workflow_brings_its_project_and_an_empty_contract(api, acme):
    created = create(api, acme.token("operate"), project="new", team="core", description="tests")

    contract = api(acme.token("read")).get("/contracts/new-test/revisions/1").json
    assert created.status_code == 201
    assert (created.json["contract"], created.json["contractRevision"]) == ("new-test", 1)
    assert (created.json["team"], created.json["description"]) == ("core", "tests")
    assert contract["document"]["metadata"]["name"] == "new-test"
    assert api(acme.token("read")).get("/projects/new").json["workflows"] == 1


def test_an_automatic_contract_does_not_take_over_one_that_is_there(api, acme):
    body = b"schemaVersion: v1\n"
    api(acme.token("operate")).put("/contracts/app-test", data=body, content_type="application/yaml")

    assert create(api, acme.token("operate")).json["contract"] == "app-test-2"


def test_a_workflow_may_name_its_contract(api, acme):
    named = create(api, acme.token("operate"), contract="app-build")
    absent = create(api, acme.token("operate"), name="more", contract="nope")

    assert named.json["contract"] == "app-build"
    assert absent.status_code == 404


def test_a_name_is_unique_in_its_project(api, acme):
    assert create(api, acme.token("operate"), name="build").status_code == 409
    assert create(api, acme.token("operate"), name="build", project="third").status_code == 201


def test_a_refused_workflow_leaves_neither_project_nor_contract(api, acme):
    create(api, acme.token("operate"), project="ghost", contract="nope")

    assert api(acme.token("read")).get("/projects/ghost").status_code == 404


@pytest.mark.parametrize("field", [{"name": "Build"}, {"project": "a_b"}, {"team": "x" * 101}, {"runExpirySeconds": 5}])
def test_a_field_out_of_its_form_is_refused(api, acme, field):
    answer = create(api, acme.token("operate"), **field)

    assert answer.status_code == 422
    assert answer.json["findings"][0]["path"] == "/" + next(iter(field))


def test_r2_a_job_creates_no_workflow(api, acme):
    assert create(api, acme.token("attest")).status_code == 403
    assert create(api, acme.token("attest", "workflow")).status_code == 403


def test_r1_an_operator_of_a_project_stays_in_it(api, acme):
    operator = acme.token("operate", "project")

    assert create(api, operator).status_code == 201
    assert create(api, operator, name="more", project="other").status_code == 403
    assert create(api, operator, name="more", project="brand-new").status_code == 403
    assert create(api, operator, name="more", contract="other-build").status_code == 403


def test_workflows_are_filtered_by_name_project_and_contract(api, acme):
    reader = api(acme.token("read"))

    def listed(query):
        return sorted(f"{item['project']}/{item['name']}" for item in reader.get(f"/workflows?{query}").json["items"])

    assert listed("name=build") == ["app/build", "other/build"]
    assert listed("project=app") == ["app/build", "app/deploy"]
    assert listed("contract=app-deploy") == ["app/deploy"]
    assert listed("project=nope") == []


def test_r1_a_reader_of_a_project_sees_its_workflows_only(api, acme):
    reader = api(acme.token("read", "project"))

    assert {item["project"] for item in reader.get("/workflows").json["items"]} == {"app"}
    assert reader.get(f"/workflows/{acme.workflows['other/build']}").status_code == 403
    assert [item["name"] for item in reader.get("/projects").json["items"]] == ["app"]
    assert reader.get("/projects/other").status_code == 403


def test_r1_a_workflow_of_another_organization_is_not_found(api, acme, rival):
    path = f"/workflows/{rival.workflows['app/build']}"
    operator = api(acme.token("operate"))

    absent = operator.get(f"/workflows/{UUID}")
    foreign = operator.get(path)

    assert foreign.status_code == absent.status_code == 404
    assert foreign.json["detail"].replace(rival.workflows["app/build"], UUID) == absent.json["detail"]
    assert operator.patch(path, json={"team": "x"}).status_code == 404
    assert operator.delete(path).status_code == 404
    assert api(rival.token("operate")).get(path).status_code == 200


def test_what_a_change_leaves_out_stays(api, acme):
    path = f"/workflows/{acme.workflows['app/build']}"
    operator = api(acme.token("operate"))

    operator.patch(path, json={"team": "core", "runExpirySeconds": 600})
    answer = operator.patch(path, json={"description": "builds", "contract": "app-deploy"})

    assert answer.json["team"] == "core"
    assert answer.json["runExpirySeconds"] == 600
    assert answer.json["contract"] == "app-deploy"
    assert operator.get(path).json == answer.json


def test_a_workflow_without_runs_can_be_deleted(api, acme):
    path = f"/workflows/{acme.workflows['app/deploy']}"

    answer = api(acme.token("operate")).delete(path)

    assert (answer.status_code, answer.data) == (204, b"")
    assert api(acme.token("operate")).get(path).status_code == 404


def test_a_workflow_with_a_working_service_account_is_kept(api, acme):
    path = f"/workflows/{acme.workflows['app/build']}"
    admin = api(acme.token("admin"))

    refused = api(acme.token("operate")).delete(path)
    token = next(item for item in admin.get("/api-tokens").json["items"] if item["name"] == "attest-workflow")
    admin.post(f"/api-tokens/{token['id']}/revoke")

    assert refused.status_code == 409
    assert "attest-workflow" in refused.json["detail"]
    assert api(acme.token("operate")).delete(path).status_code == 204
    assert admin.get(f"/api-tokens/{token['id']}").status_code == 404


def test_the_number_of_workflows_is_limited(api, acme, monkeypatch):
    monkeypatch.setattr(workflow_service, "MAX_WORKFLOWS", 3)

    answer = create(api, acme.token("operate"))

    assert answer.status_code == 422
    assert "3 workflows" in answer.json["detail"]


def test_a_project_can_be_created_alone(api, acme):
    operator = api(acme.token("operate"))

    assert operator.post("/projects", json={"name": "docs"}).status_code == 201
    assert operator.post("/projects", json={"name": "docs"}).status_code == 409
    assert operator.get("/projects/docs").json["workflows"] == 0
    assert operator.get("/projects/nope").status_code == 404
    assert api(acme.token("operate", "project")).post("/projects", json={"name": "more"}).status_code == 403
