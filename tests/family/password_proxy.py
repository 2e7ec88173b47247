"""A forward proxy that asks for a password and knows one machine behind it, as the only way out of a network."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

USER, PASSWORD = "build", "hidden-word"


@dataclass
class PasswordProxy:
    """A proxy on loopback; every name that is asked for leads to `target_port` on this machine."""

    target_port: int
    asked: list[str] = field(default_factory=list)
    """The machines that were asked for with the right password."""
    refused: int = 0

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def address(self, password: str = PASSWORD) -> str:
        """Return the proxy's address as a job writes it."""
        return f"http://{USER}:{password}@127.0.0.1:{self.port}"

    def close(self) -> None:
        """Take no more connections."""
        # Closing alone would leave a thread in accept().
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._handle, args=(client,), daemon=True).start()

    def _handle(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                part = client.recv(4096)
                if not part:
                    return
                head += part
            method, target, rest = head.decode("latin-1").split(" ", 2)
            known = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            if method != "CONNECT" or f"Basic {known}" not in rest:
                self.refused += 1
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                return
            self.asked.append(target)
            with socket.create_connection(("127.0.0.1", self.target_port)) as server:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=_pump, args=(server, client), daemon=True)
                back.start()
                _pump(client, server)
                back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while part := source.recv(65536):
            sink.sendall(part)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@contextmanager
def password_proxy(target_port: int) -> Iterator[PasswordProxy]:
    """Run one."""
    proxy = PasswordProxy(target_port)
    try:
        yield proxy
    finally:
        proxy.close()
