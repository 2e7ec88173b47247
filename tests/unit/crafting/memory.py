"""The ports of `crafting`, made of memory."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO

from chainloop_ci.api.access import Role, Scope, ScopeKind, WhoAmI
from chainloop_ci.api.runs import (
    Artifact,
    CancelRequest,
    CasDescription,
    Check,
    CraftingContext,
    Proof,
    RunDetail,
    RunRequest,
    RunState,
    Stored,
    Verification,
    WorkflowRun,
)
from chainloop_ci.api.workflows import ContractRevision, Workflow, WorkflowRequest
from chainloop_ci.attestation.state import CraftingState, ImageReference
from chainloop_ci.contract.document import to_document
from chainloop_ci.contract.load import load
from chainloop_ci.contract.types import ContractFormat
from chainloop_ci.crafting.ports import RegistryCredentials
from chainloop_ci.digests import Digest, sha256_digest
from chainloop_ci.errors import (
    AlreadyInitializedError,
    ConflictError,
    FileUnreadableError,
    NotFoundError,
    RunnerMismatchError,
    StateMissingError,
)

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
RUN_ID = "5f0c2f6e-2f0b-4c56-9a0e-6f1f3c0e7a11"
WORKFLOW_ID = "20e8514d-a52e-4468-a46c-f4032a72b389"

CONTRACT = b"""\
apiVersion: chainloop.dev/v1
kind: Contract
metadata:
  name: release
spec:
  materials:
    - {type: STRING, name: commit}
    - {type: ARTIFACT, name: binary, output: true}
    - {type: SBOM_CYCLONEDX_JSON, name: sbom, optional: true}
