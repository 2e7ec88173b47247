"""A CI job as the server sees it: it begins a run, uploads, signs and pushes; and it can lie in any single field."""

from __future__ import annotations

import copy
import hashlib
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from werkzeug.test import TestResponse

from chainloop_ci.api.limits import BUNDLE_MEDIA_TYPE, HANDLE_HEADER
from chainloop_ci.attestation.bundle import render_bundle
from chainloop_ci.attestation.dsse import PAYLOAD_TYPE, encode_pae
from chainloop_ci.attestation.state import (
    CasPin,
    CraftedMaterial,
    CraftingState,
    GitHead,
    ImageReference,
    RunnerFacts,
    Session,
    WorkflowPin,
)
from chainloop_ci.attestation.statement import render_statement
from chainloop_ci.contract.load import load
from chainloop_ci.contract.types import MaterialType, RunnerType
from chainloop_ci.digests import Digest, sha256_digest
from chainloop_ci.errors import MaterialRejectedError
from chainloop_ci.materials.registry import get_kind
from chainloop_ci.materials.types import Checked
from chainloop_ci.runners.types import CiIdentity
from chainloop_ci.signing.public_keys import PublicKey, wrap_public_key
from tests.integration.server.conftest import EPOCH, Api, Tenant

CONTRACT = b"""\
apiVersion: chainloop.dev/v1
kind: Contract
metadata:
  name: app-build
spec:
  materials:
    - {name: version, type: STRING}
    - {name: binary, type: ARTIFACT, output: true}
    - {name: sbom, type: SBOM_CYCLONEDX_JSON}
    - {name: image, type: CONTAINER_IMAGE, output: true}
    - {name: log, type: EVIDENCE, optional: true, skipUpload: true}
    - {name: unit, type: JUNIT_XML, group: reports}
    - {name: e2e, type: JUNIT_XML, group: reports}
  envAllowList: [DEPLOY_TARGET]
  runner: {type: GITHUB_ACTION}
  annotations:
    - {name: team, value: core}
    - {name: ticket}
"""

EMPTY_CONTRACT = b"apiVersion: chainloop.dev/v1\nkind: Contract\nmetadata: {name: app-build}\nspec: {}\n"

SBOM = json.dumps(
    {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "app", "version": "1.2.3"}},
        "components": [{"type": "library", "name": "left", "version": "1"}],
    }
).encode()
JUNIT = b'<testsuite name="unit" tests="1"><testcase classname="a" name="b"/></testsuite>'
BINARY = b"\x7fELF a program"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
HEAD = GitHead(COMMIT, "A. Author", "author@example.com", "a change", EPOCH)

CI = CiIdentity(
    provider="github",
    server_url="https://github.com",
    repository="acme/app",
    run_id="77",
    run_attempt=1,
    job="build",
    event="push",
    ref="refs/heads/main",
    head_sha=COMMIT,
)


@dataclass
class Key:
    """A P-256 key pair of a test."""

    private: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def public(self) -> PublicKey:
        return wrap_public_key(self.private.public_key())

    def bundle(self, payload: bytes) -> bytes:
        """Return a bundle over a statement."""
        signature = self.private.sign(encode_pae(PAYLOAD_TYPE, payload), ec.ECDSA(SHA256()))
        return render_bundle(payload, signature, self.public.hint)


