"""`chainloop attestation add` of 1 GiB, against `openssl dgst -sha256` and then `curl -T` to the same server.

Each upload is of the same bytes, which the server hashes and writes whole every time. Goal: at most the anchor's time.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from bench.command import Program
from bench.files import MIB, write_random
from bench.harness import Row, Settings, measure, milliseconds, row
from bench.plane import Plane, control_plane

SIZE_BYTES = 1024 * MIB


def run(settings: Settings) -> list[Row]:
    """Return the row."""
    with control_plane() as plane:
        chainloop = plane.program("job")
        big = write_random(chainloop.folder / "big.bin", SIZE_BYTES)
        chainloop("attestation", "init", "--project", "bench", "--workflow", "build")
        number = iter(range(1_000_000))
        ours = milliseconds(lambda: _add(chainloop, big, next(number)))
        pairs = measure(settings.rounds(7), ours, milliseconds(lambda: _hash_and_send(plane, big)))
    return [row("add-1gib", "attestation add of 1 GiB / openssl dgst, then curl -T", 1.0, pairs)]


def _add(chainloop: Program, path: Path, number: int) -> None:
    chainloop("attestation", "add", "--name", f"big-{number}", "--kind", "ARTIFACT", "--value", path)


def _hash_and_send(plane: Plane, path: Path) -> None:
    done = subprocess.run(["openssl", "dgst", "-sha256", "-r", path], check=True, capture_output=True, text=True)
    digest = done.stdout.split()[0]
    headers = ["-H", f"Authorization: Bearer {plane.admin_token}", "-H", "Content-Type: application/octet-stream"]
    address = f"{plane.url}/api/v1/artifacts/sha256:{digest}"
    subprocess.run(["curl", "--fail", "-sS", *headers, "-T", path, address], check=True, capture_output=True)
