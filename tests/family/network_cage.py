"""A network whose only way out is a proxy with a password, as jobs in many companies have it.

The kernel's network namespace has a loopback device and nothing else. The proxy's port is opened inside, and served by
this process, which stands outside and knows what the names of the network are.
"""

from __future__ import annotations

import base64
import ctypes
import errno
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

Place = tuple[str, int]
_CLONE_NEWNET = 0x40000000
PROXY: Place = ("127.0.0.1", 3128)
INSIDE: Place = ("10.77.0.1", 443)
"""A server of the network itself, that is reached without the proxy."""
USER, PASSWORD = "builder", "c4nary/p@ss word"
PASSWORD_IN_URL = "c4nary%2Fp%40ss%20word"
_MAX_HEAD_BYTES = 16384


@dataclass
class Cage:
    """The network, and what was asked of its proxy."""

    namespace: int
    """Open file of the namespace."""
    names: dict[str, Place] = field(default_factory=dict)
    """Where the proxy connects to, by `host:port`; it refuses others with 403."""
    inside: Place | None = None
    """What serves `INSIDE`."""
    asked: list[tuple[str, int]] = field(default_factory=list)
    """What the proxy was asked for, with the status that it answered."""
    direct: int = 0
    """Connections to `INSIDE`."""

    @property
    def proxy(self) -> str:
        """Return the proxy's address with user and password."""
        return f"http://{USER}:{PASSWORD_IN_URL}@{PROXY[0]}:{PROXY[1]}"

    def command(self, words: Sequence[str | Path]) -> list[str]:
        """Return a command that runs in the cage."""
        return ["nsenter", f"--net=/proc/{os.getpid()}/fd/{self.namespace}", "--", *map(str, words)]

    def reached(self) -> set[str]:
        """Return the places that the proxy let connections through to."""
        return {target for target, status in self.asked if status == 200}


@contextmanager
def network_cage() -> Iterator[Cage]:
    """Make the network; the test is skipped where that is not allowed, and fails where all is required."""
    cage, listeners = _enter()
    served: tuple[Callable[[socket.socket], None], ...] = (
        lambda client: _serve_proxy(cage, client),
        lambda client: _serve_inside(cage, client),
    )
    for listener, serve in zip(listeners, served, strict=True):
        threading.Thread(target=_accept, args=(listener, serve), daemon=True).start()
    try:
        yield cage
    finally:
        for listener in listeners:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        os.close(cage.namespace)


def _enter() -> tuple[Cage, list[socket.socket]]:
    """Return a new network and the sockets that listen in it."""
    found: list[tuple[Cage, list[socket.socket]]] = []
    refused: list[str] = []

    def make() -> None:
        # Of this thread alone, which ends; what it has opened stays inside.
        if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET) != 0:
            refused.append(errno.errorcode[ctypes.get_errno()])
            return
        for words in (["link", "set", "lo", "up"], ["address", "add", f"{INSIDE[0]}/32", "dev", "lo"]):
            subprocess.run(["ip", *words], check=True, capture_output=True)
        listeners = [socket.create_server(place, backlog=64) for place in (PROXY, INSIDE)]
        namespace = os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY)
        found.append((Cage(namespace), listeners))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if refused:
        reason = f"needs a network of its own: {refused[0]}"
        (pytest.fail if os.environ.get("CHAINLOOP_TEST_REQUIRE") == "all" else pytest.skip)(reason)
    return found[0]


def _accept(listener: socket.socket, serve: Callable[[socket.socket], None]) -> None:
    with suppress(OSError):  # closed at the end of the test
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_guarded, args=(client, serve), daemon=True).start()


def _guarded(client: socket.socket, serve: Callable[[socket.socket], None]) -> None:
    with client, suppress(OSError):  # whoever asked has gone
        serve(client)


def _serve_inside(cage: Cage, client: socket.socket) -> None:
    cage.direct += 1
    assert cage.inside is not None
    with socket.create_connection(cage.inside) as server:
        _join(client, server)


def _serve_proxy(cage: Cage, client: socket.socket) -> None:
    """Answer one request to the proxy (RFC 9110, sections 9.3.6 and 11.7)."""
    head = b""
    while b"\r\n\r\n" not in head and len(head) < _MAX_HEAD_BYTES:
        block = client.recv(4096)
        if not block:
            return
        head += block
    first, *lines = head.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    status, reason = _judge(cage, method, target, headers.get("proxy-authorization", ""))
    cage.asked.append((target, status))
    if status != 200:
        client.sendall(
            f'HTTP/1.1 {status} {reason}\r\nProxy-Authenticate: Basic realm="network"\r\nContent-Length: 0\r\n'
            "Connection: close\r\n\r\n".encode()
        )
        return
    with socket.create_connection(cage.names[target]) as server:
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        _join(client, server)


def _judge(cage: Cage, method: str, target: str, login: str) -> tuple[int, str]:
    wanted = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    if login != wanted:
        return 407, "Proxy Authentication Required"
    if method != "CONNECT":
        return 405, "Method Not Allowed"
    return (200, "OK") if target in cage.names else (403, "Forbidden")


def _join(left: socket.socket, right: socket.socket) -> None:
    """Carry bytes in both directions until one side has ended."""
    back = threading.Thread(target=_carry, args=(right, left), daemon=True)
    back.start()
    _carry(left, right)
    back.join()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while block := source.recv(65536):
            target.sendall(block)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
