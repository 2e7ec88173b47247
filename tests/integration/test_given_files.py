"""What a person types as key, value or contract: no pipe, device or file of /proc holds it up."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.live import CommandLine, Job

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes and devices with a path")

CONTRACT = "schemaVersion: v1\nmaterials:\n  - {name: file, type: ARTIFACT}\n"


@pytest.fixture
def chainloop(tmp_path: Path) -> CommandLine:
    (tmp_path / "contract.yaml").write_text(CONTRACT)
    os.mkfifo(tmp_path / "pipe")
    return CommandLine(tmp_path)


@pytest.mark.parametrize("path", ["pipe", "/dev/zero", "/proc/self/environ", "/dev/stdin"])
def test_r22_a_material_is_an_ordinary_file(chainloop: CommandLine, path: str) -> None:
    chainloop("attestation", "init", "--dry-run", "--contract", "contract.yaml")

    answer = chainloop("attestation", "add", "--name", "file", "--value", path, timeout_seconds=60)

    assert answer.status == 1
    assert "pipe" in answer.stderr or "system folder" in answer.stderr


@pytest.mark.parametrize("path", ["pipe", "/dev/zero", "/proc/self/environ"])
@pytest.mark.parametrize(
    "words",
    [("workflow", "contract", "lint"), ("attestation", "init", "--dry-run", "--contract")],
    ids=["lint", "init"],
)
def test_r22_a_contract_is_an_ordinary_file(chainloop: CommandLine, words: tuple[str, ...], path: str) -> None:
    answer = chainloop(*words, path, timeout_seconds=60)

    assert answer.status == 1
    assert "pipe" in answer.stderr or "system folder" in answer.stderr


def test_r22_a_configuration_is_no_device(chainloop: CommandLine) -> None:
    answer = chainloop("workflow", "list", "--config", "/dev/zero", timeout_seconds=60)

    assert answer.status == 1
    assert "device" in answer.stderr


def begun(job: Job) -> CommandLine:
    (job.tenant.folder / "binary").write_bytes(b"binary")
    chainloop = job.chainloop
    for words in (
        ("init",),
        ("add", "--name", "binary", "--value", "binary"),
        ("add", "--name", "version", "--value", "1.2"),
    ):
        answer = chainloop("attestation", *words)
        assert answer.status == 0, answer.stderr
    return chainloop


def test_a_key_comes_through_process_substitution(job: Job) -> None:
    chainloop = begun(job)
    command = f"{shlex.quote(sys.executable)} -m chainloop_ci attestation push --key <(cat {shlex.quote(str(job.key))})"

    done = subprocess.run(
        ["bash", "-c", command], cwd=chainloop.folder, env=chainloop.environment(), capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr


def test_r22_a_key_is_never_read_from_proc_or_a_device(job: Job) -> None:
    chainloop = begun(job)

    answers = [chainloop("attestation", "push", "--key", path) for path in ("/proc/self/environ", "/dev/zero")]

    assert [answer.status for answer in answers] == [1, 1]
    assert "is a file of /proc" in answers[0].stderr
    assert "device" in answers[1].stderr


def test_a_key_in_a_pipe_that_nobody_fills_ends_with_a_reason(job: Job) -> None:
    chainloop = begun(job)
    os.mkfifo(chainloop.folder / "key.pipe")

    answer = chainloop("attestation", "push", "--key", "key.pipe", timeout_seconds=60)

    assert answer.status == 1
    assert "what writes into it did not finish in 15 s" in answer.stderr
