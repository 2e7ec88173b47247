"""HTTP under load: clients that do little themselves, each with one connection that is kept."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass

from bench.together import run_together

_BLOCK_BYTES = 65536
_IDEMPOTENT = (b"GET ", b"PUT ")
"""What the requests begin with that may be sent twice (RFC 9110 section 9.2.2)."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a number of clients saw."""

    answers: int
    seconds: float
    waits_ms: tuple[float, ...]
    """How long each answer took."""
    reconnects: int = 0
    """Requests that were sent again because the server had ended their kept connection."""

    @property
    def rate(self) -> float:
        """Return answers per second."""
        return self.answers / self.seconds


def request_bytes(method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """Return a whole request; making it costs nothing any more while the clock runs."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


class UnansweredError(ConnectionError):
    """The connection ended before a byte of the answer came."""


class Client:
    """One kept connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None
        self.reconnects = 0
        """How often a request was sent again on a new connection."""

    def send(self, raw: bytes) -> tuple[int, bytes]:
        """Send a request and return status and body of its answer.

        A server may end a connection that it kept at any time, and just then the next request may be under way: such
        a request is sent again once, as HTTP clients do, when twice is as good as once (RFC 9112 section 9.3.1).

        Raises:
            UnansweredError: a new connection ended without an answer, or the request is not one to send again.
            OSError: the connection failed otherwise.
        """
        is_kept = self._socket is not None
        try:
            return self._exchange(raw)
        except UnansweredError:
            self.close()
            if not is_kept or not raw.startswith(_IDEMPOTENT):
                raise
        self.reconnects += 1
        return self._exchange(raw)

    def close(self) -> None:
        """End the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _exchange(self, raw: bytes) -> tuple[int, bytes]:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=120)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = self._socket
        try:
            connection.sendall(raw)
            first = connection.recv(_BLOCK_BYTES)
        except (ConnectionResetError, BrokenPipeError) as error:
            raise UnansweredError(f"no answer: {error}") from error
        if not first:
            raise UnansweredError("no answer: the server ended the connection")
        return self._receive(connection, first)

    def _receive(self, connection: socket.socket, first: bytes) -> tuple[int, bytes]:
        received = first
        while b"\r\n\r\n" not in received:
            received += _more(connection)
        head, _, body = received.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in lines[1:])
        while len(body) < int(fields.get(b"content-length", b"0")):
            body += _more(connection)
        if fields.get(b"connection") == b"close":
            self.close()
        return int(lines[0].split(b" ", 2)[1]), body


def run_clients(port: int, work: Iterable[Iterable[bytes]]) -> Load:
    """Let each entry of `work` be sent by a client of its own, its requests one after the other, all clients at once.

    Raises:
        RuntimeError: an answer was not a success, or a client failed otherwise.
    """
    clients = [_Sender(port, requests) for requests in work]
    seconds = run_together(client.run for client in clients)
    waits = tuple(wait for client in clients for wait in client.waits_ms)
    return Load(len(waits), seconds, waits, sum(client.connection.reconnects for client in clients))


class _Sender:
    """Sends one after the other and notes how long each answer took."""

    def __init__(self, port: int, requests: Iterable[bytes]) -> None:
        self.connection = Client(port)
        self.waits_ms: list[float] = []
        self._requests = requests

    def run(self) -> None:
        with closing(self.connection):
            for raw in self._requests:
                start = time.perf_counter()
                status, body = self.connection.send(raw)
                self.waits_ms.append(1000 * (time.perf_counter() - start))
                if status >= 300:
                    raise RuntimeError(f"answered {status}: {body[:300]!r}")


def _more(connection: socket.socket) -> bytes:
    block = connection.recv(_BLOCK_BYTES)
    if not block:
        raise ConnectionError("the server ended the connection within an answer")
    return block
