"""The clients that the control plane uses, as its own settings make them: no waiting, no repeats of their own."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Iterator
from contextlib import contextmanager

import github
import gitlab
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from examples.forge.github import FakeGitHub
from examples.forge.gitlab import FakeGitLab
from server.egress import github as egress
from server.egress.policy import Policy
from server.egress.transport import Transport
from server.setting_values import OpenedHost
from tests.unit.stub_server import Reply, StubServer, stub_server

KEY = rsa.generate_private_key(65537, 2048)
PUBLIC_PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
PRIVATE_PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

_TRANSPORT = Transport(Policy((OpenedHost(None, ipaddress.ip_network("127.0.0.0/8")),)))


def github_client(
    forge: FakeGitHub, secret: str | None = None, auth: github.Auth.Auth | None = None, base_url: str | None = None
) -> github.Github:
    """Return a PyGithub client with a token, or with another way to say who asks."""
    who = auth or (github.Auth.Token(secret) if secret else None)
    # The server's own: whoever loads it has all clients of the process go its way out.
    return egress.github_client(_TRANSPORT, base_url or forge.api_url, who, seconds=5)


def app_client(forge: FakeGitHub, app_id: int, seconds: int = 300, key: str = PRIVATE_PEM) -> github.Github:
    """Return a client that asks as an App itself."""
    now = int(time.time())
    token = jwt.encode({"iat": now - 60, "exp": now + seconds, "iss": str(app_id)}, key, algorithm="RS256")
    return github_client(forge, auth=github.Auth.AppAuthToken(token))


@contextmanager
def receiver(status: int = 200) -> Iterator[StubServer]:
    """Run what receives webhooks, and remembers them."""
    with stub_server() as stub:
        stub.replies = [Reply(status, b"{}")]
        yield stub


def gitlab_client(forge: FakeGitLab, secret: str | None = None) -> gitlab.Gitlab:
    """Return a python-gitlab client that repeats nothing by itself and asks for no project that is only passed by."""
    return gitlab.Gitlab(forge.url, private_token=secret, timeout=5, retry_transient_errors=False, per_page=20)
