import re
import shutil

import pytest

from server.app import create_app
from server.config import ServerConfig
from server.services.health import Health
from server.services.sweep_log import SweepLog
from server.store import schema
from server.wiring import build_services


def test_health_is_answered_without_a_token(client):
    assert client.get("/healthz").json == {"status": "ok"}


def test_a_working_server_is_ready(client):
    answer = client.get("/readyz")

    assert (answer.status_code, answer.json["status"]) == (200, "ready")


def test_sweeps_that_are_late_are_a_warning_and_no_reason_to_take_the_server_out(client, clock):
    started = client.get("/readyz")
    clock.advance(minutes=1)

    answer = client.get("/readyz")

    assert started.json["warnings"] == []
    assert answer.status_code == 200
    assert answer.json["findings"] == []
    assert {warning["code"] for warning in answer.json["warnings"]} == {"sweep-late"}


def test_r8_a_nearly_full_disk_is_said_and_passes_without_restart(services, tmp_path, clock):
    full = Health(services.database, tmp_path, 2**62, SweepLog(services.database, clock))
    free = Health(services.database, tmp_path, 0, SweepLog(services.database, clock))

    assert [finding.code for finding in full.findings()] == ["disk-nearly-full"]
    assert free.findings() == ()


def test_a_data_folder_that_is_gone_is_said(services, tmp_path, clock):
    health = Health(services.database, tmp_path / "gone", 0, SweepLog(services.database, clock))

    assert [finding.code for finding in health.findings()] == ["data-folder-unreadable"]


def test_a_schema_of_another_version_is_said_with_the_command(tmp_path):
    services = build_services(ServerConfig(data=tmp_path, min_free_bytes=0))

    answer = create_app(services).test_client().get("/readyz")
    services.database.engine.dispose()

    assert answer.status_code == 503
    assert answer.json["findings"][0]["code"] == "schema-mismatch"
    assert answer.json["findings"][0]["hint"] == "run `python -m server migrate`"


def test_a_database_that_does_not_answer_is_said(tmp_path):
    services = build_services(ServerConfig(data=tmp_path / "data", min_free_bytes=0))
    shutil.rmtree(tmp_path / "data")

    codes = [finding.code for finding in services.health.findings()]

    assert codes == ["database-unreachable", "data-folder-unreadable"]


def test_the_document_is_openapi_3_1(client):
    document = client.get("/openapi.json").json

    assert document["openapi"] == "3.1.0"
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert "/api/v1/contracts/{name}/revisions/{revision}" in document["paths"]


def test_the_page_shows_every_operation_and_needs_no_script(client):
    document = client.get("/openapi.json").json
    answer = client.get("/docs")

    assert answer.status_code == 200
    assert "<script" not in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert f'id="{operation["operationId"]}"' in answer.text, path


def test_the_bare_address_lets_people_log_in_and_leads_to_the_api(client):
    answer = client.get("/")

    assert answer.status_code == 200
    assert 'action="/login"' in answer.text
    assert 'href="/docs"' in answer.text


def test_everything_that_the_page_loads_is_ours_and_there(client):
    text = client.get("/docs").text

    for address in re.findall(r'(?:href|src)="([^"#]+)"', text):
        assert address.startswith("/")
        with client.get(address) as answer:
            assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/", "/login", "/healthz", "/readyz", "/openapi.json", "/docs"])
def test_public_routes_say_nothing_of_tenants(client, rival, path):
    assert "rival" not in client.get(path).text


def test_a_fresh_schema_is_ready(tmp_path):
    services = build_services(ServerConfig(data=tmp_path, min_free_bytes=0))
    before = services.health.findings()
    schema.upgrade(services.database.engine)

    assert before
    assert services.health.findings() == ()
    services.database.engine.dispose()
