from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from chainloop_ci.api.limits import MATERIALS_PRESENT_HEADER
from chainloop_ci.api.record import to_dict
from chainloop_ci.api.runs import Artifact, CancelRequest, KeptState, RunRequest, RunState
from chainloop_ci.api.workflows import WorkflowRequest
from chainloop_ci.client.control_plane import ControlPlane
from chainloop_ci.client.http import HttpClient
from chainloop_ci.digests import Digest, sha256_digest
from chainloop_ci.errors import (
    AttestationRefusedError,
    DigestMismatchError,
    FileUnreadableError,
    NotAllowedError,
    PreconditionFailedError,
    RunnerMismatchError,
    ServerFaultError,
)
from chainloop_ci.runners.types import CiIdentity
from tests.unit.stub_server import Reply, StubServer

if TYPE_CHECKING:
    from chainloop_ci.crafting.ports import ControlPlane as Port

RUN = "7a1d52a0-8a73-4c35-b8a3-0d1f3c8a9b11"
CONTENT = b"x" * 3_000_000
DIGEST = sha256_digest(CONTENT)
NOW = datetime(2026, 11, 20, tzinfo=UTC)
RUN_DOCUMENT: dict[str, Any] = {
    "id": RUN, "sequence": 1, "state": "initialized", "workflowId": RUN, "workflow": "build", "project": "demo",
    "organization": "acme", "contract": "build", "contractRevision": 1, "contractRevisionLatest": 1,
    "runnerType": "GITHUB_ACTION", "runnerUrl": "", "createdAt": "2026-11-20T00:00:00Z",
    "expiresAt": "2026-11-21T00:00:00Z",
}  # fmt: skip
REQUEST = RunRequest(RUN, 1, DIGEST, "GITHUB_ACTION", "a" * 64, CiIdentity("none"))


def reply(document: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(document).encode())


def artifact(digest: Digest = DIGEST) -> Reply:
    return reply(to_dict(Artifact(digest, len(CONTENT), "app.bin", NOW)), 201)


@pytest.fixture
def control_plane(client: HttpClient) -> ControlPlane:
    """Return the adapter in front of the stub."""
    return ControlPlane(client)


def test_it_is_what_the_use_cases_ask_for(control_plane: ControlPlane) -> None:
    port: Port = control_plane

    assert port.whoami


def test_a_run_is_created_under_the_client_s_id(control_plane: ControlPlane, stub: StubServer) -> None:
    stub.replies = [reply(RUN_DOCUMENT, 201)]

    run = control_plane.put_run(RUN, REQUEST)

    assert (run.id, stub.seen[0].method, stub.seen[0].path) == (RUN, "PUT", f"/api/v1/workflow-runs/{RUN}")
    assert json.loads(stub.seen[0].body) == to_dict(REQUEST)


def test_a_run_whose_answer_was_lost_is_asked_for_again(control_plane: ControlPlane, stub: StubServer) -> None:
    stub.replies = [Reply(cut=0), reply(RUN_DOCUMENT)]

    control_plane.put_run(RUN, REQUEST)

    assert stub.seen[0].body == stub.seen[1].body


def test_a_runner_that_does_not_fit_is_the_same_error_as_offline(
    control_plane: ControlPlane, stub: StubServer, problem: Callable[..., Reply]
) -> None:
    stub.replies = [problem(422, "runner-mismatch", detail="the contract requires runner X")]

    with pytest.raises(RunnerMismatchError, match="requires runner X"):
        control_plane.put_run(RUN, REQUEST)


def test_the_context_is_asked_for_by_what_was_named(control_plane: ControlPlane, stub: StubServer) -> None:
    stub.replies = [Reply(403, b'{"code": "not-allowed", "detail": "no"}')]

    with pytest.raises(NotAllowedError):
        control_plane.get_crafting_context(None, "demo", 2)

    assert stub.seen[0].path == "/api/v1/crafting-context?project=demo&contractRevision=2"


@pytest.mark.parametrize("handle", ["h-1", None])
def test_a_run_is_canceled_with_its_handle_or_by_an_operator(
    control_plane: ControlPlane, stub: StubServer, handle: str | None
) -> None:
    stub.replies = [reply(RUN_DOCUMENT)]

    control_plane.cancel_run(RUN, handle, CancelRequest("superseded", "replaced"))

    assert stub.seen[0].headers.get("Chainloop-Run-Handle") == handle
    assert json.loads(stub.seen[0].body) == {"trigger": "superseded", "reason": "replaced"}


