"""The commands of `docs/verify-without-us.md`, as they stand there, on a bundle that a real push wrote."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from examples.demo.control_plane import ControlPlane
from tests.integration.live import PROJECT, CommandLine, Tenant
from tests.integration.pushed import cosign, push_with

PAGE = (PROJECT / "docs" / "verify-without-us.md").read_text()
COMMANDS = [
    shlex.split(command.replace("\\\n", " ")) for command in re.findall(r"```console\n\$ (.*?)\n```", PAGE, re.DOTALL)
]


@pytest.fixture(scope="module")
def folder(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the three files that the page speaks of, and nothing else."""
    tenant = Tenant(control_plane.url, control_plane.token_file.read_text().strip(), tmp_path_factory.mktemp("job"))
    pushed = push_with(tenant, "chainloop p256")
    folder = tmp_path_factory.mktemp("reader")
    shutil.copyfile(pushed.bundle, folder / "attestation.json")
    shutil.copyfile(pushed.public_key, folder / "build.pub")
    shutil.copyfile(pushed.binary, folder / "app")
    return folder


@pytest.mark.real("cosign")
def test_the_page_s_cosign_command_verifies(folder: Path) -> None:
    (command,) = [words for words in COMMANDS if words[0] == "cosign"]

    answer = cosign(folder, *command[1:])

    assert answer.returncode == 0, answer.stderr
    assert "Verified OK" in answer.stderr


@pytest.mark.parametrize("command", [words for words in COMMANDS if words[0] == "chainloop"], ids=" ".join)
def test_the_page_s_own_commands_succeed(folder: Path, command: list[str]) -> None:
    assert CommandLine(folder)(*command[1:]).status == 0


def test_the_page_s_python_lines_validate_the_statement(folder: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)

    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, capture_output=True, timeout=60)
