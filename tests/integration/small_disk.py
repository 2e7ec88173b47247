"""A disk of a few MiB (tmpfs) that a test may fill, or the reason why there is none."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

_BLOCK = bytes(64 * 1024)


@dataclass(frozen=True)
class SmallDisk:
    """A mounted tmpfs."""

    folder: Path

    def fill(self) -> None:
        """Take every byte that is left."""
        with contextlib.suppress(OSError), (self.folder / "ballast").open("ab", buffering=0) as file:
            while True:
                file.write(_BLOCK)

    def fill_names(self) -> None:
        """Take every file that may still be made."""
        (self.folder / "names").mkdir()
        with contextlib.suppress(OSError):
            for number in range(1_000_000):
                (self.folder / "names" / str(number)).touch()

    def free(self) -> None:
        """Give it back."""
        (self.folder / "ballast").unlink(missing_ok=True)
        if (self.folder / "names").is_dir():
            for path in (self.folder / "names").iterdir():
                path.unlink()
            (self.folder / "names").rmdir()


@contextlib.contextmanager
def small_disk(folder: Path, size: str = "24m", names: int = 600) -> Iterator[SmallDisk]:
    """Mount a disk of its own; the test is skipped where that is not allowed, and fails where all is required."""
    folder.mkdir(mode=0o700)
    options = f"size={size},nr_inodes={names},mode=0700"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        reason = f"needs a small disk of its own: {mounted.stderr.strip()}"
        if os.environ.get("CHAINLOOP_TEST_REQUIRE") == "all":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
