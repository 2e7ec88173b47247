"""A control plane of the tests' own, run as users run it, and the command line against it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3

from chainloop_ci.signing.generate import generate_key
from examples.demo.control_plane import ControlPlane
from tests.canaries import PLANTED, plant, require_silence, require_silent_files, stamp

PROJECT = Path(__file__).resolve().parents[2]

Within = Callable[[Sequence[str]], list[str]]

IMPATIENT = {"CHAINLOOP_PATIENCE_SECONDS": "2"}
"""For a control plane that will not come back: the usual patience is that of a person, not of a test."""

CONTRACT = """\
apiVersion: chainloop.dev/v1
kind: Contract
metadata:
  name: build
spec:
  materials:
    - name: binary
      type: ARTIFACT
      output: true
    - name: version
      type: STRING
"""


@dataclass(frozen=True)
class Answer:
    """What a command did."""

    status: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """Return stdout read as JSON."""
        return json.loads(self.stdout)


@dataclass
class CommandLine:
    """`chainloop` in a folder of its own, with an environment of its own."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the whole environment of a command: nothing of the caller's CI leaks in."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        own = {"XDG_CONFIG_HOME": str(self.folder / ".config"), "XDG_STATE_HOME": str(self.folder / ".state")}
        return {**kept, **own, "PYTHONPATH": str(PROJECT), **self.env, **(extra or {})}

    def start(
        self, *words: str | Path, env: Mapping[str, str] | None = None, within: Within = list
    ) -> subprocess.Popen[str]:
        """Start a command; `within` makes of it one that runs it somewhere else."""
        return subprocess.Popen(
            within([sys.executable, "-m", "chainloop_ci", *map(str, words)]),
            cwd=self.folder,
            env=self.environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(
        self,
        *words: str | Path,
        env: Mapping[str, str] | None = None,
        timeout_seconds: int = 120,
        within: Within = list,
    ) -> Answer:
        """Run a command to its end."""
        before = stamp(self.folder)
        process = self.start(*words, env=env, within=within)
        stdout, stderr = process.communicate(timeout=timeout_seconds)
        canaries = plant(self.environment(env))
        require_silence("stdout", stdout, canaries)
        require_silence("stderr", stderr, canaries)
        require_silent_files(self.folder, before, canaries)
        return Answer(process.returncode, stdout, stderr)


class Tenant:
    """An organization with an administrator, reached over HTTP alone."""

    def __init__(self, url: str, instance_token: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.organization = f"org-{uuid.uuid4().hex[:12]}"
        self._http = urllib3.PoolManager(retries=False)
        self.instance_token = instance_token
        self.call("POST", "/organizations", {"name": self.organization}, token=instance_token, organization="")
        created = self.call(
            "POST",
            "/api-tokens",
            {"name": "admin", "role": "admin"},
            token=instance_token,
            organization=self.organization,
        )
        self.admin_token = created["secret"]
        PLANTED.update({instance_token, self.admin_token})

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> urllib3.BaseHTTPResponse:
        """Send one request below `/api/v1` and return the answer as it is."""
        sent = {"Authorization": f"Bearer {token or self.admin_token}", **(headers or {})}
        raw = body
        if body is not None and not isinstance(body, bytes):
            raw, sent["Content-Type"] = json.dumps(body).encode(), "application/json"
        return self._http.request(method, f"{self.url}/api/v1{path}", body=raw, headers=sent, timeout=30)

    def call(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, organization: str | None = None
    ) -> Any:
        """Send one request that must succeed and return its document."""
        headers = {"Chainloop-Organization": organization} if organization else {}
        answer = self.request(method, path, body, token=token, headers=headers)
        assert answer.status < 300, f"{method} {path}: {answer.status} {answer.data.decode(errors='replace')}"
        return json.loads(answer.data) if answer.data else None

    def token(self, role: str, **scope: str) -> str:
        """Create an API token and return its secret."""
        created = self.call("POST", "/api-tokens", {"name": f"t-{uuid.uuid4().hex[:12]}", "role": role, **scope})
        PLANTED.add(created["secret"])
        return str(created["secret"])

    def put_contract(self, text: str, name: str = "build") -> Any:
        """Store a contract revision."""
        answer = self.request("PUT", f"/contracts/{name}", text.encode(), headers={"Content-Type": "application/yaml"})
        assert answer.status < 300, answer.data
        return json.loads(answer.data)

    def job(self, contract: str = CONTRACT, *, project: str = "hello", workflow: str = "build") -> Job:
        """Create contract, workflow, key and service account, and return the job that may use them."""
        self.put_contract(contract)
        created = self.call(
            "POST", "/workflows", {"name": workflow, "project": project, "contract": "build", "team": "core"}
        )
        private, public = generate_key()
        key = self.folder / f"{workflow}.key"
        key.write_text(private)
        key.chmod(0o600)
        (self.folder / f"{workflow}.pub").write_text(public)
        self.call(
            "POST",
            "/verification-keys",
            {"name": f"k-{uuid.uuid4().hex[:8]}", "publicKey": public, "workflows": [f"{project}/{workflow}"]},
        )
        service_account = self.token("attest", project=project, workflow=workflow)
        command = CommandLine(
            self.folder,
            {
                "CHAINLOOP_CONTROL_PLANE_API": self.url,
                "CHAINLOOP_TOKEN": service_account,
                "CHAINLOOP_SIGNING_KEY": str(key),
                "CHAINLOOP_LOCAL_STATE_PATH": str(self.folder / "state.json"),
            },
        )
        return Job(self, command, created["id"], service_account, key, self.folder / f"{workflow}.pub")


@dataclass(frozen=True)
class Job:
    """A CI job: the command line with a service account and a key."""

    tenant: Tenant
    chainloop: CommandLine
    workflow_id: str
    token: str
    key: Path
    public_key: Path

    def reader(self) -> CommandLine:
        """Return the command line of somebody who only reads."""
        env = {"CHAINLOOP_CONTROL_PLANE_API": self.tenant.url, "CHAINLOOP_TOKEN": self.tenant.token("read")}
        return CommandLine(self.tenant.folder, env)

    def runs(self) -> list[dict[str, Any]]:
        """Return the workflow's runs, newest first."""
        items: list[dict[str, Any]] = self.tenant.call("GET", f"/workflow-runs?workflow={self.workflow_id}")["items"]
        return items


def start_control_plane(folder: Path) -> ControlPlane:
    """Start a control plane whose data lies in `folder`."""
    data = folder / "data"
    data.mkdir(mode=0o700)
    control_plane = ControlPlane(PROJECT, data)
    control_plane.wait()
    return control_plane
