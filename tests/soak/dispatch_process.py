"""A dispatcher as a process that is killed and started again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.integration.live import PROJECT
from tests.soak.plane import wait_for

END_SECONDS = 90


class DispatchProcess:
    """`python -m server dispatch` with the clock of the soak."""

    def __init__(self, folder: Path, clock: Path, settings: Mapping[str, str]) -> None:
        """Start it; its log lies in the folder."""
        self._log = folder / "dispatch.log"
        self._command = [sys.executable, "-m", "tests.soak.dispatching", str(clock)]
        self._settings = settings
        self._starts = 0
        self.holder = ""
        """The name under which the one that runs holds its leases."""
        self._process = self._start()

    def kill(self) -> None:
        """Kill it (-9) and start the next."""
        self._process.kill()
        self._process.wait()
        self._process = self._start()

    def stop(self) -> None:
        """Tell it to end, and wait for that."""
        self._process.terminate()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        env = {name: value for name, value in os.environ.items() if not name.startswith("CHAINLOOP_")}
        self._starts += 1
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                self._command, cwd=PROJECT, env={**env, **self._settings}, stdout=log, stderr=log
            )
        wait_for(lambda: len(self._started()) >= self._starts, "the dispatcher starts")
        self.holder = str(self._started()[-1]["holder"])
        return process

    def _started(self) -> list[dict[str, object]]:
        lines = self._log.read_text(errors="replace").splitlines(keepends=True)
        # The last line may be half written, also by one that was killed.
        whole = [line for line in lines if '"dispatcher-started"' in line and line.endswith("}\n")]
        return [json.loads(line[line.index("{") :]) for line in whole]
