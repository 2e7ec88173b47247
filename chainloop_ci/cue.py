"""Full CUE through the official `cue` executable, in a child process under limits (decision record 0010).

The child gets one file in a private folder, no stdin, none of our variables (so no token), no registry of modules and
no module of its own. Nothing of it outlives the call.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from chainloop_ci.contract.cue_report import SOURCE_NAME, explain
from chainloop_ci.contract.limits import MAX_CONTRACT_BYTES
from chainloop_ci.errors import ConfigInvalidError, ContractInvalidError, LimitExceededError
from chainloop_ci.records import record

VARIABLE = "CHAINLOOP_CUE"
"""Names the executable, when it is not the `cue` of PATH."""
_MAX_REPORT_BYTES = 256 * 1024
_MAX_FILE_BYTES = 16 * 1024 * 1024
_MIB = 1024 * 1024
_PRIVATE = 0o700
_EXPORT = ("export", "--all-errors", "--out", "json", SOURCE_NAME)
_TOO_MUCH = "write the contract with less to compute, or export it yourself: cue export --out json FILE > contract.json"
_MEMORY_WORDS = ("out of memory", "cannot allocate", "failed to reserve", "failed to allocate", "thread exhaustion")


@record
class CueLimits:
    """What one evaluation may take."""

    wall_seconds: float = 10.0
    cpu_seconds: int = 20
    """Of all threads together."""
    memory_bytes: int = 2048 * _MIB
    """Of address space; a Go program reserves some 700 MiB before it does anything."""
    output_bytes: int = MAX_CONTRACT_BYTES


def find_cue(env: Mapping[str, str], cwd: Path) -> Path | None:
    """Return the executable that `CHAINLOOP_CUE` names, else the `cue` of PATH; None when there is none.

    Relative entries of PATH are left out: the checkout of a pull request must not bring the program along (R21).

    Raises:
        ConfigInvalidError: `CHAINLOOP_CUE` names nothing that can be run.
    """
    named = env.get(VARIABLE, "").strip()
    is_path = bool(Path(named).parent.name) or Path(named).is_absolute() or named.startswith(".")
    found = shutil.which(str(cwd / named)) if named and is_path else _on_path(named or "cue", env)
    if named and found is None:
        raise ConfigInvalidError(
            f"{VARIABLE} names {named[:200]!r}, which is no program that can be run",
            hint="give the path of the cue executable, or leave the variable out to use the one on PATH",
        )
    return Path(found) if found else None


def _on_path(name: str, env: Mapping[str, str]) -> str | None:
    for entry in env.get("PATH", "").split(os.pathsep):
        if Path(entry).is_absolute() and (found := shutil.which(str(Path(entry) / name))):
            return found
    return None


def export_json(raw: bytes, program: Path, limits: CueLimits | None = None) -> bytes:
    """Return the JSON that the program makes of a CUE file.

    Raises:
        ContractInvalidError: it refuses the file; `findings` has every reason with line and column.
        LimitExceededError: it took longer, more memory or wrote more than `limits` allow.
        ConfigInvalidError: it cannot be started, or is not the cue program.
    """
    limits = limits or CueLimits()
    with tempfile.TemporaryDirectory(prefix="chainloop-cue-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / SOURCE_NAME).write_bytes(raw)
        # An empty one ends the search for a module in the folders above, which others may write to.
        (folder / "cue.mod").mkdir(mode=_PRIVATE)
        ended = _run(program, folder, limits)
    if ended.refused:
        raise LimitExceededError(f"the evaluation of the contract by cue {ended.refused}", hint=_TOO_MUCH)
    if ended.status != 0:
        raise _failure(ended, program)
    return ended.output


@record
class _Ended:
    status: int
    output: bytes
    report: str
    refused: str = ""
    """Which limit ended it."""


def _run(program: Path, folder: Path, limits: CueLimits) -> _Ended:
    process = _start(program, folder, limits)
    output = _Drain(process, process.stdout, limits.output_bytes)
    report = _Drain(process, process.stderr, _MAX_REPORT_BYTES)
    late = False
    try:
        process.wait(limits.wall_seconds)
    except subprocess.TimeoutExpired:
        late = True
    finally:
        if process.returncode is None:
            _kill(process)
            process.wait()
    if not (output.ends() and report.ends()):
        _kill(process)  # something that it started still holds the pipes
    return _Ended(process.returncode, output.read, report.text, _refused(process, output, report, limits, late))


def _refused(process: subprocess.Popen[bytes], output: _Drain, report: _Drain, limits: CueLimits, late: bool) -> str:
    if late:
        return f"was ended after {limits.wall_seconds:g} s"
    if output.is_full:
        return f"exports more than the {limits.output_bytes} bytes that a contract may have"
    if report.is_full:
        return f"writes more than {_MAX_REPORT_BYTES} bytes of errors"
    if process.returncode and process.returncode == -getattr(signal, "SIGXCPU", 0):
        return f"used more than {limits.cpu_seconds} s of computing time"
    if process.returncode and process.returncode == -getattr(signal, "SIGKILL", 0):
        return (
            f"was killed: it used more than {limits.cpu_seconds} s of computing time, or the machine has no memory left"
        )
    if process.returncode != 0 and any(word in report.text for word in _MEMORY_WORDS):
        return f"needs more than {limits.memory_bytes // _MIB} MiB of memory"
    return ""


def _start(program: Path, folder: Path, limits: CueLimits) -> subprocess.Popen[bytes]:
    options: dict[str, Any] = {"creationflags": 0x200} if sys.platform == "win32" else {"start_new_session": True}
    if sys.platform != "win32":
        # Safe here: no thread of ours runs while a contract is read.
        options["preexec_fn"] = lambda: _limit_child(limits)
    try:
        return subprocess.Popen(
            [str(program), *_EXPORT],
            cwd=folder,
            env=_environment(folder, limits),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **options,
        )
    except (OSError, subprocess.SubprocessError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise ConfigInvalidError(
            f"the cue program {program} cannot be started: {reason}",
            hint=f"check what `cue` is on PATH, or name another one with {VARIABLE}",
        ) from error


def _environment(folder: Path, limits: CueLimits) -> dict[str, str]:
    """Return all that the child gets to know of its surroundings."""
    own = {name: str(folder) for name in ("HOME", "USERPROFILE", "LOCALAPPDATA", "APPDATA", "TMPDIR", "TEMP", "TMP")}
    own |= {"CUE_CACHE_DIR": str(folder / "cache"), "CUE_CONFIG_DIR": str(folder / "config"), "CUE_REGISTRY": "none"}
    # Go collects harder before it meets the wall, and tells of its end in one line.
    own |= {"GOMEMLIMIT": str(limits.memory_bytes // 2), "GOTRACEBACK": "none", "NO_COLOR": "1"}
    if sys.platform == "win32":
        own |= {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}  # no program starts without
    return own


def _limit_child(limits: CueLimits) -> None:
    """Set the limits in the child, before the program begins."""
    if sys.platform != "win32":
        import resource

        wanted = [
            (resource.RLIMIT_CPU, limits.cpu_seconds),
            (resource.RLIMIT_FSIZE, _MAX_FILE_BYTES),
            (resource.RLIMIT_CORE, 0),
        ]
        if sys.platform == "linux":
            # Elsewhere it is not kept to, or refuses what a Go program reserves.
            wanted.append((resource.RLIMIT_AS, limits.memory_bytes))
        for name, value in wanted:
            hard = resource.getrlimit(name)[1]
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(name, (value, value))


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the child and all that it started."""
    try:
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # it ended by itself meanwhile


