"""What the first whole main loop left: its own server and its own command line write a data folder, as they did then.

The tree is that of the commit which CHANGELOG.md names; it runs with today's libraries.
"""

from __future__ import annotations

import copy
import io
import json
import re
import sqlite3
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from chainloop_ci.api.limits import BUNDLE_MEDIA_TYPE, HANDLE_HEADER
from chainloop_ci.signing.generate import generate_key
from examples.demo.control_plane import ControlPlane
from tests.integration.live import PROJECT, Answer, CommandLine, Job, Tenant

_NAMED = re.compile(r"^## The first whole main loop\n\nCommit `([0-9a-f]{40})`", re.MULTILINE)
_DATA = PROJECT / "tests" / "data"

MATERIALS: Mapping[str, tuple[str, str | Path]] = {
    "binary": ("ARTIFACT", "binary"),
    "version": ("STRING", "1.0.0"),
    "sbom": ("SBOM_CYCLONEDX_JSON", _DATA / "cyclonedx" / "valid.json"),
    "image": ("CONTAINER_IMAGE", f"registry.example/team/app@sha256:{'5' * 64}"),
    "unit": ("JUNIT_XML", _DATA / "junit" / "valid.xml"),
    "lint": ("SARIF", _DATA / "sarif" / "valid.sarif"),
    "packages": ("SBOM_SPDX_JSON", _DATA / "spdx" / "valid.json"),
    "log": ("EVIDENCE", "log.txt"),
}
"""Name → type and value, in the order in which the contract's revisions came to ask for them."""
ASKED = (2, 4, len(MATERIALS))
"""So many of them each revision asks for."""
OVERDUE = timedelta(hours=7)


def commit_of_first_loop() -> str:
    """Return the commit that CHANGELOG.md names."""
    [found] = _NAMED.findall((PROJECT / "CHANGELOG.md").read_text(encoding="utf-8"))
    return str(found)


def unpack_first_loop(folder: Path) -> str | None:
    """Write the tree of that commit to a folder; return why that cannot be done here."""
    command = ["git", "-c", "safe.directory=*", "archive", "--format=tar", commit_of_first_loop()]
    try:
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, check=False)
    except FileNotFoundError:
        return "git is not installed"
    if done.returncode:
        return f"the history is not here: {done.stderr.decode(errors='replace').strip()}"
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return None


def contract(asked: int, name: str = "build", runner: str = "") -> str:
    """Return a contract that asks for the first so many materials."""
    lines = [f"    - {{name: {each}, type: {kind}}}" for each, (kind, _) in list(MATERIALS.items())[:asked]]
    head = ["apiVersion: chainloop.dev/v1", "kind: Contract", f"metadata: {{name: {name}}}", "spec:"]
    return "\n".join([*head, *([f"  runner: {{type: {runner}}}"] if runner else []), "  materials:", *lines, ""])


def state_of(folder: Path, name: str) -> Path:
    """Return where a job keeps what it crafts."""
    return folder / f"{name}-state.json"


@dataclass
class OldJob:
    """A job of that time, and the bundles that it pushed."""

    job: Job
    chainloop: CommandLine
    bundles: dict[str, bytes] = field(default_factory=dict)

    def at(self, url: str) -> OldJob:
        """Return the same job where the control plane has another address."""
        tenant = copy.copy(self.job.tenant)
        tenant.url = url
        env = {**self.chainloop.env, "CHAINLOOP_CONTROL_PLANE_API": url}
        return OldJob(replace(self.job, tenant=tenant), CommandLine(self.chainloop.folder, env))

    def __call__(self, run: str, *words: str | Path, env: Mapping[str, str] | None = None) -> Answer:
        """Run a command of a run that has a name of its own here."""
        state = {"CHAINLOOP_LOCAL_STATE_PATH": str(state_of(self.chainloop.folder, run))}
        return self.chainloop("attestation", *words, env={**state, **(env or {})})

    def begin(self, run: str, asked: int, *words: str) -> None:
        """Begin a run and add the first so many materials."""
        _require(self(run, "init", *words))
        for name, (_, value) in list(MATERIALS.items())[:asked]:
            _require(self(run, "add", "--name", name, "--value", value))

    def push(self, run: str, *words: str) -> None:
        """Push it, and keep the bundle."""
        _require(self(run, "push", "--bundle", f"{run}.json", *words))
        self.bundles[run] = (self.chainloop.folder / f"{run}.json").read_bytes()

    def push_unsigned(self, run: str) -> None:
        """Push the bundle of a push that was refused, without its signature: a lenient organization takes it (R4)."""
        state = state_of(self.chainloop.folder, run)
        pinned = json.loads(state.read_text())
        bundle = json.loads(state.with_name(f"{state.name}.bundle").read_bytes())
        bundle["dsseEnvelope"]["signatures"] = []
        self.bundles[run] = json.dumps(bundle).encode()
        answer = self.job.tenant.request(
            "PUT",
            f"/workflow-runs/{run_id_of(pinned)}/attestation",
            self.bundles[run],
            token=self.job.token,
            headers={HANDLE_HEADER: pinned["chainloopCi"]["runHandle"], "Content-Type": BUNDLE_MEDIA_TYPE},
        )
        assert answer.status == 201, answer.data

    def another_key(self, run: str, *words: str) -> Answer:
        """Push with a key that nobody has registered; a lenient organization takes it (R4)."""
        path = self.chainloop.folder / "foreign.key"
        if not path.exists():
            _write_key(path)
        return self(run, "push", "--key", path, *words)


