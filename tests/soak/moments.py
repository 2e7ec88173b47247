"""Moments at which a process is killed: by the clock, or just before one of its calls to the system.

The clock hits where a process spends its time; the calls are where it changes the world, so that between each two of
them it is stopped once (strace(1), «Tampering»).
"""

from __future__ import annotations

import functools
import random
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_NAMES = (
    "write",
    "writev",
    "pwrite64",
    "fsync",
    "fdatasync",
    "ftruncate",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "flock",
    "connect",
    "sendto",
    "sendmsg",
    "recvfrom",
    "exit_group",
)
# Not every machine has them all.
CALLS = ",".join(f"?{name}" for name in _NAMES)
"""The calls that change files, take locks or speak to others."""
END_SECONDS = 120
SLACK = 1.1
"""Moments reach a little beyond the end, since a command takes longer at times."""
_CALL = re.compile(r"([a-z0-9_]+)\(")
_LATER_SHARE = 2
"""The second half of a command is where it works; before that it loads its modules."""


@dataclass(frozen=True)
class Call:
    """A call to the system, counted among those of its name in one thread."""

    name: str
    number: int

    def __str__(self) -> str:
        return f"{self.name} {self.number}"

    def killing(self) -> str:
        """Return what has strace kill the process before it."""
        return f"inject=?{self.name}:signal=KILL:when={self.number}"


@dataclass(frozen=True)
class Moment:
    """When a process is killed; one of both is set."""

    seconds: float | None = None
    call: Call | None = None

    @property
    def kind(self) -> str:
        """Return what it is counted as."""
        return "clock" if self.call is None else "call"

    def __str__(self) -> str:
        return f"after {self.seconds:.3f} s" if self.call is None else f"before its {self.call}"


@dataclass(frozen=True)
class Span:
    """How long a command takes, and which of `CALLS` it makes, when nobody kills it."""

    seconds: float
    calls: tuple[Call, ...]

    def choose(self, rng: random.Random) -> Moment:
        """Return a moment: half of them by the clock, half by the calls where calls can be watched."""
        if self.calls and rng.random() < 0.5:
            return Moment(call=rng.choice(self.calls))
        begin = self.seconds / _LATER_SHARE if rng.random() < 0.5 else 0.0
        return Moment(seconds=rng.uniform(begin, self.seconds * SLACK))


@dataclass(frozen=True)
class Ended:
    """What became of a process."""

    status: int
    stdout: str
    stderr: str

    @property
    def was_killed(self) -> bool:
        """Tell whether the moment came before the end."""
        return self.status in (-9, 137)


@functools.cache
def can_watch_calls() -> bool:
    """Tell whether strace is here and may be used."""
    if shutil.which("strace") is None:
        return False
    tried = subprocess.run(
        ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"inject={CALLS}:signal=KILL:when=1", "true"],
        capture_output=True,
        check=False,
    )
    return tried.returncode in (-9, 137)


def measure(command: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None) -> tuple[float, Ended]:
    """Run a command to its end and return how long it took."""
    began = time.monotonic()
    ended = run(command, cwd=cwd, env=env)
    return time.monotonic() - began, ended


def list_calls(
    command: Sequence[str], log: Path, *, cwd: Path, env: Mapping[str, str] | None
) -> tuple[tuple[Call, ...], Ended]:
    """Run a command to its end and return which of `CALLS` its first thread makes; none where they cannot be seen."""
    if not can_watch_calls():
        return (), run(command, cwd=cwd, env=env)
    watched = ["strace", "-f", "-qq", "-o", str(log), "-e", f"trace={CALLS}", *command]
    ended = run(watched, cwd=cwd, env=env)
    lines = [line.split(maxsplit=1) for line in log.read_text(errors="replace").splitlines()]
    made: Counter[str] = Counter()
    calls = []
    for thread, what in lines:
        match = _CALL.match(what)
        if match and thread == lines[0][0]:
            made[match[1]] += 1
            calls.append(Call(match[1], made[match[1]]))
    return tuple(calls), ended


def run(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None, moment: Moment | None = None
) -> Ended:
    """Run a command until it ends, or until `moment`."""
    if moment and moment.call:
        command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", moment.call.killing(), *command]
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    limit = moment.seconds if moment and moment.seconds is not None else END_SECONDS
    try:
        stdout, stderr = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        process.kill()
        stdout, stderr = process.communicate()
    return Ended(process.returncode, stdout, stderr)


def kill_at_call(pid: int, call: Call, *, seconds: float) -> subprocess.Popen[bytes]:
    """Have a running process killed before its next such call, and return what watches it."""
    watching = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", call.killing(), "-p", str(pid)]
    return subprocess.Popen(
        ["timeout", "--signal=INT", str(seconds), *watching],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def python(module: str, *words: str | Path) -> list[str]:
    """Return the command that runs one of our programs."""
    return [sys.executable, "-m", module, *map(str, words)]
