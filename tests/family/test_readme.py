"""The README's own walk: every line under «Your own first attestation» is run as it stands.

Replaced is only what the reader replaces too: the address and folder of the control plane, the tokens that were
printed, the id of the run, and `…/` before the key's file.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from examples.demo.control_plane import ControlPlane

SECTION = re.compile(r"^## Your own first attestation$(.*?)^## ", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```(console|yaml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TOKEN = re.compile(r"\bclp_[0-9A-Za-z]{49}\b")
UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")

# The environment of the tests stands for these: they are what `make` and `pip` do.
SKIPPED = ("make serve", "python3 -m venv", "~/chainloop/bin/pip", "export PATH=")

# Lines that must end otherwise than with 0; the README says so beside them.
EXPECTED_STATUS = {3: ["chainloop attestation push"]}


@dataclass
class Reader:
    """Somebody who types what the README says."""

    control_plane: ControlPlane
    folder: Path
    env: dict[str, str]
    tokens: list[str] = field(default_factory=list)
    run_ids: list[str] = field(default_factory=list)
    printed: dict[str, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    def type(self, line: str) -> None:
        line = line.split("   #")[0].strip()
        line = line.replace("http://127.0.0.1:8080", self.control_plane.url)
        line = line.replace(".data/admin-token", str(self.control_plane.token_file)).replace("…/", "")
        if "clp_…" in line:
            line = line.replace("clp_…", self.tokens[-1])
        if "--id …" in line:
            line = line.replace("--id …", f"--id {self.run_ids[-1]}")
        if match := re.fullmatch(r"export (\w+)=(.*)", line):
            self.env[match[1]] = self.shell(f"printf %s {match[2]}").stdout.strip()
        elif match := re.fullmatch(r"unset (\w+)", line):
            self.env.pop(match[1], None)
        else:
            self.run(line)

    def run(self, line: str) -> None:
        result = self.shell(line)
        self.printed[line] = result.stdout + result.stderr
        self.tokens += TOKEN.findall(self.printed[line])
        if "workflow run list" in line:
            self.run_ids += UUID.findall(result.stdout)
        if result.returncode and line in EXPECTED_STATUS.get(result.returncode, ()) and line not in self.refused:
            self.refused.append(line)
            return
        assert result.returncode == 0, f"{line}\n{result.stdout}\n{result.stderr}"

    def shell(self, line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", line],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


@pytest.fixture
def reader(control_plane: ControlPlane, tmp_path: Path, project: Path) -> Reader:
    program = tmp_path / "bin" / "chainloop"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m chainloop_ci "$@"\n')
    program.chmod(0o755)
    repository = tmp_path / "hello"
    repository.mkdir()
    (repository / "README.md").write_text("# Hello\n")
    subprocess.run(["git", "init", "-q", str(repository)], check=True)
    env = {
        "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(project),
        "HOME": str(tmp_path),
        "CHAINLOOP_SIGNING_PASSWORD": "",
    }
    return Reader(control_plane, repository, env)


def test_the_walk_of_the_readme_ends_with_a_verified_attestation(reader: Reader, project: Path) -> None:
    section = SECTION.search((project / "README.md").read_text())
    assert section is not None
    for kind, text in BLOCK.findall(section[1]):
        if kind == "yaml":
            (reader.folder / "contract.yaml").write_text(text)
            continue
        for line in re.findall(r"^\$ (.*)$", text, re.MULTILINE):
            if not line.startswith(SKIPPED):
                reader.type(line)

    assert reader.refused == ["chainloop attestation push"]
    describe = next(text for line, text in reader.printed.items() if "run describe" in line)
    assert "success" in describe
    assert (reader.folder / "attestation.json").exists()


def test_every_relative_link_of_the_documents_leads_somewhere(project: Path) -> None:
    pages = [*project.glob("*.md"), *project.glob("docs/**/*.md"), *project.glob("examples/**/*.md")]
    broken = {
        f"{page.relative_to(project)}: {link}"
        for page in pages
        for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
        if not link.startswith(("http://", "https://", "mailto:")) and not (page.parent / link).exists()
    }

    assert broken == set()
