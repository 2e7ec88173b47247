"""`chainloop attestation add` of 1 GiB, against `openssl dgst -sha256` and then `curl -T` to the same server.

Every transfer has bytes that were never sent before, and who begins changes with each round. What the server keeps of
it is removed at once: it would be sixteen GiB. Goal: at most the anchor's time.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from bench.command import Program
from bench.files import MIB, write_random
from bench.harness import Row, Settings, measure, row
from bench.plane import Plane, control_plane

SIZE_BYTES = 1024 * MIB


def run(settings: Settings) -> list[Row]:
    """Return the row."""
    with control_plane() as plane:
        chainloop = plane.program("job")
        big = _Big(plane, chainloop.folder / "big.bin")
        chainloop("attestation", "init", "--project", "bench", "--workflow", "build")
        ours = big.timed(lambda number: _add(chainloop, big.path, number))
        theirs = big.timed(lambda _: _hash_and_send(plane, big.path))
        pairs = measure(settings.rounds(7), ours, theirs)
    return [row("add-1gib", "attestation add of 1 GiB / openssl dgst, then curl -T", 1.0, pairs)]


class _Big:
    """A file that is another one each time it is sent."""

    def __init__(self, plane: Plane, path: Path) -> None:
        self.path = write_random(path, SIZE_BYTES)
        self._blobs = plane.folder / "data" / "blobs"
        self._numbers = iter(range(1_000_000))

    def timed(self, send: Callable[[int], None]) -> Callable[[], float]:
        """Return a function that changes the file, sends it and says how many milliseconds the sending took."""

        def timed() -> float:
            number = next(self._numbers)
            with self.path.open("r+b") as file:
                file.write(number.to_bytes(8, "big"))
            start = time.perf_counter()
            send(number)
            took = 1000 * (time.perf_counter() - start)
            self._forget()
            return took

        return timed

    def _forget(self) -> None:
        """Remove the one blob of this size that the server must have by now."""
        blobs = [path for path in self._blobs.rglob("*") if path.is_file() and path.stat().st_size == SIZE_BYTES]
        if len(blobs) != 1:
            raise RuntimeError(f"expected one new blob of {SIZE_BYTES} bytes on the server, found {len(blobs)}")
        blobs[0].unlink()


def _add(chainloop: Program, path: Path, number: int) -> None:
    chainloop("attestation", "add", "--name", f"big-{number}", "--kind", "ARTIFACT", "--value", path)


def _hash_and_send(plane: Plane, path: Path) -> None:
    done = subprocess.run(["openssl", "dgst", "-sha256", "-r", path], check=True, capture_output=True, text=True)
    digest = done.stdout.split()[0]
    headers = ["-H", f"Authorization: Bearer {plane.admin_token}", "-H", "Content-Type: application/octet-stream"]
    address = f"{plane.url}/api/v1/artifacts/sha256:{digest}"
    subprocess.run(["curl", "--fail", "-sS", *headers, "-T", path, address], check=True, capture_output=True)
