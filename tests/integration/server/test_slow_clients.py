"""T30 against a real server: clients that say nothing more must not keep it from the others."""

from __future__ import annotations

import socket
import urllib.request
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

HALF_A_HEAD = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: "
HALF_A_BODY = (
    b"POST /api/v1/projects HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
)


@pytest.fixture
def connect(control_plane: Any) -> Iterator[Any]:
    """Return a function that opens a connection and sends the beginning of a request."""
    with ExitStack() as held:

        def connect(beginning: bytes) -> socket.socket:
            connection = socket.create_connection(("127.0.0.1", control_plane.port), timeout=30)
            held.enter_context(closing(connection))
            connection.sendall(beginning)
            return connection

        yield connect


def workers_of(control_plane: Any) -> str:
    master = control_plane.process_id
    return Path(f"/proc/{master}/task/{master}/children").read_text()


def read_to_end(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize("beginning", [b"", b"\r\n", HALF_A_HEAD, HALF_A_BODY])
def test_t30_clients_that_stop_in_the_middle_do_not_keep_the_server_from_others(
    beginning: bytes, connect: Any, control_plane: Any
) -> None:
    for _ in range(100):
        connect(beginning)

    with urllib.request.urlopen(f"{control_plane.url}/healthz", timeout=5) as answer:
        assert answer.status == 200


def test_t30_more_connections_than_there_is_room_for_displace_the_idle_ones(connect: Any, control_plane: Any) -> None:
    for _ in range(1300):
        connect(HALF_A_HEAD)

    with urllib.request.urlopen(f"{control_plane.url}/healthz", timeout=5) as answer:
        assert answer.status == 200


def test_t30_a_connection_that_speaks_while_it_is_displaced_ends_no_process(connect: Any, control_plane: Any) -> None:
    processes = workers_of(control_plane)
    open_ones: deque[socket.socket] = deque()

    for _ in range(4000):
        open_ones.append(connect(HALF_A_HEAD))
        if len(open_ones) > 1200:
            # These are the next to go: they say something in the moment in which they are closed.
            for oldest in list(islice(open_ones, 150, 350, 25)):
                with suppress(OSError):
                    oldest.send(b"a")
            open_ones.popleft().close()

    with urllib.request.urlopen(f"{control_plane.url}/healthz", timeout=10) as answer:
        assert answer.status == 200
    assert workers_of(control_plane) == processes


def test_a_head_that_comes_in_pieces_is_answered(connect: Any) -> None:
    connection = connect(HALF_A_HEAD)

    for piece in (b"1\r", b"\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\nConnection: cl", b"ose\r\n\r\n"):
        connection.sendall(piece)

    assert read_to_end(connection).count(b"HTTP/1.1 200 OK") == 2


def test_t30_a_head_without_end_is_refused(connect: Any) -> None:
    connection = connect(HALF_A_HEAD)

    connection.sendall(b"a" * 33_000)

    assert read_to_end(connection).startswith(b"HTTP/1.1 431 ")


def test_a_refused_client_that_is_still_sending_can_read_why(connect: Any) -> None:
    head = b"POST /api/v1/artifacts HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"
    connection = connect(head + b"Content-Length: 400000\r\n\r\n" + b"x" * 300_000)

    assert read_to_end(connection).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("size", [b"zz", b"-1"])
def test_t42_a_chunk_without_a_size_is_refused(size: bytes, connect: Any, tenant: Any) -> None:
    head = "POST /api/v1/artifacts HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"
    head += f"Authorization: Bearer {tenant.admin_token}\r\nTransfer-Encoding: chunked\r\n\r\n"

    connection = connect(head.encode() + size + b"\r\nx\r\n0\r\n\r\n")

    assert read_to_end(connection).startswith(b"HTTP/1.1 400 ")
