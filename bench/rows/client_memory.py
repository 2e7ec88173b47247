"""Peak memory of `chainloop attestation add` with a file of 10 GiB, against the same with 1 KiB.

The file is sparse; the server keeps what it reads, so 10 GiB of disk are needed for a while. Goals: at most 1.3 times,
and at most 80 MiB.
"""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

from bench.command import Program
from bench.files import write_sparse
from bench.harness import Pairs, Row, Settings, Skipped, in_turn, row
from bench.plane import control_plane

GIB = 1024**3
LARGE_BYTES = 10 * GIB
SMALL_BYTES = 1024
MOST_MIB = 80.0


def run(settings: Settings) -> list[Row | Skipped]:
    """Return the two rows."""
    pairs, absolute = Pairs(), Pairs()
    with control_plane() as plane:
        if shutil.disk_usage(plane.folder).free < 3 * LARGE_BYTES:
            return [Skipped("client-memory", "30 GiB of free disk are needed")]
        chainloop = plane.program("job")
        large = write_sparse(chainloop.folder / "large.bin", LARGE_BYTES)
        small = write_sparse(chainloop.folder / "small.bin", SMALL_BYTES)
        chainloop("attestation", "init", "--project", "bench", "--workflow", "build")
        for number in range(settings.rounds(2)):
            peaks = in_turn(number, partial(_peak, chainloop, large, number), partial(_peak, chainloop, small, number))
            pairs.add(*peaks)
            absolute.add(peaks[0], MOST_MIB)
    return [
        row("client-memory", "peak of add, 10 GiB / 1 KiB", 1.3, pairs, "MiB"),
        row("client-memory-max", f"peak of add, 10 GiB / {MOST_MIB:g} MiB", 1.0, absolute, "MiB"),
    ]


def _peak(chainloop: Program, file: Path, number: int) -> float:
    return chainloop.usage("attestation", "add", "--name", f"{file.stem}-{number}", "--value", file).peak_mib
