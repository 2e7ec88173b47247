"""A repository with one workflow, run by act (github.com/nektos/act) without containers.

act runs the steps of a job as processes of this machine and writes its log as JSON, one line for each event. Sources:
its documentation, and its behaviour as the tests see it.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
ACTION_FILES = ("action.yml", "actions", "chainloop_ci", "requirements/client.txt")
"""What a job downloads and uses of this repository."""
TIMEOUT_SECONDS = 300
BASH = """#!/bin/sh
# act closes the terminal of a step at the moment it fails, whether or not it has read what the step printed.
{bash} "$@"
ended=$?
[ "$ended" -eq 0 ] || sleep 0.5
exit "$ended"
"""
ORIGIN = "https://github.com/acme/widget.git"
WORKFLOW = ".github/workflows/build.yml"
STORED = "The attestation is stored and verified, and everything that its contract requires is there."
"""How the summary of a step begins that has stored one."""
LEVELS = ("error", "warning", "notice")
CHECKOUT = {"uses": "actions/checkout@v4"}
"""act has a checkout of its own: it copies the work tree."""


def workflow(*steps: Mapping[str, Any], on: str = "push", env: Mapping[str, str] | None = None, **job: Any) -> str:
    """Return a workflow with one job, `build`, that checks out and runs `steps`."""
    built = {"runs-on": "ubuntu-latest", **job, "steps": [CHECKOUT, *steps]}
    return yaml.safe_dump({"name": "build", "on": on, "env": dict(env or {}), "jobs": {"build": built}})


def copy_action(target: Path) -> Path:
    """Copy the action as a job gets it into a folder."""
    for name in ACTION_FILES:
        source, place = ROOT / name, target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, place)
    return target


@dataclass(frozen=True)
class Step:
    """One line of the log that tells how a step ended."""

    job: str
    name: str
    result: str


@dataclass
class Run:
    """What act did."""

    status: int
    lines: list[dict[str, Any]]
    stderr: str

    @property
    def steps(self) -> list[Step]:
        """Return the steps of the workflow that ended, in their order; without those inside of composite actions."""
        return [
            Step(str(line.get("job", "")), str(line.get("step", "")), str(line["stepResult"]))
            for line in self.lines
            if "stepResult" in line and line.get("stage") == "Main" and len(line["stepID"]) == 1
        ]

    def result_of(self, name: str) -> str:
        """Return how the step of this name ended: success, failure, skipped."""
        return next(step.result for step in reversed(self.steps) if step.name.endswith(name))

    @property
    def log(self) -> str:
        """Return what the steps printed."""
        return "".join(f"{line['msg']}\n" for line in self.lines if line.get("raw_output"))

    def commands(self, name: str) -> list[dict[str, Any]]:
        """Return the workflow commands of a kind that act obeyed: error, warning, add-mask, summary, …"""
        return [line for line in self.lines if line.get("command") == name]

    @property
    def verdicts(self) -> list[str]:
        """Return the first sentence of each summary, in order; act shows one again when a composite action ends."""
        found = [str(line["content"]) for line in self.commands("summary")]
        return [text.split("**")[1] for text in dict.fromkeys(found)]

    @property
    def annotations(self) -> list[tuple[str, str]]:
        """Return level and first line of the annotations."""
        every = [(line["command"], str(line["arg"])) for line in self.lines if line.get("command") in LEVELS]
        return [(level, text.splitlines()[0]) for level, text in every]

    @property
    def everything(self) -> str:
        """Return the whole log, for messages of failed assertions."""
        return "\n".join(str(line.get("msg", line)) for line in self.lines) + self.stderr


@dataclass
class Repository:
    """A git repository of somebody's, and the folder that act keeps between runs."""

    folder: Path
    cache: Path
    env: dict[str, str] = field(default_factory=dict)
    """Variables of every step."""
    secrets: dict[str, str] = field(default_factory=dict)
    local: dict[str, Path] = field(default_factory=dict)
    """Actions by `owner/repo@ref`, in place of the remote ones."""
    within: Callable[[Sequence[str]], list[str]] = list
    """Makes of a command one that runs it in another network."""

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.programs.mkdir(parents=True, exist_ok=True)
        bash = self.programs / "bash"
        if not bash.exists():
            # Whole at once: jobs of other tests may begin steps with it meanwhile.
            new = self.programs / f".bash-{os.getpid()}"
            new.write_text(BASH.format(bash=shlex.quote(shutil.which("bash") or "/bin/bash")), encoding="utf-8")
            new.chmod(0o755)
            new.replace(bash)
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("remote", "add", "origin", ORIGIN)

    @property
    def programs(self) -> Path:
        """Return the folder that jobs find programs in first."""
        return self.cache / "programs"

    def git(self, *words: str) -> str:
        """Run git in it."""
        who = ("-c", "user.name=Ana", "-c", "user.email=ana@example.com", "-c", "commit.gpgsign=false")
        done = subprocess.run(
            ("git", *who, *words), cwd=self.folder, capture_output=True, text=True, check=True, timeout=60
        )
        return done.stdout.strip()

    def commit(self, *, build: str, **files: str) -> str:
        """Write the workflow `build` and other files of the repository's root, commit them, and return the commit."""
        self.write(WORKFLOW, build)
        for name, text in files.items():
            self.write(name, text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", "Change")
        return self.git("rev-parse", "HEAD")

    def write(self, name: str, text: str) -> None:
        """Write a file of it."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def start(
        self, event: str = "push", *, document: Mapping[str, Any] | None = None, options: Sequence[str] = ()
    ) -> subprocess.Popen[str]:
        """Start the workflow for an event."""
        command = ["act", event, "--rm", "-P", "ubuntu-latest=-self-hosted", "--pull=false", "--no-cache-server"]
        command += ["--json", "-W", WORKFLOW]
        if document is not None:
            place = self.cache / f"event-{os.urandom(4).hex()}.json"
            place.write_text(json.dumps(document), encoding="utf-8")
            command += ["-e", str(place)]
        for name, value in self.env.items():
            command += ["--env", f"{name}={value}"]
        for name, value in self.secrets.items():
            command += ["-s", f"{name}={value}"]
        for name, path in self.local.items():
            command += ["--local-repository", f"{name}={path}"]
        return subprocess.Popen(
            self.within([*command, *options]),
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(
        self, event: str = "push", *, document: Mapping[str, Any] | None = None, options: Sequence[str] = ()
    ) -> Run:
        """Run the workflow to its end."""
        return finish(self.start(event, document=document, options=options))

    def _environment(self) -> dict[str, str]:
        kept = {"LANG": os.environ["LANG"]} if "LANG" in os.environ else {}
        return {
            **kept,
            "PATH": f"{self.programs}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.cache),
            "XDG_CACHE_HOME": str(self.cache),
            "ACT_DISABLE_VERSION_CHECK": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
        }


def finish(process: subprocess.Popen[str], seen: str = "") -> Run:
    """Wait for act and read its log; `seen` is what the caller has read of it."""
    try:
        stdout, stderr = process.communicate(timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return Run(process.returncode, list(_parse(seen + stdout)), stderr)


def _parse(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            yield {"msg": line}
