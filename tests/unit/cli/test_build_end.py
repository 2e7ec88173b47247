"""A build of Jenkins says that it has ended, signed so that the control plane takes it, and in every ending."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chainloop_ci.cli.build_end import telling_end
from chainloop_ci.cli.wiring import World
from chainloop_ci.errors import AttestationRefusedError, UnreachableError
from server.inbound import generic
from server.inbound.signatures import is_standard
from server.model.forge_facts import CiConclusion
from tests.unit.stub_server import Reply, StubServer, stub_server

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
SOURCE = "6b0a1f0e-2f0b-4c56-9a0e-6f1f3c0e7a11"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER = "89abcdef0123456789abcdef0123456789abcdef"
JENKINS = {
    "JENKINS_URL": "https://jenkins.example.com/",
    "BUILD_URL": "https://jenkins.example.com/job/folder/job/app/job/main/17/",
    "JOB_NAME": "folder/app/main",
    "BUILD_NUMBER": "17",
    "GIT_COMMIT": COMMIT,
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder whose repository has one commit checked out."""
    (tmp_path / ".git/refs/heads").mkdir(parents=True)
    (tmp_path / ".git/objects").mkdir()
    (tmp_path / ".git/HEAD").write_text("ref: refs/heads/main\n", encoding="ascii")
    (tmp_path / ".git/refs/heads/main").write_text(OTHER + "\n", encoding="ascii")
    return tmp_path


@pytest.fixture
def plane() -> Iterator[StubServer]:
    with stub_server() as stub:
        stub.replies = [Reply(202, b'{"status": "accepted"}', {"Content-Type": "application/json"})]
        yield stub


def world(plane: StubServer, tmp_path: Path, **changes: str) -> World:
    env = {
        **JENKINS,
        "HOME": str(tmp_path),
        "CHAINLOOP_BUILD_WEBHOOK_URL": f"{plane.url}/webhooks/generic/{SOURCE}",
        "CHAINLOOP_BUILD_WEBHOOK_SECRET": SECRET,
        **changes,
    }
    known = {name: value for name, value in env.items() if value}
    return World(
        env=known, cwd=tmp_path, stdin=io.StringIO(), stdout=io.StringIO(), stderr=io.StringIO(), now=lambda: NOW
    )


def warned(made: World) -> str:
    stream: Any = made.stderr
    return str(stream.getvalue())


@pytest.mark.parametrize(
    ("status", "result", "conclusion"),
    [
        ("SUCCESS", "success", CiConclusion.SUCCESS),
        (None, "success", CiConclusion.SUCCESS),
        ("UNSTABLE", "failure", CiConclusion.FAILURE),
        ("ABORTED", "canceled", CiConclusion.CANCELED),
    ],
)
def test_the_server_takes_what_a_build_signs_and_reads_it(
    status: str | None, result: str, conclusion: CiConclusion, plane: StubServer, tmp_path: Path
) -> None:
    with telling_end(world(plane, tmp_path), status):
        assert not plane.seen

    (seen,) = plane.seen
    headers = {name.lower(): value for name, value in seen.headers.items()}
    said = json.loads(seen.body)
    (run,) = generic.parse("build.ended", said).runs
    assert seen.path == f"/webhooks/generic/{SOURCE}"
    assert is_standard(headers, seen.body, [SECRET], NOW)
    assert not is_standard(headers, seen.body, [SECRET + "other"], NOW)
    assert said == {
        "event": "build.ended",
        "job": "folder/app/main",
        "build": "17",
        "result": result,
        "commit": COMMIT,
        "endedAt": "2026-11-20T12:00:00Z",
    }
    assert (run.ci_run_id, run.conclusion, run.ended_at) == ("folder/app/main#17", conclusion, NOW)


def test_a_pipeline_without_variables_names_the_commit_that_is_checked_out(plane: StubServer, checkout: Path) -> None:
    with telling_end(world(plane, checkout, GIT_COMMIT=""), "SUCCESS"):
        pass

    assert json.loads(plane.seen[0].body)["commit"] == OTHER


def test_r31_a_build_of_a_merged_pull_request_names_no_commit(plane: StubServer, checkout: Path) -> None:
    with telling_end(world(plane, checkout, CHANGE_ID="7", BRANCH_NAME="PR-7-merge"), "SUCCESS"):
        pass

    assert "commit" not in json.loads(plane.seen[0].body)


def test_no_token_and_no_secret_is_sent(plane: StubServer, tmp_path: Path) -> None:
    with telling_end(world(plane, tmp_path, CHAINLOOP_TOKEN="clp_secret"), "SUCCESS"):
        pass

    (seen,) = plane.seen
    assert "clp_secret" not in repr(seen)
    assert SECRET not in repr(seen)


def test_an_attestation_that_was_refused_is_the_failure_of_its_build(plane: StubServer, tmp_path: Path) -> None:
    refused = AttestationRefusedError("refused")

    with pytest.raises(AttestationRefusedError), telling_end(world(plane, tmp_path), "SUCCESS"):
        raise refused

    assert json.loads(plane.seen[0].body)["result"] == "failure"


def test_nothing_is_said_where_the_attestation_is_to_come_later(plane: StubServer, tmp_path: Path) -> None:
    made = world(plane, tmp_path)

    with telling_end(made, "SUCCESS"):
        made.is_queued = True
    with pytest.raises(UnreachableError), telling_end(world(plane, tmp_path), "SUCCESS"):
        raise UnreachableError("no answer")

    assert not plane.seen


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"CHAINLOOP_BUILD_WEBHOOK_SECRET": ""}, "CHAINLOOP_BUILD_WEBHOOK_SECRET is empty"),
        ({"CHAINLOOP_BUILD_WEBHOOK_URL": "https://example.com/hook"}, "is not the address of a source's webhook"),
        ({"JOB_NAME": "", "JENKINS_URL": "", "BUILD_URL": ""}, "expected a build of Jenkins"),
    ],
)
def test_what_cannot_be_said_is_a_warning_and_the_job_goes_on(
    changes: dict[str, str], words: str, plane: StubServer, tmp_path: Path
) -> None:
    made = world(plane, tmp_path, **changes)

    with telling_end(made, "SUCCESS"):
        pass

    assert words in warned(made)
    assert not plane.seen


def test_an_answer_that_refuses_is_a_warning(plane: StubServer, tmp_path: Path) -> None:
    plane.replies = [Reply(401, b"{}", {"Content-Type": "application/json"})]
    made = world(plane, tmp_path)

    with telling_end(made, "SUCCESS"):
        pass

    assert "was not told that the build ends" in warned(made)


def test_a_job_that_names_no_webhook_says_nothing(plane: StubServer, tmp_path: Path) -> None:
    with telling_end(world(plane, tmp_path, CHAINLOOP_BUILD_WEBHOOK_URL=""), "no word of any CI system"):
        pass

    assert not plane.seen
