"""Whole jobs as the requests that they send, made before the clock runs: ask for the contract, begin a run, push."""

from __future__ import annotations

import hashlib
import json
import secrets
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from bench.load import request_bytes
from bench.plane import CONTRACT, Plane
from chainloop_ci.api.limits import BUNDLE_MEDIA_TYPE, HANDLE_HEADER
from chainloop_ci.attestation.bundle import render_bundle
from chainloop_ci.attestation.dsse import PAYLOAD_TYPE, encode_pae
from chainloop_ci.attestation.state import CraftingState, RunnerFacts, Session, WorkflowPin
from chainloop_ci.attestation.statement import render_statement
from chainloop_ci.contract.load import load
from chainloop_ci.contract.types import RunnerType
from chainloop_ci.digests import Digest, sha256_digest
from chainloop_ci.runners.types import CiIdentity
from chainloop_ci.signing.public_keys import wrap_public_key

_API = "/api/v1"


@dataclass(frozen=True, slots=True)
class Job:
    """One job's requests, in order."""

    run_id: str
    handle: str
    digest: Digest
    """Of the bundle that it pushes."""
    requests: tuple[bytes, ...]


class JobMaker:
    """Makes jobs of a plane's workflow: statement, signature and all."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        key = load_pem_private_key(plane.key.read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._key = key
        self._hint = wrap_public_key(key.public_key()).hint
        context = plane.call("GET", "/crafting-context", token=plane.attest_token)
        self._revision = context["contract"]["revision"]
        self._contract = load(CONTRACT.encode()).contract

    def make(self) -> Job:
        """Return a job that nobody has begun yet."""
        run_id, handle = str(uuid.uuid4()), secrets.token_hex(16)
        bundle = self._bundle(run_id, handle)
        auth = {"Authorization": f"Bearer {self._plane.attest_token}"}
        sent = {**auth, "Content-Type": "application/json"}
        signed = {**auth, "Content-Type": BUNDLE_MEDIA_TYPE, HANDLE_HEADER: handle}
        return Job(
            run_id,
            handle,
            sha256_digest(bundle),
            (
                request_bytes("GET", f"{_API}/crafting-context?workflow=build&project=bench", auth),
                request_bytes("PUT", f"{_API}/workflow-runs/{run_id}", sent, json.dumps(self._begin(handle)).encode()),
                request_bytes("PUT", f"{_API}/workflow-runs/{run_id}/attestation", signed, bundle),
            ),
        )

    def _begin(self, handle: str) -> dict[str, object]:
        return {
            "workflowId": self._plane.workflow_id,
            "contractRevision": self._revision,
            "contractDigest": sha256_digest(CONTRACT.encode()),
            "runnerType": RunnerType.GENERIC.value,
            "handleSha256": hashlib.sha256(handle.encode()).hexdigest(),
            "ci": {"provider": "none"},
        }

    def _bundle(self, run_id: str, handle: str) -> bytes:
        now = datetime.now(UTC)
        state = CraftingState(
            contract=self._contract,
            pin=WorkflowPin(
                name="build",
                project="bench",
                organization=self._plane.organization,
                contract_name="bench",
                contract_revision=self._revision,
                contract_digest=sha256_digest(CONTRACT.encode()),
                workflow_id=self._plane.workflow_id,
                run_id=run_id,
                team="core",
            ),
            initialized_at=now,
            runner=RunnerFacts(RunnerType.GENERIC),
            session=Session(run_handle=handle, ci=CiIdentity(provider="none")),
        )
        payload = render_statement(state, finished_at=now, builder_id="chainloop.dev/cli/bench")
        signature = self._key.sign(encode_pae(PAYLOAD_TYPE, payload), ec.ECDSA(SHA256()))
        return render_bundle(payload, signature, self._hint)
