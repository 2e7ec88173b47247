"""The command line as users have it: the console script's way, one process a call, and what it needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent

SERVER_PYTHON = os.environ.get("CHAINLOOP_BENCH_PYTHON") or sys.executable
"""Runs the servers, ours and the bare one: from an environment that has what a server needs and nothing else."""

LAUNCHER = "import sys\nfrom chainloop_ci.__main__ import main\nif __name__ == '__main__':\n    sys.exit(main())\n"
"""What an installer writes for an entry point."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What one process needed."""

    milliseconds: float
    peak_mib: float


class Program:
    """`chainloop` in a folder of its own, with an environment of its own."""

    def __init__(self, folder: Path, env: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self._launcher = folder / "launcher"
        self._launcher.write_text(LAUNCHER)
        self.env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(PROJECT),
            "CHAINLOOP_LOCAL_STATE_PATH": str(folder / "state.json"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            **(env or {}),
        }

    def words(self, *words: str | Path) -> list[str]:
        """Return a whole command line."""
        return [sys.executable, str(self._launcher), *map(str, words)]

    def __call__(self, *words: str | Path) -> None:
        """Run one command, which must succeed."""
        self.said(*words)

    def said(self, *words: str | Path) -> str:
        """Run one command, which must succeed, and return its log."""
        done = subprocess.run(self.words(*words), cwd=self.folder, env=self.env, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"chainloop {' '.join(map(str, words))} ended with {done.returncode}: {done.stderr}")
        return done.stderr

    def usage(self, *words: str | Path) -> Usage:
        """Run one command, which must succeed, and say what it needed."""
        return run_measured(self.words(*words), self.folder, self.env)


def run_measured(words: list[str], folder: Path, env: Mapping[str, str] | None = None) -> Usage:
    """Run a program, which must succeed, and say what it needed."""
    meter = _meter()
    asked = {"words": words, "folder": str(folder), "env": None if env is None else dict(env)}
    print(json.dumps(asked), file=meter.stdin, flush=True)
    found = json.loads(meter.stdout.readline() if meter.stdout else "")
    if found["exit"]:
        raise RuntimeError(f"{words[:3]} ended with {found['exit']}")
    return Usage(found["milliseconds"], found["peak_mib"])


@cache
def _meter() -> subprocess.Popen[str]:
    """Start the process that starts what is measured; it ends with this one."""
    place = Path(__file__).with_name("meter.py")
    words = [sys.executable, "-S", "-E", str(place)]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
