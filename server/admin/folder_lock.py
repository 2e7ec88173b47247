"""One server for each data folder: two would hand out the same work twice and sweep each other's files."""

from __future__ import annotations

import fcntl
import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from chainloop_ci.errors import ConfigInvalidError, ConflictError
from server.config import ServerConfig

LOCK_NAME = "in-use.lock"
MAX_HOLDER_BYTES = 200
ORPHANS_SECONDS = 10.0
"""All that was forked by a master that was killed notices it within a second, and ends."""
PAUSE_SECONDS = 0.05

_HOLDER = re.compile(r"process ([0-9]{1,10}) ")


@contextmanager
def hold_folder(config: ServerConfig, use: str, *, pause: Callable[[float], None] = time.sleep) -> Iterator[None]:
    """Keep others from serving or migrating the data folder; `use` is what they are told.

    The lock ends with this process and those that it forked, however they end: the file only names its holder. When
    that one was killed, those that it forked are waited for.

    Raises:
        ConflictError: another process has it; names that process, or the one that was killed.
        ConfigInvalidError: something else lies in the place of the lock.
    """
    with _open_lock(config) as file:
        end = time.monotonic() + ORPHANS_SECONDS
        while not _try_lock(file):
            holder = _read_holder(file)
            is_gone = _is_gone(holder)
            if not is_gone or time.monotonic() >= end:
                raise _in_use(config, holder, is_gone=is_gone)
            pause(PAUSE_SECONDS)
        if not _is_in_place(file, config):
            # Its holder removed it after we had opened it: whoever comes next would lock another one.
            with hold_folder(config, use, pause=pause):
                yield
            return
        _write_holder(file, config, use)
        yield


def _in_use(config: ServerConfig, holder: str, *, is_gone: bool) -> ConflictError:
    hint = "stop that one first, or choose another folder with CHAINLOOP_DATA (make serve: DATA=)"
    if is_gone:
        holder = f"what {holder} has started; that process itself has ended, or runs in another container"
        hint = f"`fuser {config.data / LOCK_NAME}` tells which processes hold it here: stop those first"
    return ConflictError(f"the data folder {config.data} is in use by {holder or 'another process'}", hint=hint)


def _open_lock(config: ServerConfig) -> BinaryIO:
    """Open the file of the lock; a link is not followed: what is written there would be cut off."""
    path = config.data / LOCK_NAME
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    except OSError as error:
        raise _unusable(path, error.strerror or "") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _unusable(path, "it is no ordinary file")
    return os.fdopen(descriptor, "a+b")


def _unusable(path: Path, why: str) -> ConfigInvalidError:
    hint = "look who may write to the data folder, remove the file when no server runs, and start again"
    return ConfigInvalidError(f"the lock {path} cannot be used: {why}", hint=hint)


def _try_lock(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_in_place(file: BinaryIO, config: ServerConfig) -> bool:
    """Tell whether the file that was opened is the one that others open now."""
    try:
        found = (config.data / LOCK_NAME).lstat()
    except FileNotFoundError:
        return False
    return os.path.samestat(found, os.fstat(file.fileno()))


def _read_holder(file: BinaryIO) -> str:
    file.seek(0)
    return file.read(MAX_HOLDER_BYTES).decode(errors="replace").strip()


def _write_holder(file: BinaryIO, config: ServerConfig, use: str) -> None:
    try:
        file.truncate(0)
        file.write(f"process {os.getpid()} ({use})\n".encode())
        file.flush()
    except OSError:
        # The disk is full. A folder that was new is empty again, for whoever made it to remove.
        (config.data / LOCK_NAME).unlink(missing_ok=True)
        raise


def _is_gone(holder: str) -> bool:
    """Tell whether the process that wrote its name has ended; only others that it forked can hold the lock then."""
    named = _HOLDER.match(holder)
    if named is None:
        return False
    try:
        os.kill(int(named[1]), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False  # somebody else's, or no number of a process at all
    return False
