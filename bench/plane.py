"""A control plane for a benchmark, run as users run it, with an organization, a workflow and a job's rights in it."""

from __future__ import annotations

import json
import shutil
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

WORKFLOW = {"name": "build", "project": "bench", "contract": "bench", "team": "core"}

_LOG_LINES = 20


@dataclass(frozen=True, slots=True)
class Plane:
    """A running control plane and one workflow on it."""

    server: ControlPlane
    folder: Path
    instance_token: str
    organization: str
    workflow_id: str
    admin_token: str
    attest_token: str
    read_token: str
    key: Path

    @property
    def url(self) -> str:
        """Return the address that requests go to."""
        return self.server.url

    @property
    def port(self) -> int:
        """Return the port of the loopback address."""
        return self.server.port

    @property
    def process_id(self) -> int:
        """Return the master's process id."""
        return self.server.process_id

    @property
    def log(self) -> Path:
        """Return where the server writes its log."""
        return self.server.log

    def call(self, method: str, path: str, body: Any = None, token: str | None = None) -> Any:
        """Send a request that must succeed."""
        return _call(self.url, method, path, body, token or self.instance_token, self.organization)

    def another(self) -> Plane:
        """Make a second organization on the same server, furnished like the first."""
        return _furnish(self.server, self.folder, CONTRACT)

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
def control_plane(
    contract: str = CONTRACT, data: Path | None = None, settings: Mapping[str, str] | None = None
) -> Iterator[Plane]:
    """Start a control plane, in `data` or in a folder that goes away with it, and make what a job needs.

    `settings` are variables of the server's environment.

    An exception within the block takes the end of the server's log with it.
    """
    with tempfile.TemporaryDirectory(prefix="chainloop-bench-", dir=data) as name:
        folder = Path(name)
        (folder / "data").mkdir(mode=0o700)
        server = ControlPlane(PROJECT, folder / "data", settings, python=SERVER_PYTHON)
        try:
            with log_noted(server.log):
                server.wait()
                yield _furnish(server, folder, contract)
        finally:
            server.stop()


@contextmanager
def log_noted(log: Path, keep_in: Path | None = None) -> Iterator[None]:
    """Add the end of a server's log to an exception, and keep all of it in a new folder (in `keep_in`)."""
    try:
        yield
    except Exception as error:
        # The server's folder goes away, and the reason may stand far above the last lines.
        kept = Path(tempfile.mkdtemp(prefix="chainloop-bench-failed-", dir=keep_in)) / log.name
        shutil.copyfile(log, kept)
        lines = kept.read_text(errors="replace").splitlines()[-_LOG_LINES:]
        error.add_note("\n".join([f"the end of the server's log, which is kept whole in {kept}:", *lines]))
        raise


def _furnish(server: ControlPlane, folder: Path, contract: str) -> Plane:
    instance = server.token_file.read_text().strip()
    organization = f"bench-{uuid.uuid4().hex[:8]}"
    private, public = generate_key()
    key = folder / f"{organization}.key"
    key.write_text(private)
    key.chmod(0o600)

    def call(method: str, path: str, body: Any) -> Any:
        return _call(server.url, method, path, body, instance, organization if path != "/organizations" else "")

    call("POST", "/organizations", {"name": organization})
    call("PUT", "/contracts/bench", contract.encode())
    created = call("POST", "/workflows", WORKFLOW)
    call("POST", "/verification-keys", {"name": "bench", "publicKey": public, "workflows": ["bench/build"]})
    scope = {"project": "bench", "workflow": "build"}
    admin = call("POST", "/api-tokens", {"name": "admin", "role": "admin"})["secret"]
    attest = call("POST", "/api-tokens", {"name": "job", "role": "attest", **scope})["secret"]
    read = call("POST", "/api-tokens", {"name": "reader", "role": "read"})["secret"]
    return Plane(
        server=server,
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
