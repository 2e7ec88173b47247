"""A whole step in one process: five materials against a bare script that sends the same requests, and three of them
against the Go product's record of five processes.

Round trips are counted too, in the server's log, which must have the same requests of both. Goals: at most 2 times the
bare script, at most 8 round trips, and at most 0.4 times the Go product's time, each side divided by the `sha256sum`
yardstick of its own hour.
"""

from __future__ import annotations

import base64
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench.calibration import Yardstick
from bench.command import PROJECT, run_measured
from bench.files import write_random
from bench.harness import Pairs, Row, Settings, in_turn, row
from bench.jobs import JobMaker
from bench.plane import Plane, control_plane
from bench.recorded import GO
from chainloop_ci.api.limits import HANDLE_HEADER

MATERIALS = 5
GO_MATERIALS = 3
MOST_ROUND_TRIPS = 8.0
MATERIAL_BYTES = 100_000
_QUIET_SECONDS = 0.3
"""After as long without a new line the log has what was asked; a line is written a little later than the answer."""


def run(settings: Settings) -> list[Row]:
    """Return the rows."""
    trips, wall, paced = Pairs(), Pairs(), Pairs()
    with control_plane() as plane:
        chainloop, bare = plane.program("job"), _BareScript(plane)
        files = [write_random(chainloop.folder / f"file-{at}.bin", MATERIAL_BYTES) for at in range(MATERIALS)]
        yardstick = Yardstick(plane.folder)
        asked = _requests(plane, partial(chainloop, *_craft(files)))
        words = [sys.executable, *bare.prepare(files)]
        wanted = _requests(plane, partial(run_measured, words, chainloop.folder, chainloop.env))
        if sorted(asked) != sorted(wanted):
            raise RuntimeError(f"the step sent {asked}, the bare script {wanted}")
        trips.add(float(len(asked)), MOST_ROUND_TRIPS)
        for number in range(1 + settings.rounds()):
            bare_words = [sys.executable, *bare.prepare(files)]
            ours, theirs = in_turn(
                number,
                lambda: chainloop.usage(*_craft(files)),
                partial(run_measured, bare_words, chainloop.folder, chainloop.env),
            )
            fewer = chainloop.usage(*_craft(files[:GO_MATERIALS])).milliseconds
            if number:
                wall.add(ours.milliseconds, theirs.milliseconds)
                paced.add(fewer / yardstick.seconds(), 1000 * GO.step_seconds / GO.yardstick_seconds)
    what = f"a step with {MATERIALS} materials, one process"
    go = f"a step with {GO_MATERIALS} materials, one process / the Go product's five, by yardstick"
    return [
        row("step-round-trips", f"round trips of {what} / {MOST_ROUND_TRIPS:g}", 1.0, trips, ""),
        row("step", f"{what} / a bare script with the same requests", 2.0, wall),
        row("step-go", go, 0.4, paced, "ms per s of yardstick"),
    ]


def _craft(files: list[Path]) -> list[str]:
    materials = [word for at, file in enumerate(files) for word in ("--material", f"m-{at}={file.name}")]
    return ["attestation", "craft", "--project", "bench", "--workflow", "build", *materials]


def _requests(plane: Plane, action: Callable[[], object]) -> list[str]:
    """Return method and route of each request that the server saw while `action` ran."""
    before = len(_log_lines(plane))
    action()
    lines = _log_lines(plane)
    while True:
        time.sleep(_QUIET_SECONDS)
        now = _log_lines(plane)
        if len(now) == len(lines):
            break
        lines = now
    return [f"{line['method']} {line['route']}" for line in map(json.loads, lines[before:]) if "route" in line]


def _log_lines(plane: Plane) -> list[str]:
    return plane.log.read_text().splitlines()


class _BareScript:
    """Sends what a step sends; each time of a job that nobody has begun yet."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._maker = JobMaker(plane)

    def prepare(self, files: list[Path]) -> list[str]:
        """Write the requests of a new job down and return the script with its argument."""
        job = self._maker.make()
        context, begin, store = (self._asked(raw) for raw in job.requests)
        handle = {HANDLE_HEADER: job.handle, "Content-Type": "application/octet-stream"}
        uploads = [self._upload(job.run_id, file, handle) for file in files]
        place = self._plane.folder / "requests.json"
        place.write_text(json.dumps([context, begin, *uploads, store]))
        return [str(PROJECT / "bench" / "anchors" / "bare_step.py"), str(place)]

    def _upload(self, run_id: str, file: Path, headers: dict[str, str]) -> dict[str, object]:
        auth = {"Authorization": f"Bearer {self._plane.attest_token}"}
        url = f"{self._plane.url}/api/v1/artifacts?filename={file.name}&run={run_id}"
        body = base64.b64encode(file.read_bytes()).decode()
        return {"method": "POST", "url": url, "headers": {**auth, **headers}, "body": body}

    def _asked(self, raw: bytes) -> dict[str, object]:
        head, _, body = raw.partition(b"\r\n\r\n")
        first, *fields = head.decode().split("\r\n")
        method, path, _ = first.split(" ")
        headers = dict(field.split(": ", 1) for field in fields)
        kept = {name: value for name, value in headers.items() if name not in ("Host", "Content-Length")}
        return {
            "method": method,
            "url": self._plane.url + path,
            "headers": kept,
            "body": base64.b64encode(body).decode(),
        }
