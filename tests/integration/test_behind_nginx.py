"""The control plane behind nginx with TLS from a private CA, as docs/operating.md sets it up."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from examples.demo.control_plane import ControlPlane, free_port
from tests.integration.live import PROJECT, CommandLine, Tenant
from tests.integration.tls_proxy import Authority, TlsProxy, start_proxy

pytestmark = [pytest.mark.real("nginx"), pytest.mark.xdist_group("nginx")]
MIB = 1024 * 1024
GIB = 1024 * MIB


@dataclass(frozen=True)
class Site:
    """A control plane and the proxy in front of it."""

    plane: ControlPlane
    proxy: TlsProxy
    authority: Authority
    folder: Path

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    authority = Authority("private CA of the tests")
    (folder / "ca.pem").write_text(authority.pem)
    authority.issue(folder / "chainloop.crt", folder / "chainloop.key")
    data, port = folder / "data", free_port()
    data.mkdir(mode=0o700)
    settings = {"CHAINLOOP_PUBLIC_URL": f"https://localhost:{port}", "CHAINLOOP_TRUSTED_PROXIES": "127.0.0.1"}
    plane = ControlPlane(PROJECT, data, settings)
    try:
        plane.wait()
        with start_proxy(folder, port, plane.port) as proxy:
            yield Site(plane, proxy, authority, folder)
    finally:
        plane.stop()


@pytest.fixture
def operator(site: Site, tmp_path: Path) -> CommandLine:
    """Return an administrator's command line that goes through the proxy."""
    tenant = Tenant(site.plane.url, site.plane.token_file.read_text().strip(), tmp_path)
    env = {
        "CHAINLOOP_CONTROL_PLANE_API": site.proxy.url,
        "CHAINLOOP_CONTROL_PLANE_API_CA": str(site.ca),
        "CHAINLOOP_TOKEN": tenant.admin_token,
    }
    return CommandLine(tmp_path, env)


def test_a_gibibyte_goes_up_and_comes_down_whole(operator: CommandLine, tmp_path: Path) -> None:
    big = tmp_path / "big.bin"
    digest = write_pattern(big, GIB)

    up = operator("artifact", "upload", "-f", big, "-o", "json", timeout_seconds=300)
    big.unlink()
    down = operator("artifact", "download", "-d", digest, "--output", tmp_path / "again.bin", timeout_seconds=300)

    assert up.status == 0, up.stderr
    assert up.document["digest"] == digest
    assert down.status == 0, down.stderr
    assert file_digest(tmp_path / "again.bin") == digest
    (tmp_path / "again.bin").unlink()


def test_every_link_names_the_public_address(site: Site, operator: CommandLine) -> None:
    described = ask(site, "/openapi.json")
    page = ask(site, "/docs")

    assert json.loads(described)["servers"] == [{"url": site.proxy.url}]
    assert str(site.plane.port) not in described + page
    assert site.proxy.url in site.plane.log.read_text()


def test_the_host_that_a_client_names_is_in_no_link(site: Site) -> None:
    for path in ("/openapi.json", "/docs", "/docs/", "/api/v1/whoami", "/nowhere"):
        answer = ask(site, path, "Host: evil.test\r\nX-Forwarded-Host: evil.test\r\nX-Forwarded-Proto: http")

        assert "evil.test" not in answer


def test_a_token_shows_the_address_of_the_client_not_of_the_proxy(operator: CommandLine, site: Site) -> None:
    forged = ask(site, "/api/v1/whoami", f"Authorization: Bearer {operator.env['CHAINLOOP_TOKEN']}\r\n"
                 "X-Forwarded-For: 203.0.113.7")  # fmt: skip

    tokens = operator("organization", "api-token", "list", "-o", "json")

    assert "200 OK" in forged
    assert tokens.status == 0, tokens.stderr
    assert {token["lastUsedAddress"] for token in tokens.document["items"]} == {"127.0.0.1"}


@pytest.mark.parametrize("given", ["none", "another", "not a certificate"])
def test_a_ca_that_did_not_sign_is_code_6_and_says_what_to_set(operator: CommandLine, given: str) -> None:
    other = {"none": None, "another": Authority("another CA").pem, "not a certificate": "hello"}[given]
    if other is None:
        del operator.env["CHAINLOOP_CONTROL_PLANE_API_CA"]
    else:
        path = operator.folder / "other.pem"
        path.write_text(other)
        operator.env["CHAINLOOP_CONTROL_PLANE_API_CA"] = str(path)

    answer = operator("workflow", "list")

    assert answer.status == (1 if given == "not a certificate" else 6), answer.stderr
    assert "CHAINLOOP_CONTROL_PLANE_API_CA" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_the_ca_may_be_given_as_text(operator: CommandLine, site: Site) -> None:
    operator.env["CHAINLOOP_CONTROL_PLANE_API_CA"] = site.authority.pem

    answer = operator("workflow", "list")

    assert answer.status == 0, answer.stderr


