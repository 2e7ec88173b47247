"""The log of a real server: a line for each event, and no secret in it, whatever goes wrong (threats T07, T46)."""

from __future__ import annotations

import json
import re
import secrets
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from chainloop_ci.api.limits import HANDLE_HEADER
from chainloop_ci.signing.generate import generate_key
from examples.demo.control_plane import ControlPlane
from server.auth.token_text import render_token
from server.routes.table import ENDPOINTS
from tests.integration import live

HANDLE = secrets.token_urlsafe(32)
FOREIGN_TOKEN = render_token(secrets.token_bytes(32))
PRIVATE, PUBLIC = generate_key()
BODY_WORD = "canary-of-the-body"
PATH_WORD = "canary-of-the-path"
KEPT_TABLES = {"api_tokens", "organizations", "projects", "workflows", "alembic_version", "sqlite_sequence"}


@pytest.fixture
def server(project: Path, tmp_path: Path) -> Iterator[ControlPlane]:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    running = ControlPlane(project, data, {"CHAINLOOP_MIN_FREE_BYTES": "0", "CHAINLOOP_WORKERS": "1"})
    running.wait()
    yield running
    running.stop()


@pytest.fixture
def tenant(server: ControlPlane, tmp_path: Path) -> live.Tenant:
    return live.Tenant(server.url, server.token_file.read_text().strip(), tmp_path)


def events(server: ControlPlane) -> list[dict[str, Any]]:
    """Return the events of the whole log, of a server that has stopped; its greeting is for people."""
    lines = server.log.read_bytes().split(b"\n")
    assert lines.pop() == b""
    greeting = [line for line in lines if not line.startswith(b"{")]
    assert len(greeting) == 4, greeting
    return [json.loads(line) for line in lines if line.startswith(b"{")]


def requests(server: ControlPlane) -> list[dict[str, Any]]:
    return [event for event in events(server) if event["event"] == "request"]


def break_the_database(server: ControlPlane) -> None:
    """Take away every table that is not needed to know who asks."""
    connection = sqlite3.connect(server.token_file.parent / "chainloop.db", timeout=30)
    connection.execute("PRAGMA legacy_alter_table=ON")
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (table,) in tables:
        if table not in KEPT_TABLES:
            connection.execute(f'ALTER TABLE "{table}" RENAME TO "gone_{table}"')
    connection.commit()
    connection.close()


def fill(path: str) -> str:
    """Return an address for a route, with a value for each variable."""
    values = {"uuid": "11111111-2222-3333-4444-555555555555", "digest": "sha256:" + "ab" * 32}
    values["anydigest"] = values["digest"]
    values["int"] = "1"

    def value(match: re.Match[str]) -> str:
        return values.get(match[1].rpartition(":")[0], PATH_WORD)

    return re.sub(r"<([^>]+)>", value, path)


def test_t07_no_secret_is_logged_when_every_route_fails(server: ControlPlane, tenant: live.Tenant) -> None:
    ids = []
    body = json.dumps({"name": BODY_WORD, "publicKey": PRIVATE, "token": FOREIGN_TOKEN, "handle": HANDLE}).encode()
    break_the_database(server)
    for endpoint in ENDPOINTS:
        media_type = (endpoint.raw_body or "application/json").split(",")[0].strip()
        headers = {
            "Chainloop-Organization": tenant.organization,
            HANDLE_HEADER: HANDLE,
            "Content-Type": media_type,
            "Cookie": f"session={HANDLE}",
            "User-Agent": f"agent {FOREIGN_TOKEN}",
        }
        for token in (tenant.admin_token, server.token_file.read_text().strip(), FOREIGN_TOKEN):
            answer = tenant.request(endpoint.method, fill(endpoint.path), body, token=token, headers=headers)
            ids.append(answer.headers["X-Request-Id"])
    server.stop()

    log = server.log.read_text()
    for secret in (tenant.admin_token, server.token_file.read_text().strip(), FOREIGN_TOKEN, HANDLE, BODY_WORD):
        assert secret not in log
    assert not [line for line in PRIVATE.splitlines()[1:-1] if line in log]
    assert PATH_WORD not in log
    logged = [event["request_id"] for event in requests(server)]
    assert logged[-len(ids) :] == ids
    assert len({event["status"] for event in requests(server)}) > 3
    assert [event for event in events(server) if event["event"] == "request-failed"]