@dataclass
class Job:
    """One run of a workflow. `begin`, `add_everything`, `push` is an honest life."""

    api: Api
    tenant: Tenant
    key: Key
    contract: bytes = CONTRACT
    revision: int = 2
    """An automatic contract has revision 1; the one that a test puts is the second."""
    workflow: str = "app/build"
    run_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    handle: str = field(default_factory=lambda: uuid.uuid4().hex)
    ci: CiIdentity = CI
    runner: RunnerType = RunnerType.GITHUB_ACTION
    head: GitHead | None = HEAD
    materials: dict[str, CraftedMaterial] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return f"/workflow-runs/{self.run_id}"

    @property
    def headers(self) -> dict[str, str]:
        return {HANDLE_HEADER: self.handle}

    @staticmethod
    def ci_of_attempt(attempt: int) -> dict[str, object]:
        """Return what the CI system says of the job in one of its attempts."""
        ci: dict[str, object] = {"provider": "github", "serverUrl": "https://github.com", "repository": "acme/app"}
        ci |= {"runId": "77", "runAttempt": attempt, "job": "build", "event": "push", "ref": "refs/heads/main"}
        return {**ci, "headSha": COMMIT}

    def request(self, **changes: object) -> dict[str, object]:
        """Return the body that begins the run."""
        return {
            "workflowId": self.tenant.workflows[self.workflow],
            "contractRevision": self.revision,
            "contractDigest": sha256_digest(self.contract),
            "runnerType": self.runner.value,
            "runnerUrl": "https://github.com/acme/app/actions/runs/77",
            "runnerEnvironment": "managed",
            "handleSha256": hashlib.sha256(self.handle.encode()).hexdigest(),
            "projectVersion": "1.2.3",
            "ci": self.ci_of_attempt(1),
            **changes,
        }

    def begin(self, **changes: object) -> TestResponse:
        """Begin the run."""
        return self.api.put(self.path, json=self.request(**changes))

    def keep(self, raw: bytes, expected: str | None = None, **headers: str) -> TestResponse:
        """Keep a shared state in the place of the one with the digest `expected`; None: it is the first."""
        guard = {"If-None-Match": "*"} if expected is None else {"If-Match": f'"{expected}"'}
        sent = {**self.headers, "Content-Type": "application/octet-stream", **guard, **headers}
        return self.api.put(f"{self.path}/state", data=raw, headers=sent)

    def kept(self) -> TestResponse:
        """Return the shared state."""
        return self.api.get(f"{self.path}/state", headers=self.headers)

    def succeed(self, attempt: int, **changes: object) -> TestResponse:
        """Ask for the run that goes on with this one in an attempt."""
        body = {"ci": {**self.ci_of_attempt(attempt), **changes}}
        return self.api.post(f"{self.path}/successor", json=body, headers=self.headers)

    def end(self, trigger: str = "failure") -> TestResponse:
        """End the run without an attestation."""
        return self.api.post(f"{self.path}/cancel", json={"trigger": trigger}, headers=self.headers)

    def upload(self, content: bytes, filename: str) -> TestResponse:
        """Upload content for the run."""
        return self.api.put(
            f"/artifacts/{sha256_digest(content)}?run={self.run_id}&filename={filename}",
            data=content,
            headers={**self.headers, "Content-Type": "application/octet-stream"},
        )

    def add_file(self, name: str, kind: MaterialType, content: bytes, filename: str, **facts: Any) -> None:
        """Upload a file and list it among the materials, with the facts that its content holds."""
        answer = self.upload(content, filename)
        assert answer.status_code in (200, 201), answer.text
        checked = derive(kind, content)
        facts["annotations"] = {**checked.annotations, **facts.get("annotations", {})}
        facts.setdefault("main_component", checked.main_component)
        self.materials[name] = CraftedMaterial(
            name,
            kind,
            sha256_digest(content),
            EPOCH,
            filename=filename,
            size_bytes=len(content),
            uploaded=True,
            **facts,
        )

    def add_string(self, name: str, value: str) -> None:
        """List a text among the materials."""
        raw = value.encode()
        self.materials[name] = CraftedMaterial(
            name, MaterialType.STRING, sha256_digest(raw), EPOCH, value=value, size_bytes=len(raw)
        )

    def add_image(self, name: str, *, output: bool = True) -> None:
        """List an image among the materials."""
        digest = sha256_digest(b"manifest")
        image = ImageReference("registry.example.com/app", digest, "1.2.3")
        self.materials[name] = CraftedMaterial(
            name, MaterialType.CONTAINER_IMAGE, digest, EPOCH, filename=image.name, image=image, output=output
        )

    def add_everything(self) -> None:
        """Add what `CONTRACT` asks for."""
        self.add_string("version", "1.2.3")
        self.add_file("binary", MaterialType.ARTIFACT, BINARY, "app.bin", output=True)
        self.add_file("sbom", MaterialType.SBOM_CYCLONEDX_JSON, SBOM, "sbom.json")
        self.add_file("unit", MaterialType.JUNIT_XML, JUNIT, "unit.xml")
        self.add_image("image")

    def state(self) -> CraftingState:
        """Return the crafting state of the job."""
        project, name = self.workflow.split("/")
        return CraftingState(
            contract=load(self.contract).contract,
            pin=WorkflowPin(
                name=name,
                project=project,
                organization=self.tenant.name,
                contract_name=f"{project}-{name}",
                contract_revision=self.revision,
                contract_digest=sha256_digest(self.contract),
                workflow_id=self.tenant.workflows[self.workflow],
                run_id=self.run_id,
                project_version="1.2.3",
            ),
            initialized_at=EPOCH,
            runner=RunnerFacts(
                self.runner,
                url="https://github.com/acme/app/actions/runs/77",
                environment="managed",
                env={"GITHUB_RUN_ID": "77"},
            ),
            session=Session(run_handle=self.handle, ci=self.ci),
            head=self.head,
            env={"DEPLOY_TARGET": "staging"},
            annotations={"team": "core", "ticket": "T-1"},
            materials=self.materials,
            cas=CasPin("", "filesystem"),
        )

    def payload(self, change: Callable[[dict[str, Any]], object] | None = None) -> bytes:
        """Return the statement; `change` lies in it before it is signed."""
        raw = render_statement(self.state(), finished_at=EPOCH, builder_id="chainloop.dev/cli/test")
        if change is None:
            return raw
        document = copy.deepcopy(json.loads(raw))
        change(document)
        return json.dumps(document, separators=(",", ":")).encode()

    def push(self, bundle: bytes | None = None, headers: Mapping[str, str] | None = None) -> TestResponse:
        """Push a bundle, an honest one by default."""
        raw = bundle if bundle is not None else self.key.bundle(self.payload())
        sent = {"Content-Type": BUNDLE_MEDIA_TYPE, **(self.headers if headers is None else headers)}
        return self.api.put(f"{self.path}/attestation", data=raw, headers=sent)

    def replace_material(self, name: str, /, **changes: Any) -> None:
        """Change what the job says of a material."""
        self.materials[name] = replace(self.materials[name], **changes)