def _require(answer: Answer) -> None:
    assert answer.status == 0, answer


class FirstLoop:
    """A data folder and what was seen of it, when that server was stopped."""

    def __init__(self, tree: Path, folder: Path) -> None:
        """Write it all: two organizations, seventeen runs and those that fail."""
        self.tree = tree
        self.data = folder / "data"
        self.data.mkdir(mode=0o700)
        self.documents: dict[str, dict[str, Any]] = {}
        """Organization → path → what that server answered."""
        with self._serving() as plane:
            token = plane.token_file.read_text().strip()
            self.strict = self._tenant(folder / "strict", plane.url, token)
            self.lenient = self._tenant(folder / "lenient", plane.url, token)
            with ThreadPoolExecutor() as threads:
                for written in [
                    threads.submit(self._write_strict, self.strict),
                    threads.submit(self._write_lenient, self.lenient),
                ]:
                    written.result()
        self._let_time_pass("overdue")
        with self._serving() as plane:
            self.refusals = fail_in_every_way(self.strict.at(plane.url), "then")
            for job in (self.strict.at(plane.url), self.lenient.at(plane.url)):
                self.documents[job.job.tenant.organization] = look(job.job.tenant)

    def state(self, run: str) -> dict[str, Any]:
        """Return what a run of the strict organization that was not pushed had crafted."""
        path = state_of(self.strict.chainloop.folder, run)
        found: dict[str, Any] = json.loads(path.read_text())
        return found

    @contextmanager
    def _serving(self) -> Iterator[ControlPlane]:
        plane = ControlPlane(self.tree, self.data)
        try:
            plane.wait()
            yield plane
        finally:
            plane.stop()

    def _tenant(self, folder: Path, url: str, token: str) -> OldJob:
        folder.mkdir()
        (folder / "binary").write_bytes(b"\x7fELF" + bytes(2000))
        (folder / "log.txt").write_text("it was built\n")
        job = Tenant(url, token, folder).job(contract(ASKED[0]), project="app")
        env = {**job.chainloop.env, "PYTHONPATH": str(self.tree)}
        return OldJob(job, CommandLine(folder, env))

    def _write_strict(self, job: OldJob) -> None:
        """Write an organization that takes what registered keys signed."""
        self._write_endings(job)
        for revision, asked in enumerate(ASKED, 1):
            job.job.tenant.put_contract(contract(asked))
            for number in (1, 2):
                job.begin(f"pushed-{revision}-{number}", asked)
                job.push(f"pushed-{revision}-{number}")
            if revision == 2:
                job.begin("open", asked)

    def _write_endings(self, job: OldJob) -> None:
        """Write runs that did not become a success, or do not count as one any more."""
        job.begin("canceled", 1)
        _require(job("canceled", "reset", "--trigger", "cancellation", "--reason", "a newer commit"))
        job.begin("failed", 0)
        _require(job("failed", "reset", "--reason", "the build broke"))
        job.begin("refused", ASKED[0])
        assert job.another_key("refused").status == 5
        job.begin("overdue", ASKED[0])
        _end_keys(job)
        _refuse_an_init(job)

    def _write_lenient(self, job: OldJob) -> None:
        """Write an organization that takes what nobody signed."""
        tenant = job.job.tenant
        for number in (1, 2):
            job.begin(f"pushed-{number}", ASKED[0])
            job.push(f"pushed-{number}")
        job.begin("unsigned", ASKED[0])
        assert job.another_key("unsigned").status == 5
        tenant.call("PATCH", f"/organizations/{tenant.organization}", {"acceptUnsigned": True})
        job.push_unsigned("unsigned")
        job.begin("unknown-key", ASKED[0])
        job.push("unknown-key", "--key", str(job.chainloop.folder / "foreign.key"))

    def _let_time_pass(self, run: str) -> None:
        """Move the times of a run back: until it has expired."""
        moved = ", ".join(
            f"{column} = strftime('%Y-%m-%dT%H:%M:%S.000000Z', {column}, :by)"
            for column in ("created_at", "last_accepted_at", "expires_at")
        )
        values = {"by": f"-{OVERDUE.total_seconds():.0f} seconds", "id": run_id_of(self.state(run))}
        with closing(sqlite3.connect(self.data / "chainloop.db")) as connection, connection:
            connection.execute(f"UPDATE workflow_runs SET {moved} WHERE id = :id", values)


