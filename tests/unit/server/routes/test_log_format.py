from __future__ import annotations

import base64
import json
import logging
import subprocess
import sys
from typing import Any

import pytest

from server.auth.token_text import render_token
from server.routes.log_format import MAX_LOGGED, REDACTED, redact

TOKEN = render_token(bytes(range(32)))
HANDLE = base64.urlsafe_b64encode(bytes(range(200, 232))).decode().rstrip("=")
KEY = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIabc\n-----END EC PRIVATE KEY-----"


def clean(value: Any) -> Any:
    return redact(None, "info", {"event": value})["event"]


@pytest.mark.parametrize(
    "secret", [TOKEN, TOKEN[:20], HANDLE, KEY, KEY[:50], "Bearer abcdefgh12345", "basic dXNlcjpwYXNz"]
)
@pytest.mark.parametrize("around", ["{}", "before {} after", "'{}'", "a={};b", "\n{}\n"])
def test_t07_what_looks_like_a_secret_is_taken_out(secret: str, around: str) -> None:
    said = clean(around.format(secret))

    assert secret not in said
    assert REDACTED in said


@pytest.mark.parametrize(
    "text",
    [
        "sha256:" + "0123456789abcdef" * 4,
        "0123456789abcdef0123456789abcdef01234567",
        "11111111-2222-3333-4444-555555555555",
        "/api/v1/workflow-runs/<uuid:run_id>/attestation",
        "bearer of a token",
    ],
)
def test_what_an_operator_needs_stays(text: str) -> None:
    assert clean(text) == text


def test_secrets_are_found_in_lists_maps_and_objects() -> None:
    class Odd:
        def __repr__(self) -> str:
            return f"Odd({TOKEN})"

    said = json.dumps(clean([{TOKEN: (TOKEN, 1, None, True)}, Odd()]))

    assert TOKEN not in said
    assert json.loads(said)[0][REDACTED] == [REDACTED, 1, None, True]


def test_a_text_without_end_is_cut() -> None:
    assert len(clean("x y " * MAX_LOGGED)) <= MAX_LOGGED


LOGGING = """
import logging, sys, structlog
from server.routes.log_format import configure_logging
configure_logging()
hostile = "line\\n{\\"event\\": \\"forged\\"}\\r\\x1b[31m\\x00\\u2028\\u202e\\udcff"
structlog.get_logger("server").info("request", route=hostile)
logging.getLogger("foreign").warning("says %s", hostile)
try:
    raise RuntimeError(hostile + sys.argv[1])
except RuntimeError as error:
    structlog.get_logger("server").error("failed", exc_info=error)
"""


def test_t46_one_event_is_one_line_whatever_is_in_it() -> None:
    done = subprocess.run([sys.executable, "-c", LOGGING, TOKEN], capture_output=True, check=True)
    lines = done.stderr.split(b"\n")

    assert lines.pop() == b""
    assert [json.loads(line)["level"] for line in lines] == ["info", "warning", "error"]
    assert all(0x20 <= byte < 0x7F for line in lines for byte in line)
    assert TOKEN.encode() not in done.stderr


def test_every_line_says_when_how_bad_and_who() -> None:
    done = subprocess.run([sys.executable, "-c", LOGGING, TOKEN], capture_output=True, check=True)

    for line in done.stderr.splitlines():
        event = json.loads(line)
        assert event["timestamp"].endswith("Z")
        assert event["logger"] in ("server", "foreign")
        assert logging.getLevelName(event["level"].upper())
