"""Hosts that nobody should speak to: they listen where everybody could reach them, and every connection is recorded."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

ADDRESS = "127.0.0.66"
"""The operator of the tests has opened loopback: nothing but our own rules keeps a request from it."""


@dataclass
class Stranger:
    """A host that is not the forge."""

    url: str
    callers: list[str] = field(default_factory=list)
    """Of every connection that was accepted."""


@dataclass
class Connections:
    """Where this process has begun connections to, and the names that it looked up."""

    places: set[tuple[str, int]] = field(default_factory=set)
    names: set[str] = field(default_factory=set)

    def strangers(self, *known: str) -> list[str]:
        """Return the places and names that are none of `known`, which are URLs."""
        own = {url.rpartition("/")[2] for url in known}
        others = {f"{host}:{port}" for host, port in self.places} - own
        return sorted(others | (self.names - {place.rpartition(":")[0] for place in own}))


@contextmanager
def stranger(address: str = ADDRESS) -> Iterator[Stranger]:
    """Listen until the end of the block; whoever connects is written down and hung up on."""
    listener = socket.create_server((address, 0))
    found = Stranger(f"http://{address}:{listener.getsockname()[1]}")

    def accept() -> None:
        while True:
            try:
                accepted, caller = listener.accept()
            except OSError:
                return
            found.callers.append(str(caller))
            accepted.close()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield found
    # A thread in `accept` is not woken by `close` alone.
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def record_connections(patch: pytest.MonkeyPatch) -> Connections:
    """Write down every connection and every lookup from now on; all are made as before."""
    seen = Connections()
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def connecting(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            seen.places.add((str(address[0]), int(address[1])))
        connect(self, address)

    def looking_up(host: Any, *arguments: Any, **options: Any) -> Any:
        seen.names.add(str(host))
        return look_up(host, *arguments, **options)

    patch.setattr(socket.socket, "connect", connecting)
    patch.setattr(socket, "getaddrinfo", looking_up)
    return seen
