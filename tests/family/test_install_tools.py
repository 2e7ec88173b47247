"""`.ci/install-tools`: it has what tests ask for, keeps what is there, and installs nothing unexpected."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / ".ci" / "install-tools"
TEXT = SCRIPT.read_text()
PROGRAMS = [line.split() for line in re.findall(r'^  "(\S+ \S+ \S+ v\S+ h1:\S+)"$', TEXT, re.MULTILINE)]
PACKAGES = [line.split() for line in re.findall(r'^  "(\S+ \S+)"$', TEXT, re.MULTILINE)]

FAKE_GO = """\
#!/bin/sh
if [ "$1" = env ]; then echo go1.99.0; exit; fi
name=$(basename "${2%@*}")
printf 'made by the fake\\nmod\\t%s\\t%s\\t%s\\n' "$MODULE" "$VERSION" "$SUM" > "$GOBIN/$name"
chmod +x "$GOBIN/$name"
echo "$@" >> "$GOBIN/../calls"
"""


def asked_for(project: Path) -> set[str]:
    """Return what tests need, by their `real` marks."""
    marks = [
        mark
        for file in (project / "tests").rglob("test_*.py")
        for mark in re.findall(r"pytest\.mark\.real\(([^)]*)\)", file.read_text())
    ]
    return {name for mark in marks for name in re.findall(r'"([^"]+)"', mark)}


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """Return a folder of tools with a Go beside it that makes whatever it is told to."""
    (tmp_path / "path").mkdir()
    go = tmp_path / "path" / "go"
    go.write_text(FAKE_GO)
    go.chmod(0o755)
    (tmp_path / "tools" / "bin").mkdir(parents=True)
    return tmp_path / "tools"


def install(tools: Path, **facts: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": f"{tools.parent / 'path'}:/usr/bin:/bin", "HOME": str(tools.parent), "CHAINLOOP_TOOLS": str(tools)}
    return subprocess.run(
        [SCRIPT],
        env={**env, **facts},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def put(tools: Path, name: str, module: str, version: str, sum_: str) -> None:
    (tools / "bin" / name).write_text(f"\x7fELF\nmod\t{module}\t{version}\t{sum_}\n")
    (tools / "bin" / name).chmod(0o755)


def test_every_tool_that_a_test_asks_for_is_installed(project: Path) -> None:
    offered = {entry[0] for entry in (*PROGRAMS, *PACKAGES)}

    assert asked_for(project) - offered == set()


def test_no_tool_is_installed_that_nobody_asks_for(project: Path) -> None:
    for name, *_ in (*PROGRAMS, *PACKAGES):
        assert name in asked_for(project) | {"curl"}, name  # curl is for `make demo` and `make bench`


def test_programs_of_the_right_version_are_kept(tools: Path) -> None:
    for name, _, module, version, sum_ in PROGRAMS:
        put(tools, name, module, version, sum_)

    answer = install(tools)

    assert answer.returncode == 0, answer.stderr
    assert all(f"{name} {version} is there" in answer.stdout for name, _, _, version, _ in PROGRAMS)
    assert not (tools / "calls").exists()


def test_a_program_of_another_version_is_replaced(tools: Path) -> None:
    for name, _, module, version, sum_ in PROGRAMS:
        put(tools, name, module, version, sum_)
    name, package, module, version, sum_ = PROGRAMS[0]
    put(tools, name, module, "v0.0.1", sum_)

    answer = install(tools, MODULE=module, VERSION=version, SUM=sum_)

    assert answer.returncode == 0, answer.stderr
    assert (tools / "bin" / name).read_text().startswith("made by the fake")
    assert (tools / "calls").read_text() == f"install {package}@{version}\n"
    assert [entry.name for entry in tools.iterdir() if entry.name.startswith("build.")] == []


def test_a_program_with_another_checksum_is_not_installed(tools: Path) -> None:
    name, _, module, version, sum_ = PROGRAMS[0]

    answer = install(tools, MODULE=module, VERSION=version, SUM="h1:somebody-else")

    assert answer.returncode == 1
    assert f"{name} {version} has another checksum than {sum_}: not installed" in answer.stderr
    assert not (tools / "bin" / name).exists()