@pytest.mark.parametrize(("names", "days"), [(("localhost",), -1), (("other.test",), 1)], ids=["expired", "other name"])
def test_a_certificate_that_does_not_hold_is_code_6_and_says_why(
    operator: CommandLine, site: Site, tmp_path: Path, names: tuple[str, ...], days: int
) -> None:
    folder = tmp_path / "nginx"
    folder.mkdir()
    site.authority.issue(folder / "chainloop.crt", folder / "chainloop.key", names=names, days=days)

    with start_proxy(folder, free_port(), site.plane.port) as proxy:
        operator.env["CHAINLOOP_CONTROL_PLANE_API"] = proxy.url
        answer = operator("workflow", "list")

    assert answer.status == 6, answer.stderr
    assert ("expired" if days < 0 else "not for localhost") in answer.stderr
    assert "/api/" not in proxy.access_log()


def test_r23_a_token_is_not_sent_over_plain_http_off_loopback(operator: CommandLine) -> None:
    with listen(own_address()) as sink:
        operator.env["CHAINLOOP_CONTROL_PLANE_API"] = f"http://{sink.host}:{sink.port}"
        answer = operator("workflow", "list")

    assert answer.status == 2, answer.stderr
    assert "https" in answer.stderr
    assert sink.received == []


def test_r23_a_token_does_not_follow_a_redirect_to_another_host(
    operator: CommandLine, site: Site, tmp_path: Path
) -> None:
    folder = tmp_path / "nginx"
    folder.mkdir()
    site.authority.issue(folder / "chainloop.crt", folder / "chainloop.key")

    with listen("127.0.0.1") as sink:
        extra = f"    location /api/ {{ return 307 http://127.0.0.1:{sink.port}$request_uri; }}"
        with start_proxy(folder, free_port(), site.plane.port, extra) as proxy:
            operator.env["CHAINLOOP_CONTROL_PLANE_API"] = proxy.url
            answer = operator("workflow", "list")

    assert answer.status != 0
    assert sink.received == []


@dataclass
class Sink:
    """A listener that keeps what it is sent."""

    host: str
    port: int
    received: list[bytes] = field(default_factory=list)


@contextmanager
def listen(host: str) -> Iterator[Sink]:
    with closing(socket.create_server((host, 0))) as server:
        sink = Sink(host, server.getsockname()[1])
        server.settimeout(0.2)
        stopped = threading.Event()

        def take() -> None:
            while not stopped.is_set():
                try:
                    connection, _ = server.accept()
                except OSError:
                    continue
                with closing(connection):
                    sink.received.append(connection.recv(65536))

        thread = threading.Thread(target=take)
        thread.start()
        try:
            yield sink
        finally:
            stopped.set()
            thread.join()


def own_address() -> str:
    """Return an address of this machine that is not loopback."""
    for line in Path("/proc/net/fib_trie").read_text().splitlines():
        address = line.strip().removeprefix("|-- ")
        if address != line.strip() and bindable(address):
            return address
    pytest.skip("this machine has no address but loopback")


def bindable(address: str) -> bool:
    try:
        socket.create_server((address, 0)).close()
    except OSError:
        return False
    return not address.startswith(("0.", "127."))


def ask(site: Site, path: str, headers: str = "") -> str:
    """Return the whole answer, head and body, through the proxy."""
    import ssl

    context = ssl.create_default_context(cadata=site.authority.pem)
    port = int(site.proxy.url.rpartition(":")[2])
    host = "" if "Host:" in headers else f"Host: localhost:{port}\r\n"
    with (
        socket.create_connection(("127.0.0.1", port), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        more = f"{headers}\r\n" if headers else ""
        connection.sendall(f"GET {path} HTTP/1.1\r\n{host}{more}Connection: close\r\n\r\n".encode())
        whole = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    head, _, body = whole.partition("\r\n\r\n")
    return body if path == "/openapi.json" and not headers else head + body


def write_pattern(path: Path, size: int) -> str:
    """Write `size` bytes of which no block is like another and return their digest."""
    block, found = os.urandom(MIB), hashlib.sha256()
    with path.open("wb") as file:
        for number in range(size // MIB):
            piece = number.to_bytes(8, "big") + block[8:]
            found.update(piece)
            file.write(piece)
    return "sha256:" + found.hexdigest()


def file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
