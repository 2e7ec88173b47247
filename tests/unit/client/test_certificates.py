"""Why a TLS connection is not trusted, in plain words; `test_pools` and the integration tests make real ones."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chainloop_ci.client.http import Address, HttpClient
from chainloop_ci.errors import ConfigInvalidError, UnreachableError
from chainloop_ci.network import MAX_CA_BYTES

DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Authority:
    """A private certificate authority."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()


def sign(name: str, authority: Authority | None = None, *, since: int = -2, until: int = 2, ip: str | None = None):
    """Return a key and a certificate that is valid from `since` to `until`, in days from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    alternative: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(ip)) if ip else x509.DNSName(name)
    certificate = (
        x509.CertificateBuilder(
            authority.certificate.subject if authority else subject,
            subject,
            key.public_key(),
            x509.random_serial_number(),
            now + since * DAY,
            now + until * DAY,
        )
        .add_extension(x509.SubjectAlternativeName([alternative]), False)
        .add_extension(x509.BasicConstraints(ca=authority is None, path_length=None), True)
        .sign(authority.key if authority else key, hashes.SHA256())
    )
    return key, certificate


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority(*sign("private authority"))


@contextmanager
def serving(folder: Path, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            """Stay quiet."""

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(b"{}")

    pem = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"https://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def ask(url: str, ca: str = "") -> object:
    return HttpClient(Address(url, "clp_x", ca=ca)).json("GET", "whoami")


def test_a_certificate_of_the_given_authority_is_trusted(tmp_path: Path, authority: Authority):
    (tmp_path / "ca.pem").write_text(f"# Our authority, für alle\n{authority.pem}", encoding="utf-8")
    forms = (str(tmp_path / "ca.pem"), authority.pem, authority.pem.replace("\n", "\\n"))

    with serving(tmp_path, *sign("server", authority, ip="127.0.0.1")) as url:
        assert [ask(url, form) for form in forms] == [{}, {}, {}]


@pytest.mark.parametrize(
    ("facts", "given", "said", "to_do"),
    [
        ({"ip": "127.0.0.1"}, False, "does not trust", "--control-plane-ca (CHAINLOOP_CONTROL_PLANE_API_CA)"),
        ({"ip": "127.0.0.1"}, None, "did not sign", "CHAINLOOP_CONTROL_PLANE_API_CA"),
        ({"ip": "127.0.0.1", "until": -1}, True, "has expired", "renew"),
        ({"ip": "127.0.0.1", "since": 1}, True, "not valid yet", "clock"),
        ({}, True, "is not for 127.0.0.1", "--control-plane (CHAINLOOP_CONTROL_PLANE_API)"),
        ({"ip": "127.0.0.2"}, True, "is not for 127.0.0.1", "--control-plane"),
    ],
    ids=["no authority", "another authority", "expired", "not yet valid", "another name", "another address"],
)
def test_what_is_wrong_is_said_in_plain_words(
    tmp_path: Path, authority: Authority, facts: dict, given: bool | None, said: str, to_do: str
):
    ca = {True: authority.pem, False: "", None: Authority(*sign("another")).pem}[given]

    with serving(tmp_path, *sign("server", authority, **facts)) as url, pytest.raises(UnreachableError) as caught:
        ask(url, ca)

    assert said in caught.value.message
    assert to_do in (caught.value.hint or "")


def test_a_server_without_tls_at_an_https_address_is_said():
    from tests.unit.stub_server import Reply, stub_server

    with stub_server() as stub:
        stub.replies = [Reply()]

        with pytest.raises(UnreachableError, match="no trusted TLS connection") as caught:
            ask(stub.url.replace("http:", "https:"))

    assert "http://" in (caught.value.hint or "")


@pytest.mark.parametrize("content", [b"", b"no certificate", b" " * (MAX_CA_BYTES + 1), b"\xff\xfe"])
def test_a_file_that_holds_no_certificate_is_named(tmp_path: Path, content: bytes):
    (tmp_path / "ca.pem").write_bytes(content)

    with pytest.raises(ConfigInvalidError, match="--control-plane-ca"):
        ask("https://127.0.0.1:1", str(tmp_path / "ca.pem"))


def test_a_file_of_certificates_has_a_limit(tmp_path: Path, authority: Authority):
    (tmp_path / "ca.pem").write_text(authority.pem + "#" * MAX_CA_BYTES)

    with pytest.raises(ConfigInvalidError, match=f"larger than {MAX_CA_BYTES} bytes"):
        ask("https://127.0.0.1:1", str(tmp_path / "ca.pem"))


def test_what_to_do_about_ssl_cert_file_is_something_that_it_takes(tmp_path: Path):
    (tmp_path / "ca.pem").write_text("no certificate")
    address = Address("https://127.0.0.1:1", "clp_x", env={"SSL_CERT_FILE": str(tmp_path / "ca.pem")})

    with pytest.raises(ConfigInvalidError, match="SSL_CERT_FILE") as caught:
        HttpClient(address).json("GET", "whoami")

    assert "path" in (caught.value.hint or "")
    assert "text" not in (caught.value.hint or "")


def test_r22_a_device_is_no_certificate():
    with pytest.raises(ConfigInvalidError, match="device"):
        ask("https://127.0.0.1:1", "/dev/zero")
