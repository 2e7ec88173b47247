"""Requests that are no HTTP, against a real server: refused like everything else, with a problem document."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
MALFORMED = {
    "address-too-long": (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    "head-too-large": (GET + b"X-A: " + b"a" * 9000 + b"\r\n\r\n", 431),
    "malformed-request": (b"GET /healthz\r\n\r\n", 400),
    "transfer-coding": (b"POST /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: sprocket, chunked\r\n\r\n", 501),
    "expectation": (GET + b"Expect: a-miracle\r\n\r\n", 417),
}


def ask(port: int, request: bytes) -> tuple[int, str, Any]:
    """Return status, media type and document of the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request)
        head, _, body = b"".join(iter(lambda: connection.recv(65536), b"")).partition(b"\r\n\r\n")
    status, *fields = head.decode().split("\r\n")
    media_type = next(field.partition(": ")[2] for field in fields if field.lower().startswith("content-type:"))
    return int(status.split()[1]), media_type, json.loads(body)


@pytest.mark.parametrize("code", MALFORMED)
def test_a_request_that_is_no_http_is_answered_with_a_problem(code: str, control_plane: Any) -> None:
    request, expected = MALFORMED[code]

    status, media_type, problem = ask(control_plane.port, request)

    assert (status, media_type) == (expected, "application/problem+json")
    assert (problem["code"], problem["status"]) == (code, expected)


@pytest.mark.parametrize("name", [b"X-\x01\x02", b"X Y", b"X\x1b[31m"])
def test_what_was_malformed_is_not_written_into_the_log(name: bytes, control_plane: Any) -> None:
    before = control_plane.log.stat().st_size

    status, _, problem = ask(control_plane.port, GET + name + b": canary-in-a-header\r\n\r\n")

    with control_plane.log.open("rb") as log:
        log.seek(before)
        written = log.read()
    assert (status, problem["code"]) == (400, "malformed-request")
    assert b"canary" not in written
    assert b"malformed request from 127.0.0.1" in written
