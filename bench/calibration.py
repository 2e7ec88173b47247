"""What this machine does just now, so that figures of different hours can be told apart, and recorded ones compared."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

YARDSTICK_BYTES = 100 * 1000 * 1000
"""What `sha256sum` hashes as yardstick."""


class Yardstick:
    """`sha256sum` of 100 MB: how fast this machine is at a job that nobody here wrote.

    A figure recorded in another hour or on another machine is compared after each side is divided by its own yardstick.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "yardstick"
        with self._file.open("wb") as file:
            for _ in range(YARDSTICK_BYTES // 1_000_000):
                file.write(os.urandom(1_000_000))

    def seconds(self) -> float:
        """Return how long it takes now."""
        return _seconds(lambda: subprocess.run(["sha256sum", self._file], check=True, capture_output=True))


def calibrate() -> dict[str, float]:
    """Return the time of a few known jobs, in milliseconds, each the median of five."""
    with tempfile.TemporaryDirectory() as name:
        yardstick = Yardstick(Path(name))
        log = Path(name) / "log"
        return {
            "sha256sum of 100 MB, ms": 1000 * statistics.median(yardstick.seconds() for _ in range(5)),
            "python -c pass, ms": 1000 * statistics.median(_seconds(_start_python) for _ in range(5)),
            "4 KiB append with fsync, ms": 1000 * statistics.median(_seconds(lambda: _append(log)) for _ in range(50)),
        }


def _start_python() -> None:
    subprocess.run([sys.executable, "-c", "pass"], check=True)


def _append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(bytes(4096))
        file.flush()
        os.fsync(file.fileno())


def _seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start
