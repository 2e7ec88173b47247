"""`chainloop attestation status`, a state of 20 materials, against `python -c pass`: python -m bench.status_command."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.harness import Row, pair

GOAL = 5.0
MATERIALS = 20

CONTRACT = "schemaVersion: v1\nmaterials:\n" + "".join(
    f"  - name: value-{number}\n    type: STRING\n" for number in range(MATERIALS)
)


def run(rounds: int = 15) -> Row:
    """Print and return the row."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "contract.yaml").write_text(CONTRACT)
        chainloop = _Command(folder)
        chainloop("attestation", "init", "--dry-run", "--contract", "contract.yaml")
        for number in range(MATERIALS):
            chainloop("attestation", "add", "--name", f"value-{number}", "--value", f"value {number}")
        return pair(
            f"chainloop attestation status, {MATERIALS} materials / python -c pass",
            GOAL,
            lambda: chainloop("attestation", "status"),
            lambda: subprocess.run([sys.executable, "-c", "pass"], check=True),
            rounds,
        )


class _Command:
    """The installed program's way: the interpreter of this environment, one process a call."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        project = Path(__file__).resolve().parent.parent
        self._env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(project),
            "CHAINLOOP_LOCAL_STATE_PATH": str(folder / "state.json"),
            "XDG_CONFIG_HOME": str(folder),
        }

    def __call__(self, *words: str) -> None:
        command = [sys.executable, "-m", "chainloop_ci", *words]
        subprocess.run(command, cwd=self._folder, env=self._env, check=True, capture_output=True)


if __name__ == "__main__":
    sys.exit(0 if run().ok else 1)
