"""The GitHub action's step with its install, cold and warm, against `python -m venv` and `pip install` of its lock.

Ours is the whole step, the command `status` included, since that is what a job waits for. Packages come from a folder
of wheels on both sides, so that no network is measured; nothing is kept from round to round, uv's cache included.
Goals: at most 0.10 times the baseline with uv, at most 1.0 times without; warm at most 0.10.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

from bench.command import PROJECT, Program, run_measured
from bench.harness import Pairs, Row, Settings, Skipped, row

LOCK = PROJECT / "requirements" / "client.txt"
STEP = PROJECT / "actions" / "_shared" / "run.sh"
CONTRACT = "schemaVersion: v1\nmaterials:\n  - {name: version, type: STRING}\n"


def run(settings: Settings) -> list[Row | Skipped]:
    """Return the three rows."""
    wheels = _find_wheels()
    uv = Path(sys.executable).with_name("uv")
    if not wheels.is_dir():
        return [Skipped("action_install", f"there are no wheels in {wheels}: `make tools` fetches them")]
    with_uv, with_pip, warm = Pairs(), Pairs(), Pairs()
    with tempfile.TemporaryDirectory() as name:
        machine = _Machine(Path(name), wheels)
        for number in range(1 + settings.rounds(7)):
            baseline = machine.baseline()
            figures = machine.cold(uv), machine.cold(None), machine.warm()
            if number:
                for pairs, figure in zip((with_uv, with_pip, warm), figures, strict=True):
                    pairs.add(figure, baseline)
    what = "venv + pip install of the same lock"
    return [
        row("install-uv", f"the action's step, nothing installed yet, with uv / {what}", 0.10, with_uv),
        row("install-pip", f"the action's step, nothing installed yet, without uv / {what}", 1.0, with_pip),
        row("install-warm", f"the action's step, installed by an earlier one / {what}", 0.10, warm),
    ]


def _find_wheels() -> Path:
    tools = Path(os.environ.get("CHAINLOOP_TOOLS") or Path.home() / ".cache" / "chainloop-tools")
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    return tools / "wheels" / f"{digest}-{sys.version_info[0]}.{sys.version_info[1]}"


class _Machine:
    """A runner's machine: what it keeps between jobs, and a job of which an attestation is begun."""

    def __init__(self, folder: Path, wheels: Path) -> None:
        self._folder, self._wheels = folder, wheels
        self._kept, self._path = folder / "kept", folder / "bin"
        (folder / "contract.yaml").write_text(CONTRACT)
        program = Program(folder)
        program("attestation", "init", "--dry-run", "--contract", "contract.yaml")
        self._path.mkdir()
        for name in ("bash", "dirname", "sort"):
            (self._path / name).symlink_to(shutil.which(name) or f"/bin/{name}")
        self._env = {
            "PATH": str(self._path),
            "HOME": str(folder),
            "RUNNER_TEMP": str(folder / "temp"),
            "RUNNER_TOOL_CACHE": str(self._kept),
            "UV_CACHE_DIR": str(folder / "uv"),
            "CHAINLOOP_INSTALL_PYTHON": sys.executable,
            "CHAINLOOP_INSTALL_WHEELS": str(wheels),
            "CHAINLOOP_LOCAL_STATE_PATH": program.env["CHAINLOOP_LOCAL_STATE_PATH"],
        }

    def baseline(self) -> float:
        """Return the milliseconds of what a script would do."""
        place = self._folder / "plain"
        shutil.rmtree(place, ignore_errors=True)
        made = run_measured([sys.executable, "-m", "venv", str(place)], self._folder, self._env)
        install = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        install += ["--require-hashes", "--no-index", f"--find-links={self._wheels}", "-r", str(LOCK)]
        return made.milliseconds + run_measured(install, self._folder, self._env).milliseconds

    def cold(self, uv: Path | None) -> float:
        """Return the milliseconds of the step where nothing is there; `uv` is the program, when the machine has it."""
        for place in (self._kept, self._folder / "uv"):
            shutil.rmtree(place, ignore_errors=True)
        (self._path / "uv").unlink(missing_ok=True)
        if uv:
            (self._path / "uv").symlink_to(uv)
        return self.warm()

    def warm(self) -> float:
        """Return the milliseconds of the step with what is there."""
        return run_measured([str(STEP), "status"], self._folder, self._env).milliseconds
