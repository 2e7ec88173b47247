import base64

import pytest

from tests.integration.server.test_keys import new_pem, register


def ask(api, secret, query=""):
    return api(secret).get(f"/crafting-context{query}")


def test_a_token_of_a_workflow_needs_no_names(api, acme):
    answer = ask(api, acme.token("attest", "workflow")).json

    assert (answer["workflow"]["project"], answer["workflow"]["name"]) == ("app", "build")
    assert answer["workflow"]["id"] == acme.workflows["app/build"]
    assert base64.b64decode(answer["contract"]["rawBody"]).startswith(b"apiVersion")
    assert answer["cas"] == {"id": "filesystem", "name": "filesystem", "maxBytes": 16 * 1024**3, "fallback": False}
    assert answer["runExpirySeconds"] == 6 * 3600
    assert answer["role"] == "attest"


@pytest.mark.parametrize("query", ["?workflow=build", "?project=app", "?workflow=build&project=app"])
def test_names_that_are_the_tokens_own_are_accepted(api, acme, query):
    assert ask(api, acme.token("attest", "workflow"), query).status_code == 200


@pytest.mark.parametrize("query", ["?workflow=deploy", "?project=other", "?workflow=build&project=nope"])
def test_r1_names_that_differ_from_the_tokens_are_refused_with_both(api, acme, query):
    answer = ask(api, acme.token("attest", "workflow"), query)

    assert answer.status_code == 403
    assert "app/build" in answer.json["detail"]


def test_a_token_of_a_project_names_the_workflow_only(api, acme):
    assert ask(api, acme.token("attest", "project"), "?workflow=deploy").json["workflow"]["project"] == "app"


@pytest.mark.parametrize("workflow", ["build", "nope"])
def test_r1_a_token_of_a_project_learns_nothing_of_others(api, acme, workflow):
    answer = ask(api, acme.token("attest", "project"), f"?workflow={workflow}&project=other")

    assert answer.status_code == 403
    assert "bound to project app" in answer.json["detail"]


def test_a_name_that_several_projects_use_needs_the_project(api, acme):
    unclear = ask(api, acme.token("attest"), "?workflow=build")
    clear = ask(api, acme.token("attest"), "?workflow=deploy")

    assert unclear.status_code == 422
    assert "app, other" in unclear.json["detail"]
    assert clear.json["workflow"]["project"] == "app"


def test_without_a_name_the_request_says_what_is_missing(api, acme):
    answer = ask(api, acme.token("attest"))

    assert answer.status_code == 422
    assert answer.json["findings"][0]["path"] == "?workflow"


def test_r2_an_unknown_workflow_is_not_made_but_the_command_is_shown(api, acme):
    answer = ask(api, acme.token("attest"), "?workflow=new&project=app")

    assert answer.status_code == 404
    assert "chainloop workflow create --name new --project app" in answer.json["hint"]
    assert len(api(acme.token("read")).get("/workflows").json["items"]) == 3


def test_r1_a_workflow_of_another_organization_is_not_found(api, acme, rival):
    api(rival.token("operate")).post("/workflows", json={"name": "secret", "project": "app"})

    foreign = ask(api, acme.token("attest"), "?workflow=secret&project=app")
    absent = ask(api, acme.token("attest"), "?workflow=absent&project=app")

    assert foreign.status_code == absent.status_code == 404
    assert foreign.json["detail"].replace("secret", "absent") == absent.json["detail"]


def test_r19_an_earlier_revision_can_be_pinned_where_an_operator_allows_it(api, acme):
    operator = api(acme.token("operate"))
    operator.put("/contracts/app-build", data=b"schemaVersion: v1\n", content_type="application/yaml")
    operator.patch(f"/workflows/{acme.workflows['app/build']}", json={"minimumRevision": 1})

    newest = ask(api, acme.token("attest", "workflow")).json["contract"]
    first = ask(api, acme.token("attest", "workflow"), "?contractRevision=1").json["contract"]
    absent = ask(api, acme.token("attest", "workflow"), "?contractRevision=3")

    assert (newest["revision"], first["revision"], first["latestRevision"]) == (2, 1, 2)
    assert absent.status_code == 404
    assert "the newest is 2" in absent.json["detail"]


def test_settings_of_organization_and_workflow_reach_the_job(api, acme):
    api(acme.token("admin")).patch("/organizations/acme", json={"casBackend": "inline", "runExpirySeconds": 700})
    organization = ask(api, acme.token("attest", "workflow")).json
    api(acme.token("operate")).patch(f"/workflows/{acme.workflows['app/build']}", json={"runExpirySeconds": 600})
    workflow = ask(api, acme.token("attest", "workflow")).json

    assert organization["cas"]["maxBytes"] == 500 * 1024
    assert (organization["runExpirySeconds"], workflow["runExpirySeconds"]) == (700, 600)


def test_r3_the_job_hears_whether_any_key_verifies_its_workflow(api, acme):
    def has_key(workflow):
        return ask(api, acme.token("attest"), f"?workflow={workflow}&project=app").json["hasVerificationKey"]

    key_id = register(api, acme.token("admin"), new_pem(), workflows=["app/build"]).json["id"]
    bound = (has_key("build"), has_key("deploy"))
    api(acme.token("admin")).post(f"/verification-keys/{key_id}/retire")

    assert bound == (True, False)
    assert has_key("build") is False


def test_r1_a_reader_does_not_craft(api, acme):
    assert ask(api, acme.token("read"), "?workflow=build&project=app").status_code == 403
