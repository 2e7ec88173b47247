"""How a report gets into its files: appended to those of the CI system, and in one step into those of our own."""

from __future__ import annotations

import os
from io import FileIO
from pathlib import Path

# What a file of the CI system is opened with: never made here, since its absence means that nobody would read it.
_APPEND = os.O_RDWR | os.O_APPEND | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
# Not blocking: a pipe in its place would never end.
_OLD = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)

_MAX_READ_BYTES = 1024 * 1024


def append(path: Path, text: str) -> None:
    """Append lines to a file of the CI system, below whatever stands there.

    Raises:
        OSError: it cannot be written, or is not there.
    """
    with os.fdopen(os.open(path, _APPEND), "r+b", buffering=0) as file:
        # A last line without its end would swallow our first one.
        before = b"\n" if _ends_inside_a_line(file) else b""
        file.write(before + text.encode("utf-8", "replace"))


def _ends_inside_a_line(file: FileIO) -> bool:
    try:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 1, 0))
        return file.read(1) not in (b"", b"\n")
    except OSError:  # a pipe or a terminal
        return False


def size_of(path: Path) -> int:
    """Return the size of a file in bytes; 0 when there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def read(path: Path) -> str:
    """Return what a file of ours says; no link in its place is followed, and of a huge one the beginning is enough.

    Raises:
        OSError: it cannot be read, or is not there.
    """
    with os.fdopen(os.open(path, _OLD), "rb") as file:
        return file.read(_MAX_READ_BYTES).decode("utf-8", "replace")


def replace(path: Path, text: str) -> None:
    """Write a file whole, in place of what is there; a link in its place is replaced, not followed.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    new.unlink(missing_ok=True)
    try:
        # For everybody who may read the workspace: the CI system collects it, often as another user.
        with os.fdopen(os.open(new, _NEW, 0o644), "wb") as file:
            file.write(text.encode("utf-8", "replace"))
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
