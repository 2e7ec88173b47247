"""Plays pipelines with the steps of `jenkins/`: all of a test run in one start of Maven, which takes the longest."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.family.gitlab import install_command, programs_without

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "jenkins"
PROJECT = ROOT / "tests" / "family" / "jenkins"
TIMEOUT_SECONDS = 1_800
OF_JENKINS = {
    "JENKINS_URL": "https://jenkins.test/",
    "BUILD_URL": "https://jenkins.test/job/hello/7/",
    "JOB_NAME": "hello",
    "BUILD_NUMBER": "7",
    "NODE_NAME": "agent-1",
    "GIT_COMMIT": "8a5edab282632443219e051e4ade2d1d5bbc671c",
    "GIT_BRANCH": "origin/main",
    "LANG": "C.UTF-8",
}
"""What an agent's environment has, source: Jenkins handbook, «Using environment variables»."""


def libraries() -> Path:
    """Return the folder of the Maven project's libraries, which `.ci/install-tools` fills."""
    tools = Path(os.environ.get("CHAINLOOP_TOOLS") or Path.home() / ".cache" / "chainloop-tools")
    return tools / "maven" / hashlib.sha256((PROJECT / "pom.xml").read_bytes()).hexdigest()[:16]


def require_libraries() -> None:
    """Skip the test without them; fail it where everything is required."""
    if not libraries().is_dir():
        reason = f"needs the libraries of tests/family/jenkins/pom.xml in {libraries()} (`make tools` fetches them)"
        (pytest.fail if os.environ.get("CHAINLOOP_TEST_REQUIRE") == "all" else pytest.skip)(reason)


@dataclass(frozen=True)
class Ending:
    """How a pipeline ended, and what its log says; nothing in it is masked."""

    result: str
    log: str
    type: str
    message: str
    trace: str
    workspace: Path


@dataclass
class Build:
    """One build of a pipeline: what it runs, on which agent, with which credentials of the controller."""

    pipeline: str
    env: dict[str, str] = field(default_factory=dict)
    credentials: dict[str, dict[str, str]] = field(default_factory=dict)
    unix: bool = True
    result: str = "SUCCESS"
    """What the build's result is when the steps ask for it."""
    serializable: bool = True
    files: dict[str, bytes] = field(default_factory=dict)
    """In the workspace from the beginning."""
    sources: dict[str, bytes] = field(default_factory=dict)
    """What `checkout scm` brings into a workspace."""


class Controller:
    """Collects builds and plays them."""

    def __init__(self, folder: Path, within: Callable[[Sequence[str]], list[str]] = list) -> None:
        """`within` makes of a command one that runs it in another network."""
        self.folder = folder
        self._within = within
        self.builds = folder / "builds"
        self.builds.mkdir()
        self.system = programs_without(folder / "system", "python", "pip", "chainloop")
        """Programs of an agent without Python."""
        self.command = install_command(folder / "command")
        """Where an agent has the command."""

    def folder_of(self, name: str) -> Path:
        """Return the folder of a build."""
        return self.builds / name

    def add(self, name: str, build: Build) -> None:
        """Write a build down."""
        folder = self.folder_of(name)
        (folder / "sources").mkdir(parents=True)
        for where, files in (("workspace", build.files), ("sources", build.sources)):
            for path, content in files.items():
                place = folder / where / path
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content)
        home = folder / "home"
        home.mkdir(parents=True)
        (folder / "pipeline.groovy").write_text(
            f"def pipeline() {{\n    return {{\n{build.pipeline}\n    }}\n}}\n", encoding="utf-8"
        )
        env = {**OF_JENKINS, "PATH": f"{self.command}:{self.system}", "HOME": str(home), **build.env}
        facts = {
            "env": env,
            "credentials": build.credentials,
            "unix": build.unix,
            "result": build.result,
            "serializable": build.serializable,
        }
        (folder / "facts.json").write_text(json.dumps(facts), encoding="utf-8")

    def play(self) -> Mapping[str, Ending]:
        """Play all builds and return their endings.

        Raises:
            AssertionError: a pipeline could not be played at all.
        """
        project = self.folder / "project"
        shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("target"))
        words = ["mvn", "-o", "-q", "-B", f"-Dmaven.repo.local={libraries()}", "test"]
        settings = f"-Dpipelines={self.builds} -Dlibrary={LIBRARY}"
        done = subprocess.run(
            self._within([*words, f"-DargLine={settings}"]),
            cwd=project,
            # Without it Java would take the environment for ASCII.
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-8_000:]
        played = _played(project / "target" / "surefire-reports")
        assert played == {path.name for path in self.builds.iterdir()}, done.stdout[-8_000:]
        return {name: self._ending(name) for name in played}

    def _ending(self, name: str) -> Ending:
        folder = self.folder_of(name)
        found: dict[str, Any] = json.loads((folder / "ending.json").read_text(encoding="utf-8"))
        texts = {key: str(found.get(key) or "") for key in ("result", "log", "type", "message", "trace")}
        return Ending(**texts, workspace=folder / "workspace")


def _played(reports: Path) -> set[str]:
    names = set()
    for report in reports.glob("TEST-*.xml"):
        for case in ElementTree.parse(report).iter("testcase"):  # our own Maven has written it
            assert [child.tag for child in case if child.tag in ("failure", "error")] == [], case.get("name")
            names.add((case.get("name") or "").removeprefix("plays[").removesuffix("]"))
    return names
