"""A project on a GitLab that is not there: a repository with a pipeline, run by gitlab-ci-local.

What that runner does differently, and what is done about it here: it says `GITLAB_CI=false`, so the project's variables
say true; `image:` would need a container engine, so every job runs in a shell; with isolation it makes a job's folder
anew before `after_script`, so jobs share the checkout of a project that is used once.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "gitlab" / "templates" / "attestation.yml"
ORIGIN = "https://gitlab.test/acme/app.git"
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Pipeline:
    """What a pipeline did."""

    status: int
    log: str
    """Stdout and stderr of the runner, without colours."""

    @property
    def ran(self) -> set[str]:
        """Return the names of jobs that were started."""
        return set(re.findall(r"^(\S.*?) +starting shell", self.log, re.MULTILINE))

    def job(self, name: str) -> str:
        """Return the lines of one job's log."""
        lines = (line for line in self.log.splitlines() if line.split(" ", 1)[0] == name)
        return "\n".join(line.removeprefix(name).strip().removeprefix("> ") for line in lines)


@dataclass
class Project:
    """A throw-away checkout of a project, with the variables that are set for it."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)
    """As set in the project's settings: they win over the ones of jobs."""
    path: list[str] = field(default_factory=list)
    """Folders of programs that the image of each job has, before the system's."""
    system: str = "/usr/local/bin:/usr/bin:/bin"
    origin: str = ORIGIN
    within: Callable[[Sequence[str]], list[str]] = list
    """Makes of a command one that runs it in another network."""

    def write(self, name: str, text: str) -> None:
        """Write a file of the repository."""
        place = self.folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")

    def include(self, inputs: Mapping[str, Any] | None = None, jobs: Mapping[str, Any] | None = None) -> None:
        """Write a pipeline that includes the template by `local`, with inputs, and has more jobs."""
        self.write("templates/attestation.yml", TEMPLATE.read_text(encoding="utf-8"))
        entry = {"local": "templates/attestation.yml", "inputs": dict(inputs or {})}
        self.write_pipeline({"include": [entry], **(jobs or {})})

    def write_pipeline(self, document: Mapping[str, Any]) -> None:
        """Write the pipeline; texts that begin with !reference become that tag."""
        # Escaped: what breaks a line in YAML 1.1, which this writes, does not in 1.2, which the runner reads.
        text = yaml.safe_dump(dict(document), allow_unicode=False, sort_keys=False, width=10_000)
        self.write(".gitlab-ci.yml", re.sub(r"'!reference (\[[^']*\])'", r"!reference \1", text))

    def commit(self) -> None:
        """Make a commit of everything, as the runner's checkout has it."""
        if not (self.folder / ".git").exists():
            self._git("init", "--quiet", "--initial-branch", "main")
            self._git("remote", "add", "origin", self.origin)
        self.write(".git/info/exclude", ".gitlab-ci-local*\nchainloop-report/\n")
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "--message", "Build")
        self._git("update-ref", "refs/remotes/origin/main", "HEAD")
        self._git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")

    def environment(self) -> dict[str, str]:
        """Return the environment of the runner: nothing of the caller's CI."""
        node = Path(shutil.which("node") or "").parent
        home = self.folder.parent / "home"
        home.mkdir(exist_ok=True)
        author = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in _PERSON.items()}
        path = ":".join([*self.path, self.system])
        quiet = {"GCL_IGNORE_PREDEFINED_VARS": ",".join(_OF_THE_SERVER)}
        return {"PATH": path, "HOME": str(home), "TMPDIR": str(home), "NODE": str(node / "node"), **author, **quiet}

    def run(self, *words: str, variables: Mapping[str, str] | None = None, timeout_seconds: int = 120) -> Pipeline:
        """Commit and run the pipeline, or the jobs that are named."""
        self.commit()
        # GitLab Runner's own folder beside a job's checkout; the state of an attestation lies there.
        scratch = {"RUNNER_TEMP_PROJECT_DIR": f"{self.folder.parent}/scratch/$CI_JOB_ID"}
        project = {**_OF_THE_SERVER, **scratch, **self.variables, **(variables or {})}
        # Their type is said, else a value that begins with a slash would be taken for a file.
        typed = {name: {"type": "variable", "values": {"*": value}} for name, value in project.items()}
        self.write(".gitlab-ci-local-variables.yml", json.dumps(typed))
        env = self.environment()
        runner = Path(shutil.which("gitlab-ci-local") or "gitlab-ci-local").resolve()
        done = subprocess.run(
            self.within(
                [
                    env["NODE"],
                    str(runner),
                    "--force-shell-executor",
                    "--no-shell-isolation",
                    "--no-json-schema-validation",
                    *words,
                ]
            ),
            cwd=self.folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )
        return Pipeline(done.returncode, _COLOURS.sub("", done.stdout))

    def _git(self, *words: str) -> None:
        subprocess.run(["git", *words], cwd=self.folder, env=self.environment(), check=True, capture_output=True)


_PERSON = {"NAME": "Ana", "EMAIL": "ana@example.com"}
_OF_THE_SERVER = {
    "GITLAB_CI": "true",
    "CI_SERVER_URL": "https://gitlab.test",
    "CI_PIPELINE_URL": "https://gitlab.test/acme/app/-/pipelines/12",
    "CI_PROJECT_PATH": "acme/app",
    "CI_PROJECT_URL": "https://gitlab.test/acme/app",
    "CI_COMMIT_REF_PROTECTED": "true",
    "GITLAB_USER_LOGIN": "ana",
    "GITLAB_USER_EMAIL": "ana@example.com",
}


def install_command(folder: Path) -> str:
    """Put `chainloop` of this checkout into a folder of programs and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    command = folder / "chainloop"
    command.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -P -m chainloop_ci "$@"\n')
    command.chmod(0o755)
    return str(folder)


def programs_without(folder: Path, *names: str) -> str:
    """Return a folder with the system's programs, but those whose name begins with one of `names`."""
    folder.mkdir(parents=True)
    for place in ("/bin", "/usr/bin"):
        for program in os.scandir(place):
            if not program.name.startswith(names) and not (folder / program.name).is_symlink():
                (folder / program.name).symlink_to(program.path)
    return str(folder)