def detail(job: Job) -> dict[str, Any]:
    """Return what the server shows of the run."""
    answer = job.api.get(job.path)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json
    return result


def digest(content: bytes) -> Digest:
    """Return the digest of content."""
    return sha256_digest(content)


def derive(kind: MaterialType, content: bytes) -> Checked:
    """Return what an honest client finds in a file; nothing in one that it would refuse."""
    entry = get_kind(kind)
    try:
        if entry.check:
            return entry.check(content, False)
        return Checked(entry.describe_small(content) if entry.describe_small else {})
    except MaterialRejectedError:
        return Checked()


def put_contract(api: Any, tenant: Tenant, raw: bytes = CONTRACT, name: str = "app-build") -> None:
    """Give the workflow `app/build` its contract."""
    answer = api(tenant.token("operate")).put(
        f"/contracts/{name}", data=raw, headers={"Content-Type": "application/yaml"}
    )
    assert answer.status_code in (200, 201), answer.text


def register_key(api: Any, tenant: Tenant, key: Key, name: str = "ci", **scope: object) -> None:
    """Register a verification key, for `app/build` unless another scope is said."""
    body = {"name": name, "publicKey": key.public.pem, **(scope or {"workflows": ["app/build"]})}
    answer = api(tenant.token("admin")).post("/verification-keys", json=body)
    assert answer.status_code == 201, answer.text
