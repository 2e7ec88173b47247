"""Which Python the GitHub actions install with, and what they say where there is none."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.family.pythons import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Return a machine without Python."""
    return Machine(tmp_path)


def test_the_python_of_the_job_is_used(machine: Machine) -> None:
    machine.put(machine.path / "python3", Path(sys.executable))

    found = machine.find()

    assert found.status == 0, found.said
    assert os.path.realpath(found.python) == os.path.realpath(sys.executable)


def test_an_old_python_is_passed_over_for_a_newer_one(machine: Machine) -> None:
    machine.fake(machine.path / "python3", "3.9.2")
    newer = machine.fake(machine.path / "python3.12", "3.12.1")

    assert machine.find().python == str(newer)


def test_the_input_comes_first(machine: Machine) -> None:
    machine.fake(machine.path / "python3", "3.12.1")
    named = machine.fake(machine.folder / "own python" / "python", "3.13.0")

    assert machine.find(CHAINLOOP_INSTALL_PYTHON=str(named)).python == str(named)


def test_another_python_is_not_used_in_place_of_the_named_one(machine: Machine) -> None:
    machine.fake(machine.path / "python3", "3.12.1")

    refused = machine.find(CHAINLOOP_INSTALL_PYTHON="python3.14")

    assert refused.status == 1
    assert "found: python3.14 is not there." in refused.said


@pytest.mark.parametrize("word", ["eval", "exit", "if", "-c", ""])
def test_t01_the_input_is_a_program_and_never_a_word_of_the_shell(machine: Machine, word: str) -> None:
    refused = machine.find(CHAINLOOP_INSTALL_PYTHON=word)

    assert refused.status == 1
    assert refused.said.startswith("::error title=Chainloop has no Python::")
    assert refused.said.count("\n") == 1


@pytest.mark.parametrize(("architecture", "folder"), [("X64", "x64"), ("ARM64", "arm64")])
def test_what_setup_python_keeps_is_found_newest_first(machine: Machine, architecture: str, folder: str) -> None:
    machine.fake(machine.path / "python3", "3.8.10")
    for version in ("3.9.18", "3.11.9", "3.12.10"):
        machine.fake(machine.tool_cache / "Python" / version / folder / "bin" / "python3", version)

    found = machine.find(RUNNER_ARCH=architecture)

    assert found.python == str(machine.tool_cache / "Python" / "3.12.10" / folder / "bin" / "python3")


def test_uv_s_python_is_found_where_there_is_no_other(machine: Machine) -> None:
    managed = machine.fake(machine.folder / "uv" / "python3.12", "3.12.1", can_make=False)
    uv = machine.path / "uv"
    uv.write_text(f'#!/bin/sh\n[ "$1 $2" = "python find" ] && [ "$UV_PYTHON_DOWNLOADS" = never ] && echo "{managed}"\n')
    uv.chmod(0o755)

    assert machine.find().python == str(managed)


def test_a_python_that_can_make_no_environment_is_passed_over(machine: Machine) -> None:
    machine.fake(machine.path / "python3", "3.11.2", can_make=False)
    whole = machine.fake(machine.path / "python3.13", "3.13.0")

    assert machine.find().python == str(whole)


def test_without_any_python_one_error_says_what_to_add(machine: Machine) -> None:
    refused = machine.find()

    assert refused.status == 1
    assert refused.said.count("::error") == 1
    assert "found: nothing is called python." in refused.said
    assert "«uses: actions/setup-python@" in refused.said


def test_the_error_has_everything_that_was_found(machine: Machine) -> None:
    machine.fake(machine.path / "python3", "3.9.2")
    machine.fake(machine.path / "python3.11", "3.11.2", can_make=False)
    machine.fake(machine.path / "python", "2.7.18")
    machine.fake(machine.tool_cache / "Python" / "3.10.14" / "x64" / "bin" / "python3", "3.10.14")
    (machine.path / "py").write_text("#!/bin/sh\necho 'Python was not found; open the store' >&2; exit 73\n")
    (machine.path / "py").chmod(0o755)

    refused = machine.find()

    [line] = refused.said.splitlines()
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

    assert refused.said.count("\n") == 1
    assert "found: 100%25%0D%0A::set-output name=x::y is not there." in refused.said
