"""A control plane for a benchmark, run as users run it, with an organization, a workflow and a job's rights in it."""

from __future__ import annotations

import json
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3

from bench.command import PROJECT, SERVER_PYTHON, Program
from chainloop_ci.signing.generate import generate_key
from examples.demo.control_plane import ControlPlane

CONTRACT = "apiVersion: chainloop.dev/v1\nkind: Contract\nmetadata: {name: bench}\nspec: {}\n"
"""It asks for nothing: what is measured is the way, not the materials."""


@dataclass(frozen=True, slots=True)
class Plane:
    """A running control plane and one workflow on it."""

    url: str
    port: int
    process_id: int
    folder: Path
    instance_token: str
    organization: str
    workflow_id: str
    admin_token: str
    attest_token: str
    read_token: str
    key: Path

    def call(self, method: str, path: str, body: Any = None, token: str | None = None) -> Any:
        """Send a request that must succeed."""
        return _call(self.url, method, path, body, token or self.instance_token, self.organization)

    def program(self, name: str) -> Program:
        """Return the command line of a job, in a folder of its own."""
        folder = self.folder / name
        folder.mkdir()
        env = {
            "CHAINLOOP_CONTROL_PLANE_API": self.url,
            "CHAINLOOP_TOKEN": self.attest_token,
            "CHAINLOOP_SIGNING_KEY": str(self.key),
        }
        return Program(folder, env)


@contextmanager
def control_plane(contract: str = CONTRACT, data: Path | None = None) -> Iterator[Plane]:
    """Start a control plane, in `data` or in a folder that goes away with it, and make what a job needs."""
    with tempfile.TemporaryDirectory(prefix="chainloop-bench-", dir=data) as name:
        folder = Path(name)
        (folder / "data").mkdir(mode=0o700)
        server = ControlPlane(PROJECT, folder / "data", python=SERVER_PYTHON)
        try:
            server.wait()
            yield _furnish(server, folder, contract)
        finally:
            server.stop()


def _furnish(server: ControlPlane, folder: Path, contract: str) -> Plane:
    instance = server.token_file.read_text().strip()
    organization = f"bench-{uuid.uuid4().hex[:8]}"
    private, public = generate_key()
    key = folder / "signing.key"
    key.write_text(private)
    key.chmod(0o600)

    def call(method: str, path: str, body: Any) -> Any:
        return _call(server.url, method, path, body, instance, organization if path != "/organizations" else "")

    call("POST", "/organizations", {"name": organization})
    call("PUT", "/contracts/bench", contract.encode())
    workflow = {"name": "build", "project": "bench", "contract": "bench", "team": "core"}
    created = call("POST", "/workflows", workflow)
    call("POST", "/verification-keys", {"name": "bench", "publicKey": public, "workflows": ["bench/build"]})
    scope = {"project": "bench", "workflow": "build"}
    admin = call("POST", "/api-tokens", {"name": "admin", "role": "admin"})["secret"]
    attest = call("POST", "/api-tokens", {"name": "job", "role": "attest", **scope})["secret"]
    read = call("POST", "/api-tokens", {"name": "reader", "role": "read"})["secret"]
    return Plane(
        url=server.url,
        port=server.port,
        process_id=server.process_id,
        folder=folder,
        instance_token=instance,
        organization=organization,
        workflow_id=created["id"],
        admin_token=admin,
        attest_token=attest,
        read_token=read,
        key=key,
    )


def _call(url: str, method: str, path: str, body: Any, token: str, organization: str) -> Any:
    headers: Mapping[str, str] = {
        "Authorization": f"Bearer {token}",
        "Chainloop-Organization": organization,
        "Content-Type": "application/yaml" if isinstance(body, bytes) else "application/json",
    }
    raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    answer = urllib3.request(method, f"{url}/api/v1{path}", body=raw, headers=headers, retries=False)
    if answer.status >= 300:
        raise RuntimeError(f"{method} {path}: {answer.status} {answer.data.decode(errors='replace')}")
    return json.loads(answer.data) if answer.data else None
