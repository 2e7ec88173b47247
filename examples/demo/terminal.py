"""Running the demo's commands so that a reader sees what was typed and what came back."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


class DemoError(Exception):
    """A step of the demo did not do what it should."""


@dataclass
class Terminal:
    """A shell-like runner with its own environment."""

    folder: Path
    path: Path
    """Folder of the programs of the project's environment; put before PATH."""
    env: dict[str, str] = field(default_factory=dict)

    def say(self, text: str) -> None:
        """Print one line of the story."""
        print(f"\n# {text}", flush=True)

    def run(
        self,
        *command: str | Path,
        env: Mapping[str, str] | None = None,
        status: int = 0,
        show: bool = True,
        shown_as: str | None = None,
    ) -> str:
        """Run a command and return what it printed on stdout.

        Raises:
            DemoError: it ended with another exit status than `status`.
        """
        words = [str(word) for word in command]
        if show:
            print(f"$ {shown_as or shlex.join(words)}", flush=True)
        result = subprocess.run(
            words,
            cwd=self.folder,
            env={**_inherited(), "PATH": f"{self.path}{os.pathsep}{os.environ['PATH']}", **self.env, **(env or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        if show:
            _print_indented(result.stdout)
        if show or result.returncode != status:
            _print_indented(result.stderr)
        if result.returncode != status:
            raise DemoError(f"{shlex.join(words)}: expected exit status {status}, found {result.returncode}")
        if status:
            print(f"  (exit status {status}, as expected)", flush=True)
        return result.stdout


def _inherited() -> dict[str, str]:
    """Return what the demo's commands may see of the caller's environment: no CI facts, no settings of chainloop."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TERM", "SSL_CERT_FILE", "SYSTEMROOT")
    return {name: os.environ[name] for name in kept if name in os.environ}


def _print_indented(text: str) -> None:
    lines = text.rstrip("\n").splitlines()
    for line in lines:
        sys.stdout.write(f"  {line}\n")
    sys.stdout.flush()
