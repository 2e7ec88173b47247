"""The control plane as a job sees it: the adapter for `crafting.ports.ControlPlane`."""

from __future__ import annotations

from dataclasses import field
from datetime import datetime
from typing import BinaryIO

from chainloop_ci.api.access import WhoAmI
from chainloop_ci.api.limits import (
    BUNDLE_MEDIA_TYPE,
    HANDLE_HEADER,
    MATERIALS_PRESENT_HEADER,
    RUN_EXPIRES_HEADER,
    RUN_HEADER,
    RUN_STATE_HEADER,
    SEALED_FOR_HEADER,
    STATE_DIGEST_HEADER,
)
from chainloop_ci.api.record import to_dict
from chainloop_ci.api.runs import (
    Artifact,
    CancelRequest,
    CraftingContext,
    KeptState,
    RunDetail,
    RunRequest,
    RunState,
    Stored,
    SuccessorRequest,
    WorkflowRun,
)
from chainloop_ci.api.workflows import ContractRevision, Workflow, WorkflowRequest
from chainloop_ci.attestation.times import parse_time
from chainloop_ci.client.answers import Answer, read_record
from chainloop_ci.client.http import HttpClient
from chainloop_ci.client.transfers import HashedUpload, Progress
from chainloop_ci.digests import Digest, parse_digest
from chainloop_ci.errors import DigestInvalidError, DigestMismatchError, NotFoundError, ServerFaultError
from chainloop_ci.records import record
from chainloop_ci.runners.types import CiIdentity

_OCTETS = "application/octet-stream"


@record
class SealedState:
    """A shared state as it comes."""

    raw: bytes = field(repr=False)
    digest: Digest
    run_id: str
    """The run that goes on with it."""
    run_state: RunState
    expires_at: datetime
    sealed_for: str
    """The run that it was sealed for: an earlier one, as long as `run_id` has none of its own."""


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

    def find_run(self, run_id: str) -> RunDetail | None:
        """Return a run, None when the control plane does not know it."""
        try:
            return read_record(RunDetail, self.http.json("GET", f"workflow-runs/{run_id}"))
        except NotFoundError:
            return None

    def cancel_run(self, run_id: str, handle: str | None, request: CancelRequest) -> WorkflowRun:
        """End a run that will not be pushed."""
        path = f"workflow-runs/{run_id}/cancel"
        answer = self.http.json("POST", path, to_dict(request), headers=_handle(handle), repeat=True)
        return read_record(WorkflowRun, answer)

    def store_attestation(self, run_id: str, handle: str, bundle: bytes, state_digest: Digest | None = None) -> Stored:
        """Store the exact bytes of a bundle; the same bytes again get the same answer.

        Raises:
            PreconditionFailedError: the shared state is no longer the one of `state_digest`.
        """
        answer = self.http.send(
            "PUT",
            f"workflow-runs/{run_id}/attestation",
            bundle,
            headers={**_handle(handle), **({STATE_DIGEST_HEADER: state_digest} if state_digest else {})},
            media_type=BUNDLE_MEDIA_TYPE,
        )
        return read_record(Stored, answer)

    def get_state(self, run_id: str, handle: str) -> SealedState:
        """Return the shared state of a run, or of the newest run that goes on with it (R16).

        Raises:
            NotFoundError: there is no such run, or no state of it any more.
            NotAllowedError: the handle is another run's.
        """
        answer = self.http.exchange("GET", f"workflow-runs/{run_id}/state", headers=_handle(handle), accept=_OCTETS)
        return _read_state(answer, run_id)

    def put_state(self, run_id: str, handle: str, raw: bytes, expected: Digest | None, *, present: int) -> KeptState:
        """Keep the shared state of an open run; the same bytes again get the same answer.

        `expected` is the digest of what it takes the place of; None: the run has none yet. `present` is how many of the
        required materials it has, for the commit's pending status.

        Raises:
            PreconditionFailedError: another job has changed it since.
            RunEndedError: the run is not open any more.
        """
        guard = {"If-None-Match": "*"} if expected is None else {"If-Match": f'"{expected}"'}
        answer = self.http.send(
            "PUT",
            f"workflow-runs/{run_id}/state",
            raw,
            headers={**_handle(handle), **guard, MATERIALS_PRESENT_HEADER: str(present)},
            media_type=_OCTETS,
        )
        return read_record(KeptState, answer)

    def open_successor(self, run_id: str, handle: str, ci: CiIdentity) -> WorkflowRun:
        """Return the run that goes on with an ended one in a later attempt of its CI run (R16).

        Raises:
            RunEndedError: `ci` is no later attempt of it.
        """
        path = f"workflow-runs/{run_id}/successor"
        request = to_dict(SuccessorRequest(ci))
        return read_record(WorkflowRun, self.http.json("POST", path, request, headers=_handle(handle), repeat=True))

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
        enforce_from: str | None = None,
    ) -> ContractRevision:
        """Store a contract; a new revision is made only when the bytes differ.

        `enforce_from` is an RFC 3339 time, or `now` (R38); None: at once, and a revision that is there keeps its date.

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
            query={"description": description, "enforceFrom": enforce_from},
            headers=headers,
            media_type=media_type,
            # A lost answer to a guarded request that is sent again would look like somebody else's revision.
            repeat=not headers,
        )
        return read_record(ContractRevision, answer)


def _read_state(answer: Answer, run_id: str) -> SealedState:
    headers = {name.lower(): value for name, value in answer.headers.items()}
    try:
        return SealedState(
            raw=answer.body,
            digest=parse_digest(headers["etag"].strip('"')),
            run_id=headers[RUN_HEADER.lower()],
            run_state=RunState(headers[RUN_STATE_HEADER.lower()]),
            expires_at=parse_time(headers[RUN_EXPIRES_HEADER.lower()]),
            sealed_for=headers[SEALED_FOR_HEADER.lower()],
        )
    except (KeyError, ValueError, DigestInvalidError) as error:
        raise ServerFaultError(
            f"the answer about the shared state of run {run_id} lacks a header, or has one that cannot be read",
            hint="a proxy on the way may take headers out; client and control plane may be of different versions",
        ) from error


def _handle(handle: str | None) -> dict[str, str]:
    return {HANDLE_HEADER: handle} if handle else {}


def _same(artifact: Artifact, digest: Digest) -> Artifact:
    if artifact.digest != digest:
        raise DigestMismatchError(digest, artifact.digest, "the control plane stored other bytes than were sent")
    return artifact
