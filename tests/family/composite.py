"""Runs the step of one of our composite actions as GitHub's runner does, without a runner.

It reads `action.yml`, works out the step's variables, runs its script with bash, and reads the files that a step may
write. Sources: GitHub Docs, "Metadata syntax", "Workflow commands"; the runner's `action_yaml.json`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import PROJECT

BASH = (shutil.which("bash") or "/bin/bash", "--noprofile", "--norc", "-e", "-o", "pipefail")
_EXPRESSION = re.compile(r"\$\{\{ (.*) \}\}", re.DOTALL)
_ENTRY = re.compile(
    r"(?P<name>[^=\n]+?)(?:=(?P<value>[^\n]*)|<<(?P<end>[^\n]+)\n(?P<text>.*?)\n?(?P=end))\n", re.DOTALL
)


@dataclass(frozen=True)
class Done:
    """What a step did."""

    status: int
    log: str
    outputs: dict[str, str]
    env: dict[str, str]
    """What it gave to later steps (GITHUB_ENV)."""
    path: str
    """What it put on PATH of later steps (GITHUB_PATH)."""
    summary: str


@dataclass
class Composite:
    """A job's machine, on which steps of our actions run."""

    folder: Path
    kept: Path
    """What the machine keeps between jobs (RUNNER_TOOL_CACHE)."""
    env: dict[str, str] = field(default_factory=dict)
    """Variables of the job."""
    action: Path = PROJECT
    """The checkout of the action."""
    job_status: str = "success"
    count: int = 0

    @property
    def workspace(self) -> Path:
        """Return the folder of the build."""
        return self.folder / "workspace"

    def __post_init__(self) -> None:
        for name in ("workspace", "temp", "commands"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.env.setdefault("CHAINLOOP_INSTALL_PYTHON", sys.executable)

    def run(self, command: str, inputs: Mapping[str, str] | None = None, *, timeout_seconds: int = 120) -> Done:
        """Run the action of a command with inputs."""
        home = self.action if command == "craft" else self.action / "actions" / command
        document: dict[str, Any] = yaml.safe_load((home / "action.yml").read_text(encoding="utf-8"))
        [step] = document["runs"]["steps"]
        given = {name: self._default(entry["default"]) for name, entry in document["inputs"].items()} | dict(
            inputs or {}
        )
        assert set(given) == set(document["inputs"]), set(given) - set(document["inputs"])
        variables = {name: evaluate(text, given, self.env) for name, text in step["env"].items()}
        files = self._files()
        script = self.folder / "commands" / "script.sh"
        script.write_text(step["run"], encoding="utf-8")
        done = subprocess.run(
            [*BASH, str(script)],
            cwd=self.workspace,
            env={**self._machine(), **self.env, **variables, **files, "GITHUB_ACTION_PATH": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout_seconds,
            check=False,
        )
        read = {name: Path(path).read_text(encoding="utf-8") for name, path in files.items()}
        return Done(
            done.returncode,
            done.stdout.decode("utf-8", "replace"),
            parse_file(read["GITHUB_OUTPUT"]),
            parse_file(read["GITHUB_ENV"]),
            read["GITHUB_PATH"],
            read["GITHUB_STEP_SUMMARY"],
        )

    def _default(self, text: str) -> str:
        """Return an input's default; a job without a matrix has no leg."""
        if text.startswith("${{ strategy."):
            return ""
        return self.job_status if text == "${{ job.status }}" else text

    def _files(self) -> dict[str, str]:
        """Return new files for what a step may tell its runner."""
        self.count += 1
        files = {
            name: self.folder / "commands" / f"{name.lower()}_{self.count}"
            for name in ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY", "GITHUB_STATE")
        }
        for path in files.values():
            path.write_text("")
        return {name: str(path) for name, path in files.items()}

    def _machine(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTOR": "ana",
            "GITHUB_EVENT_NAME": "push",
            "GITHUB_JOB": "build",
            "GITHUB_REF": "refs/heads/main",
            "GITHUB_REPOSITORY": "acme/widget",
            "GITHUB_REPOSITORY_OWNER": "acme",
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_RUN_ID": "1",
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_SHA": "0123456789abcdef0123456789abcdef01234567",
            "GITHUB_WORKSPACE": str(self.workspace),
            "RUNNER_ARCH": "X64",
            "RUNNER_NAME": "runner-1",
            "RUNNER_OS": "Linux",
            "RUNNER_TEMP": str(self.folder / "temp"),
            "RUNNER_TOOL_CACHE": str(self.kept),
        }


def evaluate(text: str, inputs: Mapping[str, str], env: Mapping[str, str]) -> str:
    """Return the value of a variable: the first of its alternatives that is not empty.

    Only the forms that our own metadata has; anything else is an error.
    """
    match = _EXPRESSION.fullmatch(text)
    if match is None:
        raise ValueError(f"expected one expression, found {text!r}")
    for part in match[1].split(" || "):
        value = _value(part, inputs, env)
        if value:
            return value
    return ""


def _value(part: str, inputs: Mapping[str, str], env: Mapping[str, str]) -> str:
    if part.startswith("inputs."):
        return inputs[part.removeprefix("inputs.")]
    if part.startswith("env."):
        return env.get(part.removeprefix("env."), "")
    return {"job.workflow_ref": ""}[part]


def parse_file(text: str) -> dict[str, str]:
    """Return the entries of GITHUB_OUTPUT or GITHUB_ENV; a line that is none is an error, as the runner has it."""
    found: dict[str, str] = {}
    place = 0
    while place < len(text):
        match = _ENTRY.match(text, place)
        if match is None:
            raise ValueError(f"neither NAME=VALUE nor NAME<<END: {text[place : place + 80]!r}")
        found[match["name"]] = match["value"] if match["value"] is not None else match["text"]
        place = match.end()
    return found
