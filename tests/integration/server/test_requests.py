import io
import json

import pytest
from structlog.testing import capture_logs

from chainloop_ci.api.limits import MAX_BODY_BYTES
from tests.integration.server.conftest import bearer

UUID = "5f0c2f6e-2f0b-4c56-9a0e-6f1f3c0e7a11"


def test_an_unknown_address_is_a_problem(client):
    answer = client.get("/nowhere")

    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"
    assert answer.json["type"] == "urn:chainloop:problem:not-found"


@pytest.mark.parametrize("path", ["//api/v1/projects", "/api/v1//projects", "/api/v1/projects/", "/healthz/"])
def test_an_address_has_one_form(client, path):
    assert client.get(path).status_code == 404


def test_another_method_is_a_problem_that_names_the_right_ones(client):
    answer = client.delete("/api/v1/projects")

    assert answer.status_code == 405
    assert answer.json["code"] == "method-not-allowed"
    assert "GET" in answer.headers["Allow"]
    assert "POST" in answer.headers["Allow"]


def test_a_request_id_is_taken_over(client):
    answer = client.get("/nowhere", headers={"X-Request-Id": "build-7.a_b"})

    assert answer.headers["X-Request-Id"] == answer.json["requestId"] == "build-7.a_b"


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, 'a"b'])
def test_a_request_id_of_another_form_is_replaced(client, given):
    answer = client.get("/nowhere", headers={"X-Request-Id": given})

    assert answer.headers["X-Request-Id"] not in ("", given)


def test_a_defect_is_answered_without_detail_and_logged_with_the_request_id(app, client):
    def fail():
        raise RuntimeError("secret detail")

    app.view_functions["healthz"] = fail
    with capture_logs() as logged:
        answer = client.get("/healthz", headers={"X-Request-Id": "r-1"})

    (entry,) = [entry for entry in logged if entry["event"] == "request-failed"]
    assert (entry["log_level"], entry["request_id"], str(entry["exc_info"])) == ("error", "r-1", "secret detail")
    assert answer.status_code == 500
    assert answer.json["requestId"] == "r-1"
    assert "secret detail" not in answer.text


def test_a_json_body_over_the_limit_is_refused_with_the_limit(api, acme):
    answer = api(acme.token("operate")).post(
        "/projects", data=b" " * (MAX_BODY_BYTES + 1), content_type="application/json"
    )

    assert answer.status_code == 413
    assert str(MAX_BODY_BYTES) in answer.json["detail"]


class CountedStream(io.BytesIO):
    taken = 0

    def read(self, size=-1):
        block = super().read(size)
        self.taken += len(block)
        return block


def test_a_body_without_length_is_cut_at_the_limit(client, acme):
    source = CountedStream(b" " * (3 * MAX_BODY_BYTES))

    answer = client.post(
        "/api/v1/projects",
        input_stream=source,
        headers=bearer(acme.token("operate")),
        content_type="application/json",
        environ_overrides={"wsgi.input_terminated": True, "CONTENT_LENGTH": ""},
    )

    assert answer.status_code == 413
    assert source.taken < 2 * MAX_BODY_BYTES


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", None])
def test_another_media_type_is_refused_with_the_right_one(api, acme, content_type):
    answer = api(acme.token("operate")).post("/projects", data=b'{"name":"x"}', content_type=content_type)

    assert answer.status_code == 415
    assert "application/json" in answer.json["detail"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"name": NaN}', b'{"name":"a","name":"b"}', b"\xff", b"[" * 5000, b'{"Name":"a","name":"b"}']
)
def test_json_that_readers_see_differently_is_refused(api, acme, body):
    answer = api(acme.token("operate")).post("/projects", data=body, content_type="application/json")

    assert answer.status_code == 400
    assert answer.json["code"] == "json-invalid"


def test_every_wrong_field_of_a_body_is_reported_at_once(api, acme):
    answer = api(acme.token("operate")).post("/workflows", json={"name": "Not A Name", "team": 7, "surprise": 1})

    assert answer.status_code == 422
    assert answer.json["code"] == "request-invalid"
    assert {item["path"] for item in answer.json["findings"]} == {"/project", "/surprise", "/name", "/team"}
    text = json.dumps(answer.json["findings"])
    assert "surprise" in text
    assert "project" in text


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("surprise=1", "?surprise"),
        ("limit=0", "?limit"),
        ("limit=201", "?limit"),
        ("limit=ten", "?limit"),
        ("limit=%D9%A1", "?limit"),
        ("limit=" + "9" * 5000, "?limit"),
        ("limit=1&limit=2", "?limit"),
        ("cursor=", "?cursor"),
        ("cursor=" + "x" * 300, "?cursor"),
    ],
)
def test_a_query_parameter_that_is_wrong_unknown_or_repeated_is_refused(api, acme, query, path):
    answer = api(acme.token("read")).get(f"/projects?{query}")

    assert answer.status_code == 422
    assert [item["path"] for item in answer.json["findings"]] == [path]


def test_all_wrong_query_parameters_are_reported_at_once(api, acme):
    answer = api(acme.token("read")).get("/projects?limit=0&a=1&b=2")

    assert {item["path"] for item in answer.json["findings"]} == {"?limit", "?a", "?b"}


def test_r1_a_lacking_role_is_refused_before_the_body_is_read(api, acme):
    answer = api(acme.token("read")).post("/projects", data=b"{", content_type="application/json")

    assert answer.status_code == 403
    assert "operate" in answer.json["detail"]


@pytest.mark.parametrize(
    "path", [f"/workflows/{UUID[:-1]}", "/verification-keys/sha256:ABC", "/contracts/a/revisions/x"]
)
def test_an_id_of_another_form_is_not_found(api, acme, path):
    assert api(acme.token("read")).get(path).status_code == 404


def test_answers_are_not_kept_by_caches(api, acme):
    answer = api(acme.token("read")).get("/projects")

    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_r47_links_do_not_follow_the_host_header(client):
    answer = client.get("/openapi.json", headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"})

    assert "evil.example" not in answer.text
