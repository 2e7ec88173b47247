"""The API of a Kubernetes cluster, as far as a pod asks for itself: a real server with a certificate of its own."""

from __future__ import annotations

import datetime
import ipaddress
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Write a certificate for 127.0.0.1 that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cluster")])
    now = datetime.datetime.now(datetime.UTC)
    addresses = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(addresses, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "cluster.crt", folder / "cluster.key"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_file, key_file


class Cluster:
    """Answers one pod's document to whoever shows the token."""

    def __init__(self, folder: Path, *, token: str = "service-account-token") -> None:
        self.token = token
        self.certificate, key = make_certificate(folder)
        self.status = 200
        self.answer: bytes = b"{}"
        self.requests: list[tuple[str, str]] = []
        """Path and Authorization of each request."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> Cluster:
        """Start to answer."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def env(self) -> dict[str, str]:
        """Return what Kubernetes tells every container."""
        return {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(self._server.server_port)}

    def label(self, labels: dict[str, str]) -> None:
        """Give the pod these labels."""
        self.answer = json.dumps({"kind": "Pod", "metadata": {"labels": labels}}).encode()

    def write_account(self, folder: Path, *, namespace: str = "ci") -> None:
        """Write what Kubernetes mounts into the pod."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "namespace").write_text(namespace)
        (folder / "token").write_text(self.token)
        (folder / "ca.crt").write_bytes(self.certificate.read_bytes())

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        cluster = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                authorization = self.headers.get("Authorization", "")
                cluster.requests.append((self.path, authorization))
                status = cluster.status if authorization == f"Bearer {cluster.token}" else 401
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(cluster.answer)))
                self.end_headers()
                self.wfile.write(cluster.answer)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        return Handler
