from __future__ import annotations

import datetime
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from chainloop_ci.client.http import PATIENCE_SECONDS, Address, HttpClient, Patience
from chainloop_ci.errors import ConfigInvalidError, UnreachableError
from tests.unit.stub_server import Reply, stub_server


def test_a_proxy_of_another_protocol_is_refused_without_its_password() -> None:
    env = {"https_proxy": "socks5://user:secret@p:1"}

    with pytest.raises(ConfigInvalidError) as caught:
        HttpClient(Address("https://cp.example", "clp_x", env=env)).json("GET", "whoami")

    assert "secret" not in str(caught.value)


def test_a_proxy_gets_its_password_and_no_message_does() -> None:
    with stub_server() as proxy:
        proxy.replies = [Reply(200, b"{}")]
        env = {"http_proxy": f"http://user:s%40cret@{proxy.host}"}
        client = HttpClient(Address("http://cp.example", "clp_x", insecure=True, env=env))

        client.json("GET", "whoami")

    assert proxy.seen[0].path == "http://cp.example/api/v1/whoami"
    assert proxy.seen[0].headers["proxy-authorization"] == "Basic dXNlcjpzQGNyZXQ="


def test_a_proxy_that_refuses_is_named_without_its_password(patience: Patience, pauses: list[float]) -> None:
    with stub_server() as proxy:
        proxy.replies = [Reply(407, headers={})]
        env = {"https_proxy": f"http://user:secret@{proxy.host}"}
        client = HttpClient(Address("https://cp.example", "clp_x", env=env), patience)

        with pytest.raises(UnreachableError) as caught:
            client.json("GET", "whoami")

    assert len(pauses) == 4
    shown_to_user = f"{caught.value} {caught.value.hint}"
    assert proxy.host in shown_to_user
    assert "secret" not in shown_to_user


def test_a_control_plane_that_is_down_behind_a_proxy_is_waited_for(patience: Patience, pauses: list[float]) -> None:
    with stub_server() as proxy:
        proxy.replies = [Reply(503, headers={})]
        client = HttpClient(Address("https://cp.example", "clp_x", env={"https_proxy": proxy.url}), patience)

        with pytest.raises(UnreachableError, match="does not let the connection through"):
            client.json("GET", "whoami")

    assert sum(pauses) > PATIENCE_SECONDS - 2


def test_a_name_that_is_not_known_is_asked_for_a_few_times_only(
    patience: Patience, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def find_nothing(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", find_nothing)

    with pytest.raises(UnreachableError, match="is not known"):
        HttpClient(Address("https://cp.invalid", "clp_x"), patience).json("GET", "whoami")

    assert len(pauses) == 4


# --- certificates --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a PEM file with a key and a certificate that signed itself, for 127.0.0.1."""
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "key.pem").write_bytes(private)
    path = folder / "certificate.pem"
    path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def tls_url(certificate: Path) -> Iterator[str]:
    """Run a server with that certificate."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            """Stay quiet."""

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(b'{"tls": true}')

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_private_authority_is_trusted_by_path_text_or_variable(tls_url: str, certificate: Path) -> None:
    addresses = (
        Address(tls_url, "clp_x", ca=str(certificate)),
        Address(tls_url, "clp_x", ca=certificate.read_text()),
        Address(tls_url, "clp_x", env={"SSL_CERT_FILE": str(certificate)}),
    )

    answers = [HttpClient(address).json("GET", "whoami") for address in addresses]

    assert answers == [{"tls": True}] * 3


def test_a_server_that_does_not_answer_to_tls_is_asked_about_its_scheme() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=8) as listener:
        address = Address(f"https://127.0.0.1:{listener.getsockname()[1]}", "clp_t")

        with pytest.raises(UnreachableError, match="the TLS handshake got no answer") as caught:
            HttpClient(address, Patience(limit_seconds=0.4)).json("GET", "whoami")

    assert "speak http instead of https" in (caught.value.hint or "")


def test_an_unknown_authority_is_refused_at_once_and_says_how_to_name_it(tls_url: str) -> None:
    patience = Patience(sleep=lambda seconds: pytest.fail("slept"))

    with pytest.raises(UnreachableError, match="self-signed certificate") as caught:
        HttpClient(Address(tls_url, "clp_x"), patience).json("GET", "whoami")

    assert "--control-plane-ca" in str(caught.value.hint)


@pytest.mark.parametrize(
    "ca", ["/no/such/file.pem", "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----"]
)
def test_an_authority_that_cannot_be_read_is_named(ca: str) -> None:
    with pytest.raises(ConfigInvalidError, match="--control-plane-ca"):
        HttpClient(Address("https://127.0.0.1:1", "clp_x", ca=ca)).json("GET", "whoami")


def test_a_broken_ssl_cert_file_is_named() -> None:
    env = {"SSL_CERT_FILE": "/no/such/bundle.pem"}

    with pytest.raises(ConfigInvalidError, match=r"SSL_CERT_FILE /no/such/bundle\.pem"):
        HttpClient(Address("https://127.0.0.1:1", "clp_x", env=env)).json("GET", "whoami")
