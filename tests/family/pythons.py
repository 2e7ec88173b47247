"""A machine with nothing but the interpreters that a test puts there, and the three searches for one."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from chainloop_ci.cli.plugin_inputs import Plugin
from tests.conftest import PROJECT
from tests.family.gitlab_render import functions

BASH = shutil.which("bash") or "/bin/bash"
SHELL = shutil.which("sh") or "/bin/sh"
# What answers the question of the search: version, whether an environment can be made, the program.
FAKE = '#!/bin/sh\necho "{version} {can_make} {program}"\n'


@dataclass(frozen=True)
class Search:
    """What a search came to."""

    status: int
    python: str
    """The interpreter that is used; empty for none."""
    said: str


class Machine:
    """A machine, whose Python is looked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "bin"
        self.tool_cache = folder / "tools"
        for program in ("sort", "dirname", "tr"):
            self.put(self.path / program, Path(shutil.which(program) or "").resolve())

    def put(self, place: Path, target: Path) -> None:
        """Put a program at a place."""
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)

    def fake(self, place: Path, version: str, *, can_make: bool = True) -> Path:
        """Put a program there that says it is a Python of this version."""
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(FAKE.format(version=version, can_make="yes" if can_make else "no", program=place))
        place.chmod(0o755)
        return place

    def find(self, plugin: Plugin = Plugin.GITHUB, **env: str) -> Search:
        """Look for a Python as the plugin's installer does."""
        commands = {
            Plugin.GITHUB: [BASH, "--noprofile", "--norc", "-euo", "pipefail", "-c", OF_ACTIONS],
            Plugin.GITLAB: [SHELL, "-ec", OF_GITLAB],
            # Jenkins' goes on with the interpreter, and ours answers whatever it is asked.
            Plugin.JENKINS: [SHELL, str(PROJECT / "jenkins/resources/chainloop/python.sh")],
        }
        done = subprocess.run(
            commands[plugin],
            env={"PATH": str(self.path), "RUNNER_TOOL_CACHE": str(self.tool_cache), **env},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        # An annotation is printed to stdout.
        printed = done.stdout.strip() if done.returncode == 0 else ""
        python = printed.split(" ", 2)[-1] if plugin is Plugin.JENKINS else printed
        return Search(done.returncode, python, done.stdout + done.stderr)


OF_ACTIONS = f'. "{PROJECT}/actions/_shared/find_python.sh"; find_python; echo "$python"'
OF_GITLAB = functions() + '(chainloop_find_python; echo "$chainloop_python") || exit 1'