"""


class MemoryStore:
    """A state file in memory."""

    def __init__(self, state: CraftingState | None = None) -> None:
        self.state = state
        self.bundle: bytes | None = None
        self.saves = 0

    def load(self) -> CraftingState:
        if self.state is None:
            raise StateMissingError("no attestation is being crafted here")
        return self.state

    def find(self) -> CraftingState | None:
        return self.state

    def create(self, state: CraftingState, *, replace: bool = False) -> CraftingState | None:
        if self.state is not None and not replace and self.state.session.ci.job_key == state.session.ci.job_key:
            raise AlreadyInitializedError(self.state.pin.name, self.state.initialized_at)
        previous, self.state, self.bundle = self.state, state, None
        self.saves += 1
        return previous

    def update(self, change: Callable[[CraftingState], CraftingState]) -> CraftingState:
        before = self.load()
        self.state = change(before)
        if self.state.materials != before.materials:
            self.bundle = None
        self.saves += 1
        return self.state

    def clear(self) -> None:
        self.state, self.bundle = None, None

    def finish(self, run_id: str, digest: Digest) -> None:
        self.clear()

    def save_bundle(self, raw: bytes, *, signed: CraftingState | None = None) -> None:
        if signed is not None and self.load().materials != signed.materials:
            raise ConflictError("the materials changed")
        self.bundle = raw

    def load_bundle(self) -> bytes | None:
        return self.bundle

    def shared_digest(self) -> Digest | None:
        return None


class ContestedStore(MemoryStore):
    """A state that other jobs share: every change is made twice, since the answer to the first time was lost."""

    def update(self, change: Callable[[CraftingState], CraftingState]) -> CraftingState:
        super().update(change)
        return super().update(change)


def revision_of(raw: bytes, number: int = 1, latest: int | None = None) -> ContractRevision:
    """Return a stored contract."""
    loaded = load(raw)
    return ContractRevision(
        name=loaded.contract.name or "release",
        revision=number,
        latest_revision=latest or number,
        digest=loaded.digest,
        format=ContractFormat.YAML,
        raw_body=base64.b64encode(raw).decode(),
        document=to_document(loaded.contract),
        created_at=NOW,
    )


class MemoryPlane:
    """A control plane in memory; `calls` has what it was asked, in order."""

    def __init__(self, contract: bytes = CONTRACT, role: Role = Role.ATTEST, cas: str = "filesystem") -> None:
        self.role = role
        self.revision: ContractRevision | None = revision_of(contract)
        self.cas = CasDescription(id="cas-1", name=cas, max_bytes=1024**3 if cas != "inline" else 500 * 1024)
        self.calls: list[tuple[str, Any]] = []
        self.runs: dict[str, RunRequest] = {}
        self.blobs: dict[str, bytes] = {}
        self.bundles: list[bytes] = []
        self.cancellations: list[tuple[str, str | None, str, str]] = []
        self.unmet: list[tuple[str, str]] = []
        self.failures: dict[str, list[Exception]] = {}
        """Errors that the next calls of a method end with."""

    def _called(self, name: str, fact: Any = None) -> None:
        self.calls.append((name, fact))
        if self.failures.get(name):
            raise self.failures[name].pop(0)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.calls]

    def whoami(self) -> WhoAmI:
        self._called("whoami")
        return WhoAmI("token-1", "ci", self.role, Scope(ScopeKind.ORGANIZATION), organization="acme")

    def get_crafting_context(self, workflow: str | None, project: str | None, revision: int | None) -> CraftingContext:
        self._called("get_crafting_context", (workflow, project, revision))
        if self.revision is None:
            raise NotFoundError("there is no such workflow")
        return CraftingContext(
            organization="acme",
            workflow=self._workflow(workflow or "release", project or "bedrock"),
            contract=self.revision,
            cas=self.cas,
            token_id="token-1",
            role=self.role,
            run_expiry_seconds=21600,
        )

    def _workflow(self, name: str, project: str) -> Workflow:
        assert self.revision is not None
        return Workflow(
            id=WORKFLOW_ID,
            name=name,
            project=project,
            organization="acme",
            contract=self.revision.name,
            contract_revision=self.revision.latest_revision,
            created_at=NOW,
            team="core",
        )

    def put_run(self, run_id: str, request: RunRequest) -> WorkflowRun:
        self._called("put_run", run_id)
        assert self.revision is not None
        required = load(base64.b64decode(self.revision.raw_body)).contract.runner
        if required and required != request.runner_type:
            raise RunnerMismatchError(required, request.runner_type)
        if self.runs.setdefault(run_id, request) != request:
            raise ConflictError("another body")
        return WorkflowRun(
            id=run_id,
            sequence=1,
            state=RunState.INITIALIZED,
            workflow_id=WORKFLOW_ID,
            workflow="release",
            project="bedrock",
            organization="acme",
            contract=self.revision.name,
            contract_revision=self.revision.revision,
            contract_revision_latest=self.revision.latest_revision,
            runner_type=request.runner_type,
            runner_url=request.runner_url,
            created_at=NOW,
            expires_at=NOW + timedelta(hours=6),
        )

    def find_run(self, run_id: str) -> RunDetail | None:
        self._called("find_run", run_id)
        if run_id not in self.runs:
            return None
        return RunDetail(self.put_run(run_id, self.runs[run_id]), self._workflow("release", "bedrock"))

    def cancel_run(self, run_id: str, handle: str | None, request: CancelRequest) -> WorkflowRun:
        self._called("cancel_run", (run_id, request.trigger))
        self.cancellations.append((run_id, handle, request.trigger, request.reason))
        self.unmet += [(item.code, item.message) for item in request.unmet or ()]
        ended = RunState.ERROR if request.trigger == "failure" else RunState.CANCELED
        return replace(self.put_run(run_id, self.runs[run_id]), state=ended)

    def store_attestation(self, run_id: str, handle: str, bundle: bytes, state_digest: Digest | None = None) -> Stored:
        self.bundles.append(bundle)
        self._called("store_attestation", run_id)
        yes = Check(Proof.YES)
        return Stored(
            digest=sha256_digest(bundle),
            run_id=run_id,
            state=RunState.SUCCESS,
            verified=True,
            verification=Verification(yes, yes, Check(Proof.CLAIMED), yes, yes, yes, yes),
        )

    def upload_stream(
        self,
        source: BinaryIO,
        filename: str,
        *,
        run_id: str | None,
        handle: str | None,
        size_bytes: int | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Artifact:
        self._called("upload_stream", filename)
        raw = source.read()
        if progress:
            progress(len(raw))
        return self._keep(raw, filename)

    def put_artifact(
        self, digest: Digest, raw: bytes, filename: str, *, run_id: str | None, handle: str | None
    ) -> Artifact:
        self._called("put_artifact", filename)
        return self._keep(raw, filename)

    def _keep(self, raw: bytes, filename: str) -> Artifact:
        self.blobs[sha256_digest(raw)] = raw
        return Artifact(sha256_digest(raw), len(raw), filename, NOW)

    def reference_artifact(self, run_id: str, handle: str, digest: Digest, filename: str) -> bool:
        self._called("reference_artifact", digest)
        return digest in self.blobs

    def create_workflow(self, request: WorkflowRequest) -> Workflow:
        self._called("create_workflow", request)
        if self.revision is None:
            self.revision = revision_of(
                b"apiVersion: chainloop.dev/v1\nkind: Contract\nmetadata: {name: empty}\nspec: {}\n"
            )
        return self.get_crafting_context(request.name, request.project, None).workflow

    def put_contract(self, name: str, raw: bytes, media_type: str, if_match: int | None = None) -> ContractRevision:
        self._called("put_contract", (name, if_match))
        number = self.revision.latest_revision + 1 if self.revision else 1
        self.revision = replace(revision_of(raw, number), name=name)
        return self.revision


class MemoryContents:
    """Contents that could not be sent, in memory."""

    def __init__(self) -> None:
        self.blobs: dict[Digest, bytes] = {}

    def keep(self, source: BinaryIO) -> Digest:
        raw = source.read()
        self.blobs[sha256_digest(raw)] = raw
        return sha256_digest(raw)

    def clear(self) -> None:
        self.blobs.clear()


class MemoryFiles:
    """Files in memory."""

    def __init__(self, **files: bytes) -> None:
        self.files = {name.replace("_", "."): raw for name, raw in files.items()}
        self.on_open: Callable[[], None] = lambda: None
        """What others do meanwhile."""

    def open_file(self, path: str) -> BinaryIO:
        if path not in self.files:
            raise FileUnreadableError(f"there is no file {path}")
        self.on_open()
        return io.BytesIO(self.files[path])

    def file_exists(self, path: str) -> bool:
        return path in self.files

    def is_file(self, path: str) -> bool:
        return path in self.files


class Registry:
    """A container registry that knows one image, or ends with `error`."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked: list[tuple[str, RegistryCredentials | None]] = []

    def is_layout(self, value: str) -> bool:
        return value.startswith("layout")

    def resolve(self, value: str, credentials: RegistryCredentials | None) -> ImageReference:
        self.asked.append((value, credentials))
        if self.error:
            raise self.error
        return ImageReference("ghcr.io/acme/app", Digest("sha256:" + "a" * 64), tag="1.2")


@dataclass
class Meter:
    """Counts what was sent."""

    sent: int = 0
    digest: str = ""

    def advance(self, size_bytes: int) -> None:
        self.sent += size_bytes

    def done(self, digest: Digest) -> None:
        self.digest = digest


@dataclass
class Notes:
    """What the user was told."""

    infos: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    meters: list[Meter] = field(default_factory=list)

    def info(self, message: str, **facts: object) -> None:
        self.infos.append(f"{message} {facts}")

    def warning(self, message: str, **facts: object) -> None:
        self.warnings.append(f"{message} {facts}")

    def debug(self, message: str, **facts: object) -> None:
        self.infos.append(f"debug: {message} {facts}")

    def upload(self, filename: str, size_bytes: int) -> Meter:
        self.meters.append(Meter())
        return self.meters[-1]


@dataclass(frozen=True)
class FakeSigner:
    """Signs with a hash; nothing here asks whether it holds."""

    hint: str = "a2V5LTE="
    warnings: tuple[str, ...] = ()

    def sign(self, pae: bytes) -> bytes:
        return hashlib.sha256(self.hint.encode() + pae).digest()

    def has_signed(self, signature: bytes, pae: bytes) -> bool:
        return signature == self.sign(pae)
