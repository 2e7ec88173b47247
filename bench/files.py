"""Files to send."""

from __future__ import annotations

import os
from pathlib import Path

MIB = 1024 * 1024


def write_random(path: Path, size_bytes: int) -> Path:
    """Write a file that nobody can compress, and return its path."""
    with path.open("wb") as file:
        for begin in range(0, size_bytes, 16 * MIB):
            file.write(os.urandom(min(16 * MIB, size_bytes - begin)))
    return path


def write_sparse(path: Path, size_bytes: int) -> Path:
    """Make a file that reads as `size_bytes` bytes and takes no space, and return its path."""
    with path.open("wb") as file:
        file.truncate(size_bytes)
    return path
