"""Small files that somebody names in an option or a variable: keys, passwords, certificates, settings (R22).

What is read is decided by what a file *is* once it is open, not by its name: ordinary files, and pipes, so that
`--key <(vault kv get …)` works. A pipe is read up to a size and a deadline; devices, sockets and what lies in `/proc`
or `/sys` (`/proc/self/environ` holds every secret of the job) are refused.
"""

from __future__ import annotations

import os
import stat
import time
from contextlib import suppress
from dataclasses import field
from pathlib import Path

from chainloop_ci.errors import FileUnreadableError, PathRefusedError
from chainloop_ci.records import record

PIPE_SECONDS = 15.0
"""Longest wait for the other end of a pipe in all; with start and end of the process a command stays under 20 s."""
MACHINE_FOLDERS = ("/proc", "/sys")
"""Their files are made up by the kernel: of the machine, or of other processes."""
# O_NONBLOCK: opening a named pipe must not wait for somebody who writes into it. Windows has none of these.
READ_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_CLOEXEC", 0)
)
"""For `os.open` of a file that somebody named."""


@record
class SmallFile:
    """What was read."""

    raw: bytes = field(repr=False)
    """At most one byte more than the limit: the caller says what is too much."""
    mode: int
    """As `stat` gives it."""


def read_small_file(path: Path, what: str, limit_bytes: int, *, pipe_seconds: float = PIPE_SECONDS) -> SmallFile:
    """Return up to `limit_bytes` + 1 bytes of a file; `what` names its purpose in messages (`the signing key`).

    Raises:
        FileUnreadableError: missing (its cause is a FileNotFoundError), a folder, not readable, or a pipe whose other
            end did not finish in time.
        PathRefusedError: a device, a socket, or a file of `/proc` or `/sys`.
    """
    named = f"{what} {str(path)!r}"
    try:
        # A device may do something when it is opened.
        _require_kind(path.stat().st_mode, named)
        descriptor = os.open(path, READ_FLAGS)
        try:
            facts = os.fstat(descriptor)
            _require_kind(facts.st_mode, named)
            _require_no_machine_file(facts, named)
            raw = _read(descriptor, facts.st_mode, named, limit_bytes + 1, pipe_seconds)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise FileUnreadableError(f"{named} cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # a NUL character
        raise FileUnreadableError(f"{named} cannot be read: it is no path") from error
    return SmallFile(raw, facts.st_mode)


def _require_kind(mode: int, named: str) -> None:
    if stat.S_ISDIR(mode):
        raise FileUnreadableError(f"{named} cannot be read: it is a folder", hint="give the path of a file")
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
        raise PathRefusedError(
            f"{named} is a device or a socket: only files and pipes are read",
            hint="write the content to a file that only you can read, or use process substitution: <(command)",
        )


def _require_no_machine_file(facts: os.stat_result, named: str) -> None:
    """Refuse what the kernel makes up, under whatever name it was reached: a link, `/dev/fd/3`, another mount."""
    if not stat.S_ISREG(facts.st_mode):
        return
    for folder in MACHINE_FOLDERS:
        with suppress(OSError):
            if Path(folder).stat().st_dev == facts.st_dev and os.path.ismount(folder):
                raise PathRefusedError(
                    f"{named} is a file of {folder}: nothing is read from there",
                    hint="write the content to a file that only you can read",
                )


def _read(descriptor: int, mode: int, named: str, size: int, pipe_seconds: float) -> bytes:
    """Read until the end, `size` bytes or the deadline."""
    ends = time.monotonic() + pipe_seconds
    got = b""
    while len(got) < size:
        if stat.S_ISFIFO(mode) and not _is_ready(descriptor, ends - time.monotonic()):
            raise FileUnreadableError(
                f"{named} is a pipe, and what writes into it did not finish in {pipe_seconds:g} s",
                hint="check the command behind it, or write its output to a file first",
            )
        block = os.read(descriptor, size - len(got))
        if not block:
            break
        got += block
    return got


def _is_ready(descriptor: int, seconds: float) -> bool:
    """Wait until there is something to read, or the end."""
    import select

    return bool(select.select([descriptor], [], [], max(seconds, 0))[0])
