"""What tests of the way out share: a sink that sees every connection, a resolver of our own, a forge with TLS."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from server.egress.policy import Policy
from server.egress.transport import Transport
from server.setting_values import OpenedHost
from tests.integration.tls_proxy import Authority
from tests.unit.stub_server import StubServer, stub_server

SECRET = "canary-7c1f0a9e-credential"
SECONDS = 20.0


class Sink:
    """Sees every connection that this process begins and lets none be made, but to the ports it was told to."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, int]] = []
        self.open_ports: set[int] = set()

    @property
    def strangers(self) -> list[tuple[str, int]]:
        """Return the connections to other ports than the open ones."""
        return [place for place in self.seen if place[1] not in self.open_ports]


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> Sink:
    """Put a sink under every socket; a name that is looked up without our resolver fails the test too."""
    made = Sink()
    connect = socket.socket.connect

    def record(self: socket.socket, address: Any) -> None:
        made.seen.append((str(address[0]), int(address[1])))
        if address[1] not in made.open_ports:
            raise ConnectionRefusedError(111, "refused by the sink")
        connect(self, address)

    def unasked(*arguments: Any, **_: Any) -> Any:
        made.seen.append((f"name lookup of {arguments[0]}", 0))
        raise socket.gaierror("the sink knows no names")

    monkeypatch.setattr(socket.socket, "connect", record)
    monkeypatch.setattr(socket, "getaddrinfo", unasked)
    return made


@dataclass
class Names:
    """A resolver. Each name has a list of answers; the last one is repeated."""

    answers: dict[str, list[Sequence[str]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        known = self.answers.get(host)
        if not known:
            raise socket.gaierror("no such name")
        return known.pop(0) if len(known) > 1 else known[0]


@pytest.fixture
def names() -> Names:
    """Return a resolver that a test teaches names."""
    return Names()


@dataclass
class Forge:
    """A server with TLS on loopback that is called `public.test`."""

    port: int
    authority: Path
    answers: dict[str, tuple[int, dict[str, str], bytes]]
    """By path without query."""
    asked: list[tuple[str, str, dict[str, str]]]
    """Method, path and headers."""

    def url(self, host: str = "public.test") -> str:
        """Return its address by a name."""
        return f"https://{host}:{self.port}"


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[Forge]:
    """Run a forge whose certificate is for `public.test` and `other-public.test`."""
    authority = Authority("egress tests")
    authority.issue(tmp_path / "crt", tmp_path / "key", names=("public.test", "other-public.test"))
    (tmp_path / "ca.pem").write_text(authority.pem)
    answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
    asked: list[tuple[str, str, dict[str, str]]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: Any) -> None:
            """Stay quiet."""

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked.append((self.command, self.path, dict(self.headers)))
            status, headers, body = answers[self.path.partition("?")[0]]
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = answer  # noqa: N815  # the names that the library calls

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            """Stay quiet about clients that hang up."""

    server = Server(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "crt", tmp_path / "key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield Forge(server.server_port, tmp_path / "ca.pem", answers, asked)
    server.shutdown()
    server.server_close()


@pytest.fixture
def make() -> Iterator[Callable[..., Transport]]:
    """Return a function that makes transports, which are closed at the end."""
    made: list[Transport] = []

    def make(policy: Policy, **options: Any) -> Transport:
        made.append(Transport(policy, **options))
        return made[-1]

    yield make
    for transport in made:
        transport.close()


@pytest.fixture
def strict(names: Names, make: Callable[..., Transport]) -> Transport:
    """Return a transport whose operator opened nothing."""
    return make(Policy(), resolver=names)


@pytest.fixture
def opened(names: Names, forge: Forge, sink: Sink, make: Callable[..., Transport]) -> Transport:
    """Return a transport whose operator opened `public.test` and `other-public.test`, where the forge is."""
    names.answers |= {"public.test": [["127.0.0.1"]], "other-public.test": [["127.0.0.1"]]}
    sink.open_ports.add(forge.port)
    policy = Policy((OpenedHost("public.test"), OpenedHost("other-public.test")), authorities=forge.authority)
    return make(policy, resolver=names)


LOOPBACK = Policy((OpenedHost(None, ipaddress.ip_network("127.0.0.0/8")),))
"""Of an operator who opened loopback."""


@pytest.fixture
def local(make: Callable[..., Transport]) -> Transport:
    """Return a transport to loopback."""
    return make(LOOPBACK)


@pytest.fixture
def stub() -> Iterator[StubServer]:
    """Run a server on loopback that answers as it is told."""
    with stub_server() as made:
        yield made
