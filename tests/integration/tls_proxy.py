"""nginx with TLS from a private CA in front of a control plane, configured by the example that the docs give."""

from __future__ import annotations

import datetime
import ipaddress
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.integration.live import PROJECT

EXAMPLE = PROJECT / "examples" / "nginx" / "chainloop.conf"
START_SECONDS = 60
MAIN = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 512; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/chainloop.conf;
}}
"""


class Authority:
    """A private certificate authority."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.KeyUsage(*[bit in ("key_cert_sign", "crl_sign") for bit in _USAGES])
        self._certificate = (
            self._draft(self._name, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.pem = self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    def issue(self, certificate: Path, key: Path, *, names: tuple[str, ...] = ("localhost",), days: int = 1) -> None:
        """Write certificate and key of a server, names and addresses; negative `days`: it has expired."""
        own = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        alternatives = [_alternative(name) for name in names]
        if "localhost" in names:
            alternatives.append(_alternative("127.0.0.1"))
        signed = (
            self._draft(subject, own, days)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        key.write_bytes(
            own.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )

    def _draft(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: int = 1) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=3))
            .not_valid_after(now + datetime.timedelta(days=days))
        )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@dataclass(frozen=True)
class TlsProxy:
    """A running nginx."""

    url: str
    folder: Path

    def access_log(self) -> str:
        """Return what was asked so far."""
        return (self.folder / "access.log").read_text()


@contextmanager
def start_proxy(folder: Path, port: int, upstream_port: int, extra: str = "") -> Iterator[TlsProxy]:
    """Run nginx on `port` with `folder`'s chainloop.crt and chainloop.key; `extra` goes into the server block."""
    folder.mkdir(exist_ok=True)
    text = EXAMPLE.read_text()
    for pattern, ours in (
        (r"server 127\.0\.0\.1:8080;", f"server 127.0.0.1:{upstream_port};"),
        (r"listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        (r"server_name chainloop\.example\.com;", f"server_name localhost;\n{extra}"),
        (r"/etc/nginx/tls/", f"{folder}/"),
    ):
        text, found = re.subn(pattern, lambda _, ours=ours: ours, text)
        assert found, f"{EXAMPLE} has no {pattern}"
    (folder / "chainloop.conf").write_text(text)
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder))
    with (folder / "output.log").open("wb") as log:
        process = subprocess.Popen(
            ["nginx", "-p", str(folder), "-e", str(folder / "start.log"), "-c", str(folder / "nginx.conf")],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        _wait(process, port, folder)
        yield TlsProxy(f"https://localhost:{port}", folder)
    finally:
        process.terminate()
        process.wait(10)


def _wait(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=2).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    logs = "".join(path.read_text(errors="replace") for path in sorted(folder.glob("*.log")))
    raise AssertionError(f"nginx did not start:\n{logs}")
