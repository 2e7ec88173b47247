"""`chainloop attestation status` on a state of 20 materials, against `python -c pass` and the Go product's record.

Goals: at most 5 times the bare interpreter; at most 0.6 times the wall clock and 0.5 times the memory of the Go
product, each side divided by the `sha256sum` yardstick of its own hour.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench.calibration import Yardstick
from bench.command import Program, run_measured
from bench.harness import Pairs, Row, Settings, in_turn, row
from bench.recorded import GO

MATERIALS = 20
CONTRACT = "schemaVersion: v1\nmaterials:\n" + "".join(
    f"  - name: value-{number}\n    type: STRING\n" for number in range(MATERIALS)
)


def run(settings: Settings) -> list[Row]:
    """Return the three rows."""
    wall, peak, paced = Pairs(), Pairs(), Pairs()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        chainloop, yardstick = _craft(folder), Yardstick(folder)
        for number in range(1 + settings.rounds(25)):
            ours, bare = in_turn(
                number,
                lambda: chainloop.usage("attestation", "status"),
                lambda: run_measured([sys.executable, "-c", "pass"], folder),
            )
            if number:
                wall.add(ours.milliseconds, bare.milliseconds)
                peak.add(ours.peak_mib, GO.status_mib)
                paced.add(ours.milliseconds / yardstick.seconds(), 1000 * GO.status_seconds / GO.yardstick_seconds)
    what = f"attestation status, {MATERIALS} materials"
    return [
        row("status", f"{what} / python -c pass", 5.0, wall),
        row("status-go-wall", f"{what} / the Go product's record, by yardstick", 0.6, paced, "ms per s of yardstick"),
        row("status-go-memory", f"{what}, peak / the Go product's record", 0.5, peak, "MiB"),
    ]


def _craft(folder: Path) -> Program:
    (folder / "contract.yaml").write_text(CONTRACT)
    chainloop = Program(folder)
    chainloop("attestation", "init", "--dry-run", "--contract", "contract.yaml")
    for number in range(MATERIALS):
        chainloop("attestation", "add", "--name", f"value-{number}", "--value", f"value {number}")
    return chainloop
