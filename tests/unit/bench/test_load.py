"""Clients under load: a kept connection that ends is no failure, everything else is one."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from bench.load import Client, UnansweredError, request_bytes, run_clients

GET = request_bytes("GET", "/", {})
PUT = request_bytes("PUT", "/", {}, b"body")
POST = request_bytes("POST", "/", {}, b"body")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
REFUSED = b"HTTP/1.1 507 Full\r\nContent-Length: 4\r\n\r\nfull"
BROKEN_OFF = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no"
END = b""
RESET = b"reset"


@contextmanager
def server(*connections: Sequence[bytes]) -> Iterator[int]:
    """Answer one request after the other with what stands for it, connection by connection, and end each."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for answers in connections:
                connection, _ = listener.accept()
                with connection:
                    _answer(connection, answers)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(10)


def _answer(connection: socket.socket, answers: Sequence[bytes]) -> None:
    for answer in answers:
        if not connection.recv(65536):
            return
        if answer == RESET:
            # Closed so, a connection is reset instead of ended.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            connection.sendall(answer)


@contextmanager
def client(port: int) -> Iterator[Client]:
    """Return a client that is closed in the end, which lets the server go on."""
    found = Client(port)
    try:
        yield found
    finally:
        found.close()


@pytest.mark.parametrize("end", [END, RESET], ids=["ended", "reset"])
@pytest.mark.parametrize("request_", [GET, PUT], ids=["GET", "PUT"])
def test_what_a_kept_connection_did_not_answer_is_sent_again_on_a_new_one(request_: bytes, end: bytes) -> None:
    with server([OK, end], [OK]) as port, client(port) as sender:
        answers = [sender.send(request_), sender.send(request_)]

        assert answers == [(200, b"ok"), (200, b"ok")]
        assert sender.reconnects == 1


def test_it_is_sent_again_once() -> None:
    with server([OK, END], [END]) as port, client(port) as sender:
        sender.send(GET)

        with pytest.raises(UnansweredError):
            sender.send(GET)


@pytest.mark.parametrize("end", [END, RESET], ids=["ended", "reset"])
def test_a_new_connection_that_ends_without_an_answer_is_a_failure(end: bytes) -> None:
    with server([end]) as port, client(port) as sender:
        with pytest.raises(UnansweredError):
            sender.send(GET)

        assert sender.reconnects == 0


def test_a_request_that_may_not_be_sent_twice_is_not() -> None:
    with server([OK, END]) as port, client(port) as sender:
        sender.send(POST)

        with pytest.raises(UnansweredError):
            sender.send(POST)


def test_an_answer_that_breaks_off_is_a_failure() -> None:
    with server([OK, BROKEN_OFF]) as port, client(port) as sender:
        sender.send(GET)

        with pytest.raises(ConnectionError, match="within an answer"):
            sender.send(GET)


def test_the_load_counts_what_was_sent_again() -> None:
    with server([OK, END], [OK]) as port:
        load = run_clients(port, [[GET, GET]])

    assert (load.answers, len(load.waits_ms), load.reconnects) == (2, 2, 1)


@pytest.mark.parametrize(
    ("work", "reason"),
    [([GET], "RuntimeError: answered 507: b'full'"), ([object()], "TypeError")],
    ids=["refusal", "other exception"],
)
def test_whatever_stops_a_client_is_a_failure(work: list[Any], reason: str) -> None:
    with server([REFUSED]) as port, pytest.raises(RuntimeError, match="1 of 1 failed") as failed:
        run_clients(port, [work])

    assert reason in str(failed.value)
