"""The control plane as a job sees it: the adapter for `crafting.ports.ControlPlane`."""

from __future__ import annotations

from typing import BinaryIO

from chainloop_ci.api.access import WhoAmI
from chainloop_ci.api.limits import BUNDLE_MEDIA_TYPE, HANDLE_HEADER
from chainloop_ci.api.record import to_dict
from chainloop_ci.api.runs import Artifact, CancelRequest, CraftingContext, RunRequest, Stored, WorkflowRun
from chainloop_ci.api.workflows import ContractRevision, Workflow, WorkflowRequest
from chainloop_ci.client.answers import read_record
from chainloop_ci.client.http import HttpClient
from chainloop_ci.client.transfers import HashedUpload, Progress
from chainloop_ci.digests import Digest
from chainloop_ci.errors import DigestMismatchError, NotFoundError

_OCTETS = "application/octet-stream"


class ControlPlane:
    """Requests of a job; each ends within the client's deadline."""

    def __init__(self, http: HttpClient) -> None:
        self.http = http

    def whoami(self) -> WhoAmI:
        """Return what the server knows of the token."""
        return read_record(WhoAmI, self.http.json("GET", "whoami"))

    def get_crafting_context(self, workflow: str | None, project: str | None, revision: int | None) -> CraftingContext:
        """Return all that a job needs to begin; names may be left out when the token is bound to a workflow."""
        query = {"workflow": workflow, "project": project, "contractRevision": revision}
        return read_record(CraftingContext, self.http.json("GET", "crafting-context", query=query))

    def put_run(self, run_id: str, request: RunRequest) -> WorkflowRun:
        """Create the run; a repeated request gets the same answer, so a lost one makes one run."""
        return read_record(WorkflowRun, self.http.json("PUT", f"workflow-runs/{run_id}", to_dict(request)))

    def cancel_run(self, run_id: str, handle: str | None, request: CancelRequest) -> WorkflowRun:
        """End a run that will not be pushed."""
        path = f"workflow-runs/{run_id}/cancel"
        answer = self.http.json("POST", path, to_dict(request), headers=_handle(handle), repeat=True)
        return read_record(WorkflowRun, answer)

    def store_attestation(self, run_id: str, handle: str, bundle: bytes) -> Stored:
        """Store the exact bytes of a bundle; the same bytes again get the same answer."""
        answer = self.http.send(
            "PUT",
            f"workflow-runs/{run_id}/attestation",
            bundle,
            headers=_handle(handle),
            media_type=BUNDLE_MEDIA_TYPE,
        )
        return read_record(Stored, answer)

    def upload_stream(
        self,
        source: BinaryIO,
        filename: str,
        *,
        run_id: str | None,
        handle: str | None,
        size_bytes: int | None = None,
        progress: Progress | None = None,
    ) -> Artifact:
        """Send a file in one pass, hashing on the way, and compare the digest of the answer.

        Raises:
            DigestMismatchError: the control plane stored other bytes than were sent.
            FileUnreadableError: the file cannot be read, or changed meanwhile.
        """
        upload = HashedUpload(source, filename, size_bytes, progress)
        answer = self.http.send(
            "POST",
            "artifacts",
            upload.begin,
            query={"filename": filename, "run": run_id},
            headers=_handle(handle),
            media_type=_OCTETS,
            size_bytes=size_bytes,
            # The same bytes make the same artifact: sending them again changes nothing.
            repeat=upload.repeatable,
        )
        return _same(read_record(Artifact, answer), upload.digest)

    def put_artifact(
        self, digest: Digest, raw: bytes, filename: str, *, run_id: str | None, handle: str | None
    ) -> Artifact:
        """Send bytes whose digest is known.

        Raises:
            DigestMismatchError: the control plane stored other bytes than were sent.
        """
        answer = self.http.send(
            "PUT",
            f"artifacts/{digest}",
            raw,
            query={"filename": filename, "run": run_id},
            headers=_handle(handle),
            media_type=_OCTETS,
        )
        return _same(read_record(Artifact, answer), digest)

    def reference_artifact(self, run_id: str, handle: str, digest: Digest, filename: str) -> bool:
        """Tell whether the organization already has `digest`, and refer the run to it (R7)."""
        path = f"workflow-runs/{run_id}/artifacts/{digest}"
        try:
            self.http.exchange("POST", path, query={"filename": filename}, headers=_handle(handle), repeat=True)
        except NotFoundError:
            return False
        return True

    def create_workflow(self, request: WorkflowRequest) -> Workflow:
        """Create a workflow, and its project when it is new."""
        return read_record(Workflow, self.http.json("POST", "workflows", to_dict(request)))

    def put_contract(
        self,
        name: str,
        raw: bytes,
        media_type: str,
        if_match: int | None = None,
        *,
        must_be_new: bool = False,
        description: str | None = None,
    ) -> ContractRevision:
        """Store a contract; a new revision is made only when the bytes differ.

        Raises:
            PreconditionFailedError: `if_match` is not the newest revision, or it `must_be_new` and is not.
        """
        headers = {} if if_match is None else {"If-Match": f'"{if_match}"'}
        if must_be_new:
            headers["If-None-Match"] = "*"
        answer = self.http.send(
            "PUT",
            f"contracts/{name}",
            raw,
            query={"description": description},
            headers=headers,
            media_type=media_type,
            # A lost answer to a guarded request that is sent again would look like somebody else's revision.
            repeat=not headers,
        )
        return read_record(ContractRevision, answer)


def _handle(handle: str | None) -> dict[str, str]:
    return {HANDLE_HEADER: handle} if handle else {}


def _same(artifact: Artifact, digest: Digest) -> Artifact:
    if artifact.digest != digest:
        raise DigestMismatchError(digest, artifact.digest, "the control plane stored other bytes than were sent")
    return artifact