HOSTILE: dict[str, bytes] = {
    "a line break in the path": b"GET /%0a%7b%22event%22:%22forged%22%7d HTTP/1.1\r\nHost: a\r\n\r\n",
    "terminal colours": b"GET /\x1b[31mred HTTP/1.1\r\nHost: a\r\n\r\n",
    "no UTF-8": b"GET /%ff%fe HTTP/1.1\r\nHost: a\r\n\r\n",
    "a request id that is none": b"GET /x HTTP/1.1\r\nHost: a\r\nX-Request-Id: \x1b[31m{}\r\n\r\n",
    "a long request id": b"GET /x HTTP/1.1\r\nHost: a\r\nX-Request-Id: " + b"a" * 65 + b"\r\n\r\n",
    "a forged address": b'GET /x HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4", "x": "\r\n\r\n',
    "a run that is none": b"PUT /api/v1/artifacts/sha256:" + b"a" * 64 + b"?run=%0aevil HTTP/1.1\r\nHost: a\r\n"
    b"Content-Length: 0\r\n\r\n",
    "a token in the query": b"GET /x?token=" + FOREIGN_TOKEN.encode() + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "a made-up method": b"BREW /x HTTP/1.1\r\nHost: a\r\n\r\n",
}
MALFORMED: dict[str, bytes] = {
    "a header without a colon": b"GET /x HTTP/1.1\r\nHost: a\r\nAuthorization Bearer "
    + FOREIGN_TOKEN.encode()
    + b"\r\n\r\n",
    "a header name with control bytes": b"GET /x HTTP/1.1\r\nHost: a\r\nX-\x01\x1b" + HANDLE.encode() + b": b\r\n\r\n",
    "a bad version": b"GET /" + FOREIGN_TOKEN.encode() + b" HTTP/9.9\r\nHost: a\r\n\r\n",
    "no request": b"\x16\x03\x01\x02\x00\n\n\r\n\r\n",
}


def send(server: ControlPlane, raw: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(raw)
        return connection.recv(65536)


def test_t46_hostile_requests_are_one_line_each(server: ControlPlane) -> None:
    for raw in HOSTILE.values():
        assert send(server, raw).startswith(b"HTTP/1.1 4")
    server.stop()

    # Control bytes make some of them no HTTP at all.
    malformed = [event for event in events(server) if "malformed" in event["event"]]
    assert len(requests(server)) + len(malformed) == len(HOSTILE)
    assert len(malformed) < 4
    assert {event["run_id"] for event in requests(server)} == {None}
    assert {event["address"] for event in requests(server)} == {"127.0.0.1"}
    assert all(re.fullmatch(r"[A-Za-z0-9._-]{1,64}", event["request_id"]) for event in requests(server))
    assert "forged" not in server.log.read_text()
    assert FOREIGN_TOKEN not in server.log.read_text()


def test_t46_requests_that_are_no_http_are_one_line_each_too(server: ControlPlane) -> None:
    for raw in MALFORMED.values():
        send(server, raw)
    server.stop()

    told = [event for event in events(server) if "malformed" in event["event"]]
    assert len(told) == len(MALFORMED)
    assert requests(server) == []
    assert FOREIGN_TOKEN not in server.log.read_text()
    assert HANDLE not in server.log.read_text()


def test_a_request_id_is_taken_and_given_back(server: ControlPlane, tenant: live.Tenant) -> None:
    answer = tenant.request("GET", "/contracts/none", headers={"X-Request-Id": "build-77.1"})
    server.stop()

    assert answer.headers["X-Request-Id"] == "build-77.1"
    assert answer.json()["requestId"] == "build-77.1"
    [event] = [item for item in requests(server) if item["request_id"] == "build-77.1"]
    assert (event["method"], event["route"], event["status"]) == ("GET", "/api/v1/contracts/<name>", 404)
    assert event["problem"] == "not-found"
    assert event["token_id"]
    assert event["organization_id"]
    assert event["duration_ms"] >= 0


def test_the_run_of_a_request_is_logged(server: ControlPlane, tenant: live.Tenant) -> None:
    run = "11111111-2222-3333-4444-555555555555"
    tenant.request("GET", f"/workflow-runs/{run}")
    tenant.request("PUT", f"/artifacts/sha256:{'ab' * 32}?run={run}", b"x")
    server.stop()

    assert [event["run_id"] for event in requests(server)[-2:]] == [run, run]


def test_dispatcher_and_master_write_the_same_form(server: ControlPlane) -> None:
    with urllib3.PoolManager() as http:
        http.request("GET", f"{server.url}/healthz")
    server.stop()

    loggers = {event["logger"] for event in events(server)}
    assert {"gunicorn.error", "server.dispatcher"} <= loggers
    assert all({"timestamp", "level", "event"} <= event.keys() for event in events(server))
