"""R23: a token never travels over http to another machine, nor along a redirect; with the program as users run it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.live import CommandLine
from tests.unit.dripping_server import HEAD, dripping
from tests.unit.stub_server import Reply, StubServer, stub_server

TOKEN = "clp_" + "t" * 49
ELSEWHERE = "http://192.0.2.7:8080"  # RFC 5737: nobody's address
DIGEST = "sha256:" + "a" * 64


@pytest.fixture
def stub() -> Iterator[StubServer]:
    with stub_server() as running:
        yield running


@pytest.fixture
def other() -> Iterator[StubServer]:
    """Run what a redirect leads to."""
    with stub_server() as running:
        running.replies = [Reply(200, b"{}")]
        yield running


@pytest.fixture
def chainloop(tmp_path: Path) -> CommandLine:
    (tmp_path / "file").write_bytes(b"content")
    return CommandLine(tmp_path, {"CHAINLOOP_TOKEN": TOKEN})


@pytest.mark.parametrize("said_by", ["option", "variable", "configuration"])
def test_r23_no_token_over_http_to_another_machine(chainloop: CommandLine, said_by: str) -> None:
    words = ("workflow", "list")
    if said_by == "option":
        words = (*words, "--control-plane", ELSEWHERE)
    if said_by == "variable":
        chainloop.env["CHAINLOOP_CONTROL_PLANE_API"] = ELSEWHERE
    if said_by == "configuration":
        config = chainloop.folder / "config.toml"
        config.write_text(f'control-plane = "{ELSEWHERE}"\n')
        config.chmod(0o600)
        words = (*words, "--config", str(config))

    answer = chainloop(*words)

    assert answer.status == 2
    assert "a token is not sent over http to another machine (192.0.2.7)" in answer.stderr
    assert TOKEN not in answer.stdout + answer.stderr


def test_r23_http_to_loopback_is_allowed(chainloop: CommandLine, stub: StubServer) -> None:
    stub.replies = [Reply(200, b'{"items": []}')]

    answer = chainloop("workflow", "list", "--control-plane", stub.url)

    assert answer.status == 0, answer.stderr
    assert stub.seen[0].headers["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "words",
    [
        ("workflow", "list"),
        ("artifact", "download", "-d", DIGEST),
        ("artifact", "upload", "-f", "file"),
    ],
    ids=["request", "download", "upload"],
)
def test_r23_nothing_follows_a_redirect(
    chainloop: CommandLine, stub: StubServer, other: StubServer, words: tuple[str, ...], status: int
) -> None:
    target = other.url.replace("127.0.0.1", "localhost")
    stub.replies = [Reply(status, b"", {"Location": f"{target}/api/v1/workflows"})]

    answer = chainloop(*words, "--control-plane", stub.url)

    assert answer.status != 0
    assert "redirect to localhost" in answer.stderr
    assert other.seen == []
    assert TOKEN not in answer.stdout + answer.stderr


def test_r23_a_proxy_gets_no_token(chainloop: CommandLine, stub: StubServer) -> None:
    stub.replies = [Reply(403)]

    answer = chainloop(
        "workflow", "list", "--control-plane", "https://chainloop.example.com", env={"HTTPS_PROXY": stub.url}
    )

    assert answer.status == 6
    assert [seen.method for seen in stub.seen] == ["CONNECT"] * len(stub.seen) != []
    assert all(TOKEN not in str(dict(seen.headers)) for seen in stub.seen)


def test_a_control_plane_that_drips_is_code_6(chainloop: CommandLine) -> None:
    with dripping(HEAD, b" ") as url:
        answer = chainloop("workflow", "list", "--control-plane", url, timeout_seconds=60)

    assert answer.status == 6, answer.stderr
    assert url in answer.stderr
    assert "too slowly" in answer.stderr
