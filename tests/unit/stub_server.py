"""A server on loopback that gives the answers it was told to give, and remembers what it was asked."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """One answer. `cut` hangs up after so many bytes of the body; 0 before anything was said."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    cut: int | None = None


@dataclass(frozen=True)
class Seen:
    """One request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class StubServer:
    """Answers in the order given; the last answer is repeated."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.seen: list[Seen] = []
        self.is_silent = False
        """Whether it reads what comes and gives no answer."""
        self._is_closed = threading.Event()
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments: Any) -> None:
                """Stay quiet."""

            def answer(self) -> None:
                stub.seen.append(Seen(self.command, self.path, dict(self.headers), self._body()))
                if stub.is_silent:
                    stub._is_closed.wait()
                    self.close_connection = True
                    return
                reply = stub.replies.pop(0) if len(stub.replies) > 1 else stub.replies[0]
                if reply.cut == 0:
                    self.close_connection = True
                    return
                self.send_response(reply.status)
                for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(reply.body[: reply.cut])
                self.close_connection = reply.cut is not None

            def __getattr__(self, name: str) -> Any:
                if name.startswith("do_"):
                    return self.answer
                raise AttributeError(name)

            def _body(self) -> bytes:
                if self.headers.get("Transfer-Encoding") != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length", 0)))
                whole = b""
                while size := int(self.rfile.readline(), 16):
                    whole += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return whole

        class Server(ThreadingHTTPServer):
            def handle_error(self, *arguments: Any) -> None:
                """Stay quiet about clients that hang up."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.host}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._is_closed.set()
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def stub_server() -> Iterator[StubServer]:
    """Run a stub for the length of a block."""
    stub = StubServer()
    try:
        yield stub
    finally:
        stub.close()


@contextmanager
def nobody_listening() -> Iterator[str]:
    """Keep a port at which nobody listens for the length of a block, so that nobody else gets it; yield its URL."""
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{kept.getsockname()[1]}"
