"""Space that is kept back on the disk of the data folder: what ends a token or frees space works when it is full (R8).

A file that holds nothing. It goes in pieces, so that what others write into the space of one piece leaves the next for
whatever has to be done after it. Any process may make it, shrink it or be killed while it does: a file that is too
short is a reserve too, and the next one makes it whole.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from server.errors import StoreFullError

T = TypeVar("T")

RESERVE_NAME = "disk-reserve"
RESERVE_BYTES = 8 * 1024 * 1024
PIECE_BYTES = 2 * 1024 * 1024
"""What is given up at a time: more than a transaction of the largest batch writes to the database's log."""


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


class DiskReserve:
    """The reserve of one data folder."""

    def __init__(self, data: Path, free_bytes: Callable[[Path], int] = _free_bytes) -> None:
        self._path = data / RESERVE_NAME
        self._free_bytes = free_bytes

    def keep(self) -> bool:
        """Make it, or make it whole, where its size again stays free; tell whether it is whole. Fails never."""
        try:
            if self._size() >= RESERVE_BYTES:
                return True
            if self._free_bytes(self._path.parent) < 2 * RESERVE_BYTES:
                return False
            self._allocate()
        except OSError:
            # No more than a precaution: whoever writes next is told what is wrong with the disk.
            return False
        return True

    def give_up(self) -> bool:
        """Free a piece of it; False: there is none left."""
        try:
            with self._open(0) as descriptor:
                rest = max(os.fstat(descriptor).st_size - PIECE_BYTES, 0)
                os.ftruncate(descriptor, rest)
                if not rest:
                    self._path.unlink(missing_ok=True)
                # File systems hand freed blocks out again only when they have written down that they are free.
                os.fsync(descriptor)
        except OSError:
            return False
        return True

    def insist(self, act: Callable[[], T]) -> T:
        """Do what must be possible on a full disk: repeat it with the space of one piece after the other.

        `act` changes nothing when it finds the disk full. Without a reserve it is repeated once: another process may
        just have given up the last of it.

        Raises:
            StoreFullError: all of the reserve was not enough.
        """
        is_left = True
        while is_left:
            try:
                return act()
            except StoreFullError:
                is_left = self.give_up()
        return act()

    def _size(self) -> int:
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0

    def _allocate(self) -> None:
        with self._open(os.O_CREAT) as descriptor:
            # A file of a length alone takes no space.
            os.posix_fallocate(descriptor, 0, RESERVE_BYTES)

    @contextmanager
    def _open(self, flags: int) -> Iterator[int]:
        """Open it for one process at a time; that one lets go of it however it ends."""
        descriptor = os.open(self._path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)
