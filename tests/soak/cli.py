"""Kill `chainloop` in the middle of `init`, `add` and `push`: the repeated command completes, and nothing is torn."""

from __future__ import annotations

import json
import random
import sqlite3
import uuid
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.integration.live import Job, Tenant
from tests.soak.checks import DATABASE, BlobFiles, check_data, check_nothing_found, require
from tests.soak.moments import Ended, Moment, Span, list_calls, measure, python, run
from tests.soak.plane import Plane
from tests.soak.scene import Played

VICTIMS = ("init", "add", "push")
WEIGHTS = (1, 5, 5)
STEPS = ("init", "version", "add", "push")
"""One job; `version` is the add that is never killed."""
BINARY_BYTES = 300_000
ROUNDS_BETWEEN_CHECKS = 25


class CliScene:
    """Jobs of one workflow against one control plane."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._plane = Plane(folder)
        self._job: Job = Tenant(self._plane.url, self._plane.token, folder).job()
        self._blobs = BlobFiles()
        self._runs: set[str] = set()
        self.spans = self._rehearse()

    def play(self, rng: random.Random) -> Played:
        """Live the life of one job, one of whose commands is killed."""
        victim = rng.choices(VICTIMS, WEIGHTS)[0]
        return self.kill(victim, self.spans[victim].choose(rng))

    def kill(self, victim: str, moment: Moment) -> Played:
        """Live the life of one job, and kill one of its commands at a moment."""
        life = _Life(self._folder, self._job, self._plane.data)
        how = "late"
        for step in STEPS:
            if step != victim:
                # The machine is faster at times than at others.
                self.spans[step] = replace(self.spans[step], seconds=life.do(step))
            elif life.do_killed(step, moment):
                how = moment.kind
        life.finish()
        self._runs.add(life.run_id)
        if len(self._runs) % ROUNDS_BETWEEN_CHECKS == 0:
            self._check()
        return Played(victim, how)

    def close(self) -> None:
        """Check the whole once more, and stop the server."""
        try:
            self._check()
        finally:
            self._plane.stop()
        check_nothing_found(self._plane.data)

    def _check(self) -> None:
        check_data(self._plane.data)
        self._blobs.check(self._plane.data)
        with closing(sqlite3.connect(self._plane.data / DATABASE, timeout=30)) as connection:
            found = {row[0] for row in connection.execute("SELECT id FROM workflow_runs")}
        require(found == self._runs, f"{len(found)} runs are known, {len(self._runs)} jobs were begun")

    def _rehearse(self) -> dict[str, Span]:
        """Live two jobs that nobody kills, and return how long their commands take and what they call."""
        seconds, calls = {}, {}
        timed, counted = (_Life(self._folder, self._job, self._plane.data) for _ in range(2))
        for step in STEPS:
            seconds[step], ended = measure(timed.command(step), cwd=self._folder, env=timed.env)
            require(ended.status == 0, f"{step}: {ended.stderr}")
            log = self._folder / f"{step}.calls"
            calls[step], ended = list_calls(counted.command(step), log, cwd=self._folder, env=counted.env)
            require(ended.status == 0, f"{step}: {ended.stderr}")
        for life in (timed, counted):
            self._runs.add(life.find_run())
        return {step: Span(seconds[step], calls[step]) for step in STEPS}


class _Life:
    """One job, with a state file and a binary of its own."""

    def __init__(self, folder: Path, job: Job, data: Path) -> None:
        self._job = job
        self._data = data
        self._name = uuid.uuid4().hex
        self._place = folder / self._name
        self._place.mkdir()
        (self._place / "app.bin").write_bytes(random.randbytes(BINARY_BYTES))
        self._state = self._place / "state.json"
        self._added: list[str] = []
        self.run_id = ""
        self.env = job.chainloop.environment(
            {"CHAINLOOP_LOCAL_STATE_PATH": str(self._state), "PYTHONDONTWRITEBYTECODE": "1"}
        )

    def command(self, step: str) -> list[str]:
        """Return the words of a step."""
        words = {
            "init": ("init", "--version", self._name),
            "version": ("add", "--name", "version", "--value", "1.0"),
            "add": ("add", "--name", "binary", "--value", self._place / "app.bin"),
            "push": ("push",),
        }[step]
        return python("chainloop_ci", "attestation", *words, "-o", "json")

    def do(self, step: str) -> float:
        """Do a step that must succeed, and return how many seconds that took."""
        seconds, ended = measure(self.command(step), cwd=self._place, env=self.env)
        require(ended.status == 0, f"{step} ended with {ended.status}: {ended.stderr}")
        self._note(step)
        return seconds

    def do_killed(self, step: str, moment: Moment) -> bool:
        """Do a step that is killed at a moment, and give the command again; tell whether it was not over by then."""
        ended = run(self.command(step), cwd=self._place, env=self.env, moment=moment)
        told = f"{step} killed {moment}"
        require(ended.was_killed or ended.status == 0, f"{step} ended with {ended.status}: {ended.stderr}")
        self._examine(told)
        if ended.was_killed:
            self._repeat(step, ended, f"{told}, then repeated")
        self._note(step)
        return ended.was_killed

    def finish(self) -> None:
        """Require that the run is stored as the job lived it, and leave nothing behind."""
        self.run_id = self.find_run()
        raw = self._job.tenant.request("GET", f"/workflow-runs/{self.run_id}/attestation")
        require(raw.status == 200, f"the attestation of {self.run_id} is not there: {raw.data!r}")
        detail = self._job.tenant.call("GET", f"/workflow-runs/{self.run_id}")
        state = detail["run"]["state"]
        require(state == "success", f"the run {self.run_id} is {state}")
        names = sorted(item["name"] for item in detail["materials"])
        require(names == ["binary", "version"], f"the run {self.run_id} attests {names}")
        (self._place / "app.bin").unlink()
        left = {path.name.removeprefix("state.json") for path in self._place.iterdir()}
        # Who is killed while it cleans up leaves what nobody looks at; the next `init` takes it away.
        require(".last" in left and left <= {".last", ".bundle", ".lock"}, f"the job left {sorted(left)}")

    def find_run(self) -> str:
        """Return the one run of this job."""
        found = self._query("SELECT id FROM workflow_runs WHERE project_version = ?")
        require(len(found) == 1, f"the job has {len(found)} runs")
        return str(found[0][0])

    def _examine(self, told: str) -> None:
        """Require that no file is torn and nothing acknowledged is missing."""
        for path in self._place.glob("state.json*"):
            require(path.stat().st_mode & 0o777 == 0o600, f"{told}: {path.name} is not private")
            # `.new` is what nobody reads before it is whole; the lock is empty.
            if path.suffix not in (".new", ".lock"):
                _require_whole(path, told)
        if self._state.exists():
            names = self._status()
            missing = [name for name in self._added if name not in names]
            require(not missing, f"{told}: the state has lost {missing}")

    def _repeat(self, step: str, killed: Ended, told: str) -> None:
        """Give the same command again: it completes what is left of it."""
        stored = self._stored()
        again = run(self.command(step), cwd=self._place, env=self.env)
        if again.status != 0:
            self._require_done(step, killed, again, told)
        elif step == "push" and stored:
            found = _document(again, told)["digest"]
            require(found == stored, f"{told}: it says {found}, stored is {stored}")

    def _note(self, step: str) -> None:
        self._added += {"version": ["version"], "add": ["binary"]}.get(step, [])

    def _status(self) -> list[str]:
        ended = run(python("chainloop_ci", "attestation", "status", "-o", "json"), cwd=self._place, env=self.env)
        # 3: something is missing yet.
        require(ended.status in (0, 3), f"status ended with {ended.status}: {ended.stderr}")
        return [item["name"] for item in _document(ended, "status")["materials"] if item["Set"]]

    def _stored(self) -> str:
        """Return the digest that the server has already."""
        rows = self._query("SELECT attestation_digest FROM workflow_runs WHERE project_version = ?")
        return str(rows[0][0] or "") if rows else ""

    def _require_done(self, step: str, killed: Ended, again: Ended, told: str) -> None:
        """Accept a refusal when all was done before the kill: only the exit status was lost, and the words say so."""
        if step == "init":
            require("already" in again.stderr and self._query_state() == "initialized", f"{told}: {again.stderr}")
            return
        require(step == "push", f"{told}: {again.status}, {again.stderr}")
        stored = self._stored()
        require(stored and stored in again.stderr, f"{told}: {again.status}, {again.stderr}")
        shown = _document(killed, f"{told}: what the killed command printed").get("digest")
        require(shown == stored, f"{told}: it printed {shown}, stored is {stored}")

    def _query_state(self) -> str:
        rows = self._query("SELECT state FROM workflow_runs WHERE project_version = ?")
        return str(rows[0][0]) if rows else ""

    def _query(self, statement: str) -> list[Any]:
        with closing(sqlite3.connect(self._data / DATABASE, timeout=30)) as connection:
            return connection.execute(statement, (self._name,)).fetchall()


def _require_whole(path: Path, told: str) -> None:
    try:
        json.loads(path.read_bytes())
    except ValueError as error:
        require(False, f"{told}: {path.name} is torn: {error}")


def _document(ended: Ended, told: str) -> Any:
    try:
        return json.loads(ended.stdout)
    except ValueError:
        return require(False, f"{told}: expected a document, found {ended.stdout[-500:]!r}")
