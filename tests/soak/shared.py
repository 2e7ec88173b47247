"""Twenty jobs add to one attestation at once, one of them is killed and repeated, and the last job pushes it.

Nothing that an `add` said yes to is missing in what is pushed, and the handle of another attestation changes nothing.
"""

from __future__ import annotations

import random
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.integration.live import CommandLine, Tenant
from tests.integration.pipeline import MATERIALS, TWENTY, Pipeline
from tests.soak.checks import check_data, check_nothing_found, require
from tests.soak.moments import Ended, Moment, python, run
from tests.soak.plane import Plane
from tests.soak.scene import Played

WORKERS = 3
FIRST_SECONDS = 4.0
"""How long twenty commands at once are taken to last, until it was seen."""


class SharedScene:
    """One control plane with several workers, and one pipeline after the other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._plane = Plane(folder, {"CHAINLOOP_WORKERS": str(WORKERS)})
        self._job = Tenant(self._plane.url, self._plane.token, folder).job(TWENTY)
        self._other: dict[str, str] = {}
        self._rounds = 0
        self._seconds = FIRST_SECONDS

    def play(self, rng: random.Random) -> Played:
        """Craft one attestation with twenty jobs at once, in every third round in two attempts (R16)."""
        self._rounds += 1
        place = self._folder / f"round-{self._rounds}"
        place.mkdir()
        pipeline = Pipeline(self._job, place)
        pipeline.begin()
        how = self._add_all(pipeline, rng, attempt=1)
        if rng.random() < 1 / 3:
            pipeline.machine()("attestation", "reset")
            how = self._add_all(pipeline, rng, attempt=2)
            self._push(pipeline, attempt=2)
        else:
            self._push(pipeline, attempt=1)
        self._other = pipeline.shared
        shutil.rmtree(place)
        return Played("add", how)

    def close(self) -> None:
        """Look at the whole, and stop the server."""
        try:
            check_data(self._plane.data)
        finally:
            self._plane.stop()
        check_nothing_found(self._plane.data)

    def _add_all(self, pipeline: Pipeline, rng: random.Random, *, attempt: int) -> str:
        """Add everything at once; kill one job and give its command again."""
        machines = [pipeline.machine(attempt) for _ in range(MATERIALS)]
        victim, moment = rng.randrange(MATERIALS), Moment(seconds=rng.uniform(0.1, self._seconds))
        how = "late"

        def add(number: int) -> Ended:
            nonlocal how
            # Not all in the same moment: some find the state while others change it.
            time.sleep(number % 4 * 0.05)
            ended = _add(machines[number], number, attempt, moment if number == victim else None)
            if ended.was_killed:
                how = "clock"
                ended = _add(machines[number], number, attempt)
            return ended

        began = time.monotonic()
        with ThreadPoolExecutor(MATERIALS + 1) as jobs:
            foreign = jobs.submit(self._intrude, pipeline)
            added = list(jobs.map(add, range(MATERIALS)))
            foreign.result()
        self._seconds = time.monotonic() - began
        for number, ended in enumerate(added):
            require(ended.status == 0, f"add of leg {number} ended with {ended.status}: {ended.stderr}")
        return how

    def _intrude(self, pipeline: Pipeline) -> None:
        """Try to change the attestation with the handle of another one."""
        if not self._other:
            return
        env = {"CHAINLOOP_SEALED_HANDLE": self._other["CHAINLOOP_SEALED_HANDLE"]}
        for words in (("add", "--name", "leg-0", "--value", "/etc/hostname", "--replace"), ("push",), ("reset",)):
            answer = pipeline.machine()("attestation", *words, env=env)
            require(answer.status == 5, f"{words[0]} with another handle: {answer.status}, {answer.stderr}")

    def _push(self, pipeline: Pipeline, *, attempt: int) -> None:
        pushed = pipeline.push(attempt)
        require(pushed.status == 0, f"push ended with {pushed.status}: {pushed.stderr}")
        detail: Any = pipeline.detail(pushed.document["attestationID"])
        require(detail["run"]["state"] == "success", f"the run is {detail['run']['state']}")
        names = {item["name"] for item in detail["materials"]}
        require(len(names) == MATERIALS, f"of {MATERIALS} materials {len(names)} are attested: {sorted(names)}")
        require(bool(detail["run"].get("successorOf")) == (attempt > 1), "a later attempt has a run of its own")


def _add(machine: CommandLine, number: int, attempt: int, moment: Moment | None = None) -> Ended:
    (machine.folder / "out").write_text(f"attempt {attempt} of leg {number}")
    words = ("attestation", "add", "--name", f"leg-{number}", "--value", "out")
    return run(python("chainloop_ci", *words), cwd=machine.folder, env=machine.environment(), moment=moment)