def run_id_of(state: Mapping[str, Any]) -> str:
    """Return the id of the run whose state it is."""
    return str(state["attestation"]["workflow"]["workflowRunId"])


def _end_keys(job: OldJob) -> None:
    """Attest with a key that is retired afterwards, and with one that is revoked."""
    tenant = job.job.tenant
    for verb in ("retire", "revoke"):
        path, public = _write_key(job.chainloop.folder / f"{verb}.key")
        body = {"name": verb, "publicKey": public, "workflows": ["app/build"]}
        made = tenant.call("POST", "/verification-keys", body)
        job.begin(verb, ASKED[0])
        job.push(verb, "--key", str(path))
        tenant.call("POST", f"/verification-keys/{made['id']}/{verb}")


def _write_key(path: Path) -> tuple[Path, str]:
    """Make a key pair; return where the private one lies, and the public one."""
    private, public = generate_key()
    path.write_text(private)
    path.chmod(0o600)
    path.with_suffix(".pub").write_text(public)
    return path, public


def _refuse_an_init(job: OldJob) -> None:
    """Begin on a machine that the contract does not allow."""
    tenant = job.job.tenant
    tenant.put_contract(contract(1, "release", "GITHUB_ACTION"), "release")
    tenant.call("POST", "/workflows", {"name": "release", "project": "app", "contract": "release", "team": "core"})
    token = tenant.token("attest", project="app", workflow="release")
    assert job("release", "init", env={"CHAINLOOP_TOKEN": token}).status == 3


def look(tenant: Tenant) -> dict[str, Any]:
    """Return what a control plane says of an organization: path → document."""
    found: dict[str, Any] = {}

    def get(path: str) -> Any:
        found[path] = tenant.call("GET", path)
        return found[path]

    get(f"/organizations/{tenant.organization}")
    for path in ("/projects", "/verification-keys", "/api-tokens", "/workflow-runs?state=success"):
        get(path)
    for contract_ in get("/contracts")["items"]:
        for revision in get(f"/contracts/{contract_['name']}/revisions")["items"]:
            get(f"/contracts/{contract_['name']}/revisions/{revision['revision']}")
    for workflow in get("/workflows")["items"]:
        get(f"/workflows/{workflow['id']}/refused-inits")
    for run in get("/workflow-runs")["items"]:
        get(f"/workflow-runs/{run['id']}")
        if run.get("attestationDigest"):
            get(f"/referrers/{run['attestationDigest']}")
    return found


def fail_in_every_way(job: OldJob, when: str) -> dict[str, Answer]:
    """Do what that command line cannot do; return its answers."""
    fails: dict[str, Answer] = {}
    fails["no token"] = job(when, "init", env={"CHAINLOOP_TOKEN": ""})
    fails["unknown token"] = job(when, "init", env={"CHAINLOOP_TOKEN": "clp_" + "0" * 49})
    fails["another workflow"] = job(when, "init", "--workflow", "deploy", "--project", "app")
    fails["another contract revision"] = job(when, "init", "--contract-revision", "99")
    _require(job(when, "init", "--replace"))
    fails["not met"] = job(when, "push")
    fails["broken document"] = job(when, "add", "--name", "sbom", "--value", _DATA / "cyclonedx" / "broken.json")
    fails["expired"] = job("overdue", "push")
    for name, (_, value) in MATERIALS.items():
        _require(job(when, "add", "--name", name, "--value", value))
    fails["unknown key"] = job.another_key(when)
    _require(job(when, "reset"))
    return fails
