"""One server for each data folder: two would hand out the same work twice and sweep each other's files."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from chainloop_ci.errors import ConflictError
from server.config import ServerConfig

LOCK_NAME = "in-use.lock"
MAX_HOLDER_BYTES = 200


@contextmanager
def hold_folder(config: ServerConfig, use: str) -> Iterator[None]:
    """Keep others from serving or migrating the data folder; `use` is what they are told.

    The lock ends with this process and those that it forked, however they end: the file itself says nothing.

    Raises:
        ConflictError: another process has it; names that process.
    """
    with (config.data / LOCK_NAME).open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read(MAX_HOLDER_BYTES).decode(errors="replace").strip()
            raise ConflictError(
                f"the data folder {config.data} is in use by {holder or 'another process'}",
                hint="stop that one first, or choose another folder with CHAINLOOP_DATA (make serve: DATA=)",
            ) from None
        file.truncate(0)
        file.write(f"process {os.getpid()} ({use})\n".encode())
        file.flush()
        yield
