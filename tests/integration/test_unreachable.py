"""When the control plane does not answer: code 6 by itself, and repeating is safe (design decision 10)."""

from __future__ import annotations

import hashlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chainloop_ci.client.http import PATIENCE_SECONDS
from examples.demo.control_plane import ControlPlane, free_port
from tests.integration.cutting_proxy import cutting_proxy
from tests.integration.live import IMPATIENT, CommandLine, Job
from tests.integration.test_whole_path import attest
from tests.unit.stub_server import nobody_listening

MANY_CUTS = 1000
# No more than a safety net around the product's own deadline of 20 seconds.
HANGS_SECONDS = 60

COMMANDS = [
    ("attestation", "init", "--replace"),
    ("attestation", "add", "--name", "another", "--value", "another"),
    ("attestation", "push"),
    ("attestation", "reset"),
    ("workflow", "list"),
    ("workflow", "create", "--name", "x", "--project", "y"),
    ("workflow", "contract", "list"),
    ("workflow", "contract", "apply", "-f", "contract.yaml", "--name", "other"),
    ("workflow", "run", "list"),
    ("workflow", "run", "describe", "--id", "7a1d52a0-8a73-4c35-b8a3-0d1f3c8a9b11"),
    ("organization", "list"),
    ("organization", "api-token", "list"),
    ("organization", "key", "list"),
    ("artifact", "download", "-d", "sha256:" + "a" * 64),
    ("artifact", "upload", "-f", "binary"),
]


@pytest.fixture
def black_hole() -> Iterator[str]:
    """Listen, accept nothing more than the kernel does, answer nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def down() -> Iterator[str]:
    with nobody_listening() as url:
        yield url


def begun(job: Job) -> CommandLine:
    attest(job)
    (job.tenant.folder / "another").write_bytes(b"another artifact")
    (job.tenant.folder / "contract.yaml").write_text("schemaVersion: v1\n")
    return job.chainloop


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_control_plane_that_is_down_is_code_6_and_names_its_address(
    job: Job, down: str, words: tuple[str, ...]
) -> None:
    chainloop = begun(job)

    answer = chainloop(*words, env={"CHAINLOOP_CONTROL_PLANE_API": down, **IMPATIENT}, timeout_seconds=HANGS_SECONDS)

    assert answer.status == 6, answer
    assert down in answer.stderr


def test_a_control_plane_that_is_down_is_waited_for_less_than_twenty_seconds(job: Job, down: str) -> None:
    chainloop = begun(job)

    began = time.monotonic()
    answer = chainloop("workflow", "list", env={"CHAINLOOP_CONTROL_PLANE_API": down}, timeout_seconds=HANGS_SECONDS)

    assert answer.status == 6, answer
    assert answer.stderr.count("no answer yet, trying again") == 1
    assert PATIENCE_SECONDS - 2 < time.monotonic() - began < HANGS_SECONDS


def test_a_push_waits_for_a_control_plane_that_comes_back(job: Job, control_plane: ControlPlane) -> None:
    attest(job)
    port = free_port()

    process = job.chainloop.start(
        "attestation", "push", env={"CHAINLOOP_CONTROL_PLANE_API": f"http://127.0.0.1:{port}"}
    )
    assert process.stderr
    said = next((line for line in process.stderr if "no answer yet, trying again" in line), "")
    with cutting_proxy(control_plane.port, b"", cuts=0, port=port):
        rest = process.communicate(timeout=HANGS_SECONDS)[1]

    assert 'reason="the connection was refused" for_another=' in said
    assert process.returncode == 0, rest
    assert job.runs()[0]["state"] == "success"


@pytest.mark.parametrize("words", [COMMANDS[0], COMMANDS[1], COMMANDS[2], COMMANDS[8]], ids=" ".join)
def test_a_control_plane_that_hangs_is_code_6(job: Job, black_hole: str, words: tuple[str, ...]) -> None:
    chainloop = begun(job)

    answer = chainloop(
        *words, env={"CHAINLOOP_CONTROL_PLANE_API": black_hole, **IMPATIENT}, timeout_seconds=HANGS_SECONDS
    )

    assert answer.status == 6, answer
    assert black_hole in answer.stderr


def test_a_push_whose_answer_was_lost_is_repeated_by_itself(job: Job, control_plane: ControlPlane) -> None:
    attest(job)

    with cutting_proxy(control_plane.port, b"PUT /api/v1/workflow-runs/", cuts=1) as proxy:
        answer = job.chainloop(
            "attestation", "push", "--bundle", "bundle.json", env={"CHAINLOOP_CONTROL_PLANE_API": proxy.url}
        )

    assert (answer.status, proxy.cut) == (0, 1), answer
    assert [run["attestationDigest"] for run in job.runs()] == [digest_of(job.tenant.folder / "bundle.json")]


def test_a_push_that_ended_unreachable_is_repeated_with_the_same_digest(job: Job, control_plane: ControlPlane) -> None:
    attest(job)

    with cutting_proxy(control_plane.port, b"PUT /api/v1/workflow-runs/", cuts=MANY_CUTS) as proxy:
        lost = job.chainloop("attestation", "push", env={"CHAINLOOP_CONTROL_PLANE_API": proxy.url, **IMPATIENT})
    stored = job.runs()[0]["attestationDigest"]
    repeated = job.chainloop("attestation", "push", "--bundle", "bundle.json")

    assert (lost.status, repeated.status) == (6, 0), (lost, repeated)
    assert stored == digest_of(job.tenant.folder / "bundle.json") == job.runs()[0]["attestationDigest"]


def test_an_init_whose_answer_was_lost_makes_one_run(job: Job, control_plane: ControlPlane) -> None:
    with cutting_proxy(control_plane.port, b"PUT /api/v1/workflow-runs/", cuts=1) as proxy:
        answer = job.chainloop("attestation", "init", env={"CHAINLOOP_CONTROL_PLANE_API": proxy.url})

    assert (answer.status, proxy.cut) == (0, 1), answer
    assert [run["state"] for run in job.runs()] == ["initialized"]


def test_an_init_that_ended_unreachable_is_repeated_and_makes_one_run(job: Job, control_plane: ControlPlane) -> None:
    with cutting_proxy(control_plane.port, b"PUT /api/v1/workflow-runs/", cuts=MANY_CUTS) as proxy:
        lost = job.chainloop("attestation", "init", env={"CHAINLOOP_CONTROL_PLANE_API": proxy.url, **IMPATIENT})
    repeated = job.chainloop("attestation", "init")

    assert (lost.status, repeated.status) == (6, 0), (lost, repeated)
    assert [run["state"] for run in job.runs()] == ["initialized"]


def test_twenty_parallel_adds_all_survive(job: Job) -> None:
    job.chainloop("attestation", "init")

    processes = [
        job.chainloop.start("attestation", "add", "--name", f"extra-{number}", "--value", f"value {number}")
        for number in range(20)
    ]
    statuses = [(process.communicate(timeout=120), process.returncode)[1] for process in processes]

    assert statuses == [0] * 20
    status = job.chainloop("attestation", "status", "-o", "json").document
    added = {material["name"] for material in status["materials"] if material["Set"]}
    assert added == {f"extra-{number}" for number in range(20)}


def digest_of(path: Path) -> str:
    return "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