def test_a_bundle_is_sent_byte_for_byte(control_plane: ControlPlane, stub: StubServer) -> None:
    line = {"result": "yes", "reason": ""}
    names = ("signature", "key", "runner", "source", "commit", "contract", "content")
    stub.replies = [
        reply(
            {
                "digest": DIGEST,
                "runId": RUN,
                "state": "success",
                "verified": True,
                "verification": dict.fromkeys(names, line),
            }
        )
    ]

    stored = control_plane.store_attestation(RUN, "h-1", b'{ "odd":  1}\n')

    assert (stored.verified, stub.seen[0].body) == (True, b'{ "odd":  1}\n')
    assert stub.seen[0].headers["Content-Type"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    assert stub.seen[0].headers["Chainloop-Run-Handle"] == "h-1"


def test_a_refused_bundle_brings_every_finding(
    control_plane: ControlPlane, stub: StubServer, problem: Callable[..., Reply]
) -> None:
    findings = [{"code": "missing-material", "message": "a"}, {"code": "runner", "message": "b"}]
    stub.replies = [problem(422, "attestation-refused", detail="refused", findings=findings)]

    with pytest.raises(AttestationRefusedError) as caught:
        control_plane.store_attestation(RUN, "h-1", b"{}")

    assert [finding.message for finding in caught.value.findings] == ["a", "b"]


@pytest.mark.parametrize("size", [len(CONTENT), None])
def test_a_file_is_streamed_whole_with_and_without_its_length(
    control_plane: ControlPlane, stub: StubServer, size: int | None
) -> None:
    stub.replies = [artifact()]
    steps: list[int] = []

    stored = control_plane.upload_stream(
        io.BytesIO(CONTENT), "app.bin", run_id=RUN, handle="h-1", size_bytes=size, progress=steps.append
    )

    seen = stub.seen[0]
    assert (stored.digest, seen.body, sum(steps)) == (DIGEST, CONTENT, len(CONTENT))
    assert seen.path == f"/api/v1/artifacts?filename=app.bin&run={RUN}"
    assert seen.headers.get("Content-Length") == (None if size is None else str(size))
    assert seen.headers["Content-Type"] == "application/octet-stream"


def test_an_upload_whose_answer_was_lost_is_sent_again_from_its_start(
    control_plane: ControlPlane, stub: StubServer
) -> None:
    stub.replies = [Reply(cut=0), artifact()]

    control_plane.upload_stream(io.BytesIO(CONTENT), "f", run_id=None, handle=None, size_bytes=len(CONTENT))

    assert [seen.body for seen in stub.seen] == [CONTENT, CONTENT]


def test_an_upload_that_is_answered_with_another_digest_is_refused(
    control_plane: ControlPlane, stub: StubServer
) -> None:
    stub.replies = [artifact(sha256_digest(b"other"))]

    with pytest.raises(DigestMismatchError):
        control_plane.upload_stream(io.BytesIO(CONTENT), "f", run_id=None, handle=None)


def test_a_file_that_shrinks_while_it_is_sent_is_named(control_plane: ControlPlane, stub: StubServer) -> None:
    stub.replies = [artifact()]

    with pytest.raises(FileUnreadableError, match=r"app\.bin changed"):
        control_plane.upload_stream(io.BytesIO(CONTENT), "app.bin", run_id=None, handle=None, size_bytes=10**7)


def test_bytes_are_put_under_their_digest(control_plane: ControlPlane, stub: StubServer) -> None:
    stub.replies = [artifact()]

    control_plane.put_artifact(DIGEST, CONTENT, "app.bin", run_id=RUN, handle="h-1")

    assert stub.seen[0].path == f"/api/v1/artifacts/{DIGEST}?filename=app.bin&run={RUN}"
    assert stub.seen[0].body == CONTENT


def test_r7_a_reference_tells_whether_the_content_is_there(
    control_plane: ControlPlane, stub: StubServer, problem: Callable[..., Reply]
) -> None:
    stub.replies = [Reply(204, headers={}), problem(404, "not-found", detail="no")]

    there, absent = (control_plane.reference_artifact(RUN, "h-1", DIGEST, "f") for _ in range(2))

    assert (there, absent) == (True, False)


def test_a_workflow_is_created_once(control_plane: ControlPlane, stub: StubServer) -> None:
    document = {
        "id": RUN, "name": "build", "project": "demo", "organization": "acme", "contract": "c", "contractRevision": 1,
        "createdAt": "2026-11-20T00:00:00Z",
    }  # fmt: skip
    stub.replies = [reply(document, 201)]

    created = control_plane.create_workflow(WorkflowRequest("build", "demo"))

    assert created.name == "build"


def test_a_contract_is_put_as_it_is_and_a_race_is_told(
    control_plane: ControlPlane, stub: StubServer, problem: Callable[..., Reply]
) -> None:
    stub.replies = [problem(412, "precondition-failed", detail="the newest is 4")]

    with pytest.raises(PreconditionFailedError, match="newest is 4"):
        control_plane.put_contract("build", b"a: 1\n", "application/yaml", if_match=3)

    seen = stub.seen[0]
    assert (seen.headers["If-Match"], seen.headers["Content-Type"], seen.body) == ('"3"', "application/yaml", b"a: 1\n")


STATE_HEADERS = {
    "Content-Type": "application/octet-stream",
    "ETag": f'"{sha256_digest(b"sealed")}"',
    "Chainloop-Run": RUN,
    "Chainloop-Run-State": "error",
    "Chainloop-Run-Expires": "2026-11-21T00:00:00Z",
    "Chainloop-Sealed-For": "another",
}


def test_a_shared_state_comes_with_what_the_headers_say_of_it(stub: StubServer, control_plane: ControlPlane) -> None:
    stub.replies = [Reply(200, b"sealed", STATE_HEADERS)]

    found = control_plane.get_state(RUN, "h-1")

    assert (found.raw, found.digest, found.run_id, found.sealed_for) == (
        b"sealed",
        sha256_digest(b"sealed"),
        RUN,
        "another",
    )
    assert (found.run_state, found.expires_at) == (RunState.ERROR, datetime(2026, 11, 21, tzinfo=UTC))
    assert stub.seen[0].headers["Chainloop-Run-Handle"] == "h-1"


@pytest.mark.parametrize("name", [name for name in STATE_HEADERS if name != "Content-Type"])
def test_a_shared_state_without_one_of_its_headers_is_not_used(
    stub: StubServer, control_plane: ControlPlane, name: str
) -> None:
    stub.replies = [Reply(200, b"sealed", {key: value for key, value in STATE_HEADERS.items() if key != name})]

    with pytest.raises(ServerFaultError, match="lacks a header"):
        control_plane.get_state(RUN, "h-1")


@pytest.mark.parametrize(
    ("expected", "header", "value"),
    [(None, "If-None-Match", "*"), (sha256_digest(b"old"), "If-Match", f'"{sha256_digest(b"old")}"')],
)
def test_a_shared_state_is_sent_with_what_it_takes_the_place_of(
    stub: StubServer, control_plane: ControlPlane, expected: Digest | None, header: str, value: str
) -> None:
    kept = KeptState(RUN, sha256_digest(b"sealed"), 6, NOW)
    stub.replies = [reply(to_dict(kept), 201)]

    assert control_plane.put_state(RUN, "h-1", b"sealed", expected, present=3) == kept
    assert stub.seen[0].headers[MATERIALS_PRESENT_HEADER] == "3"
    assert (stub.seen[0].headers[header], stub.seen[0].body) == (value, b"sealed")


def test_the_state_that_an_attestation_was_made_of_is_named(
    stub: StubServer, control_plane: ControlPlane, problem: Callable[..., Reply]
) -> None:
    stub.replies = [problem(412, "precondition-failed", detail="changed")]

    with pytest.raises(PreconditionFailedError):
        control_plane.store_attestation(RUN, "h-1", b"{}", DIGEST)
    assert stub.seen[0].headers["Chainloop-State-Digest"] == DIGEST


def test_a_successor_is_asked_for_with_the_identity_of_the_job(stub: StubServer, control_plane: ControlPlane) -> None:
    stub.replies = [reply({**RUN_DOCUMENT, "successorOf": "before"}, 201)]

    run = control_plane.open_successor("before", "h-1", CiIdentity("github", run_id="77", run_attempt=2))

    assert (run.id, run.successor_of) == (RUN, "before")
    assert json.loads(stub.seen[0].body) == {"ci": {"provider": "github", "runId": "77", "runAttempt": 2}}
