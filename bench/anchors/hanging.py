"""A receiver of webhooks that takes what it is sent until it is told to hang; then nobody gets an answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Hanging:
    """What the receiver does, and where it listens."""

    url: str = ""
    hangs: bool = False
    hung: int = 0
    """Requests that got no answer."""
    end: threading.Event = field(default_factory=threading.Event)


@contextmanager
def hanging_receiver() -> Iterator[Hanging]:
    """Run one on a loopback port; requests that hang are let go at the end of the block."""
    found = Hanging()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if found.hangs:
                found.hung += 1
                found.end.wait()
                return
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield found
    finally:
        found.end.set()
        server.shutdown()
        server.server_close()
