"""Memory of the control plane while four uploads of 100 MB run, against the Go product's record for its CAS.

Ours is the master with all its workers, shared pages counted once. Goal: at most 0.1 times.
"""

from __future__ import annotations

import subprocess

from bench.files import write_random
from bench.harness import Pairs, Row, Settings, row
from bench.memory import Watch
from bench.plane import Plane, control_plane
from bench.recorded import GO

UPLOADS = 4
SIZE_BYTES = 100 * 1000 * 1000


def run(settings: Settings) -> list[Row]:
    """Return the row."""
    pairs = Pairs()
    with control_plane() as plane:
        for number in range(UPLOADS):
            write_random(plane.folder / f"{number}.bin", SIZE_BYTES)
        for _ in range(settings.rounds(5)):
            with Watch(plane.process_id) as watch:
                senders = [_start(plane, number) for number in range(UPLOADS)]
                if any(sender.wait() for sender in senders):
                    raise RuntimeError("an upload failed")
            pairs.add(watch.peak_mib, GO.four_uploads_mib)
    what = f"server memory, {UPLOADS} uploads of 100 MB at once / the Go product's record"
    return [row("uploads-memory", what, 0.1, pairs, "MiB")]


def _start(plane: Plane, number: int) -> subprocess.Popen[bytes]:
    headers = ["-H", f"Authorization: Bearer {plane.admin_token}", "-H", "Content-Type: application/octet-stream"]
    address = f"{plane.url}/api/v1/artifacts"
    file = plane.folder / f"{number}.bin"
    words = ["curl", "--fail", "-sS", *headers, "--limit-rate", "100M", "-X", "POST", "-T", str(file), address]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL)
