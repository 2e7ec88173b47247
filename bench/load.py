"""HTTP under load: clients that do little themselves, each with one connection that is kept."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_BLOCK_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Load:
    """What a number of clients saw."""

    answers: int
    seconds: float
    waits_ms: tuple[float, ...]
    """How long each answer took."""

    @property
    def rate(self) -> float:
        """Return answers per second."""
        return self.answers / self.seconds


def request_bytes(method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """Return a whole request; making it costs nothing any more while the clock runs."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Client:
    """One kept connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def send(self, raw: bytes) -> tuple[int, bytes]:
        """Send a request and return status and body of its answer."""
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=120)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(raw)
        return self._receive(self._socket)

    def close(self) -> None:
        """End the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _receive(self, connection: socket.socket) -> tuple[int, bytes]:
        received = b""
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
        RuntimeError: an answer was not a success.
    """
    waits: list[float] = []
    failures: list[str] = []
    begin = threading.Event()

    def client(requests: Iterable[bytes]) -> None:
        connection = Client(port)
        begin.wait()
        try:
            for raw in requests:
                start = time.perf_counter()
                status, body = connection.send(raw)
                waits.append(1000 * (time.perf_counter() - start))
                if status >= 300:
                    failures.append(f"{status} {body[:300]!r}")
                    return
        except OSError as error:
            failures.append(str(error))
        finally:
            connection.close()

    threads = [threading.Thread(target=client, args=(requests,), daemon=True) for requests in work]
    for thread in threads:
        thread.start()
    start = time.perf_counter()
    begin.set()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - start
    if failures:
        raise RuntimeError(f"{len(failures)} of {len(threads)} clients failed: {failures[0]}")
    return Load(len(waits), seconds, tuple(waits))


def _more(connection: socket.socket) -> bytes:
    block = connection.recv(_BLOCK_BYTES)
    if not block:
        raise ConnectionError("the server ended the connection")
    return block
