"""A proxy that hands a request on, takes the answer, and hangs up instead of giving it back."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class CuttingProxy:
    """Forwards TCP to a port; cuts the answers to requests that hold `marker`, as often as it is told."""

    def __init__(self, target_port: int, marker: bytes, cuts: int, port: int) -> None:
        self._target_port = target_port
        self._marker = marker
        self._lock = threading.Lock()
        self.cuts_left = cuts
        self.cut = 0
        self._listener = socket.create_server(("127.0.0.1", port))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", self._target_port))
        doomed = threading.Event()

        def forward() -> None:
            try:
                while block := client.recv(65536):
                    if self._marker in block:
                        with self._lock:
                            if self.cuts_left > 0:
                                self.cuts_left -= 1
                                doomed.set()
                    server.sendall(block)
            except OSError:
                return

        threading.Thread(target=forward, daemon=True).start()
        try:
            while block := server.recv(65536):
                if doomed.is_set():
                    with self._lock:
                        self.cut += 1
                    break
                client.sendall(block)
        except OSError:
            return
        finally:
            for end in (client, server):
                # Closing alone would not hang up while the other thread still reads.
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()


@contextmanager
def cutting_proxy(target_port: int, marker: bytes, cuts: int, port: int = 0) -> Iterator[CuttingProxy]:
    """Run a proxy for the length of a block; `port` is where it listens, 0: anywhere."""
    proxy = CuttingProxy(target_port, marker, cuts, port)
    try:
        yield proxy
    finally:
        proxy.close()
