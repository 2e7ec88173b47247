"""Which Python the GitHub actions install with, and what they say where there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import PROJECT

SCRIPT = PROJECT / "actions" / "_shared" / "find_python.sh"
BASH = shutil.which("bash") or "/bin/bash"
# What answers the question of the script: version, whether an environment can be made, the program.
FAKE = '#!/bin/sh\necho "{version} {can_make} {program}"\n'


class Machine:
    """A machine with nothing but the interpreters that a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "bin"
        self.tool_cache = folder / "tools"
        for program in ("sort", "dirname"):
            self.put(self.path / program, Path(shutil.which(program) or "").resolve())

    def put(self, place: Path, target: Path) -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)

    def fake(self, place: Path, version: str, *, can_make: bool = True) -> Path:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(FAKE.format(version=version, can_make="yes" if can_make else "no", program=place))
        place.chmod(0o755)
        return place

    def find(self, **env: str) -> subprocess.CompletedProcess[str]:
        """Return what `find_python` does here; it prints the interpreter."""
        facts: Mapping[str, str] = {"PATH": str(self.path), "RUNNER_TOOL_CACHE": str(self.tool_cache), **env}
        return subprocess.run(
            [BASH, "--noprofile", "--norc", "-euo", "pipefail", "-c", f'. "{SCRIPT}"; find_python; echo "$python"'],
            env=dict(facts),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Return a machine without Python."""
    return Machine(tmp_path)


def test_the_python_of_the_job_is_used(machine: Machine) -> None:
    machine.put(machine.path / "python3", Path(sys.executable))

    found = machine.find()

    assert found.returncode == 0, found.stdout
    assert os.path.realpath(found.stdout.strip()) == os.path.realpath(sys.executable)


def test_an_old_python_is_passed_over_for_a_newer_one(machine: Machine) -> None:
    machine.fake(machine.path / "python3", "3.9.2")
    newer = machine.fake(machine.path / "python3.12", "3.12.1")

    assert machine.find().stdout.strip() == str(newer)


def test_the_input_comes_first(machine: Machine) -> None:
    machine.fake(machine.path / "python3", "3.12.1")
    named = machine.fake(machine.folder / "own python" / "python", "3.13.0")

    assert machine.find(CHAINLOOP_INSTALL_PYTHON=str(named)).stdout.strip() == str(named)


def test_another_python_is_not_used_in_place_of_the_named_one(machine: Machine) -> None:
    machine.fake(machine.path / "python3", "3.12.1")

    refused = machine.find(CHAINLOOP_INSTALL_PYTHON="python3.14")

    assert refused.returncode == 1
    assert "found: python3.14 is not there." in refused.stdout


@pytest.mark.parametrize("word", ["eval", "exit", "if", "-c", ""])
def test_t01_the_input_is_a_program_and_never_a_word_of_the_shell(machine: Machine, word: str) -> None:
    refused = machine.find(CHAINLOOP_INSTALL_PYTHON=word)

    assert refused.returncode == 1
    assert refused.stdout.startswith("::error title=Chainloop has no Python::")
    assert refused.stdout.count("\n") == 1


@pytest.mark.parametrize(("architecture", "folder"), [("X64", "x64"), ("ARM64", "arm64")])
def test_what_setup_python_keeps_is_found_newest_first(machine: Machine, architecture: str, folder: str) -> None:
    machine.fake(machine.path / "python3", "3.8.10")
    for version in ("3.9.18", "3.11.9", "3.12.10"):
        machine.fake(machine.tool_cache / "Python" / version / folder / "bin" / "python3", version)

    found = machine.find(RUNNER_ARCH=architecture)

    assert found.stdout.strip() == str(machine.tool_cache / "Python" / "3.12.10" / folder / "bin" / "python3")


def test_uv_s_python_is_found_where_there_is_no_other(machine: Machine) -> None:
    managed = machine.fake(machine.folder / "uv" / "python3.12", "3.12.1", can_make=False)
    uv = machine.path / "uv"
    uv.write_text(f'#!/bin/sh\n[ "$1 $2" = "python find" ] && [ "$UV_PYTHON_DOWNLOADS" = never ] && echo "{managed}"\n')
    uv.chmod(0o755)

    assert machine.find().stdout.strip() == str(managed)


def test_a_python_that_can_make_no_environment_is_passed_over(machine: Machine) -> None:
    machine.fake(machine.path / "python3", "3.11.2", can_make=False)
    whole = machine.fake(machine.path / "python3.13", "3.13.0")

    assert machine.find().stdout.strip() == str(whole)


def test_without_any_python_one_error_says_what_to_add(machine: Machine) -> None:
    refused = machine.find()

    assert refused.returncode == 1
    assert refused.stdout.count("::error") == 1
    assert "found: nothing is called python." in refused.stdout
    assert "«uses: actions/setup-python@" in refused.stdout


def test_the_error_has_everything_that_was_found(machine: Machine) -> None:
    machine.fake(machine.path / "python3", "3.9.2")
    machine.fake(machine.path / "python3.11", "3.11.2", can_make=False)
    machine.fake(machine.path / "python", "2.7.18")
    machine.fake(machine.tool_cache / "Python" / "3.10.14" / "x64" / "bin" / "python3", "3.10.14")
    (machine.path / "py").write_text("#!/bin/sh\necho 'Python was not found; open the store' >&2; exit 73\n")
    (machine.path / "py").chmod(0o755)

    refused = machine.find()

    [line] = refused.stdout.splitlines()
    for text in (
        f"python3 ({machine.path}/python3) is 3.9.2",
        f"python ({machine.path}/python) is 2.7.18",
        f"python3.11 ({machine.path}/python3.11) is 3.11.2, without ensurepip or venv",
        f"py ({machine.path}/py) does not answer as Python 3 does",
        "3.10.14/x64 is 3.10.14",
    ):
        assert text in line, line


def test_t03_the_input_cannot_become_a_workflow_command(machine: Machine) -> None:
    refused = machine.find(CHAINLOOP_INSTALL_PYTHON="100%\r\n::set-output name=x::y")

    assert refused.stdout.count("\n") == 1
    assert "found: 100%25%0D%0A::set-output name=x::y is not there." in refused.stdout