class _Drain(threading.Thread):
    """Reads one pipe up to a limit; what writes more is ended."""

    def __init__(self, process: subprocess.Popen[bytes], pipe: IO[bytes] | None, limit: int) -> None:
        super().__init__(daemon=True)
        self._process, self._pipe, self._limit = process, pipe, limit
        self.read = b""
        self.is_full = False
        self.start()

    @property
    def text(self) -> str:
        return self.read.decode("utf-8", "replace")

    def run(self) -> None:
        if self._pipe is None:
            return
        with self._pipe as pipe:
            self.read = pipe.read(self._limit + 1)
        self.is_full = len(self.read) > self._limit
        if self.is_full and self._process.poll() is None:
            _kill(self._process)

    def ends(self) -> bool:
        self.join(1.0)
        return not self.is_alive()


def _failure(ended: _Ended, program: Path) -> ContractInvalidError | ConfigInvalidError:
    explained = explain(ended.report)
    if explained is not None:
        return explained
    said = next((line.strip() for line in ended.report.splitlines() if line.strip()), "nothing")
    shown = "".join(character if character.isprintable() else "?" for character in said[:200])
    return ConfigInvalidError(
        f"the program {program} ended with {ended.status} and said: {shown}",
        hint=f"check that it is cue (`cue version`), or name another one with {VARIABLE}",
    )
