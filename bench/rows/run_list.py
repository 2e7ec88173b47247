"""The list of runs, ten rows, from four kept connections, against the Go product's record.

200 runs stand in the organization. Goal: at least twice the record's rate, each side multiplied by the `sha256sum`
yardstick of its own hour.
"""

from __future__ import annotations

from bench.calibration import Yardstick
from bench.harness import Pairs, Row, Settings, row
from bench.jobs import JobMaker
from bench.load import request_bytes, run_clients
from bench.plane import control_plane
from bench.recorded import GO

RUNS = 200
CLIENTS = 4
CALLS = 100


def run(settings: Settings) -> list[Row]:
    """Return the row."""
    pairs = Pairs()
    with control_plane() as plane:
        maker, yardstick = JobMaker(plane), Yardstick(plane.folder)
        run_clients(plane.port, [[raw for _ in range(RUNS) for raw in maker.make().requests[1:2]]])
        page = request_bytes("GET", "/api/v1/workflow-runs?limit=10", {"Authorization": f"Bearer {plane.read_token}"})
        for number in range(1 + settings.rounds()):
            load = run_clients(plane.port, [[page] * CALLS] * CLIENTS)
            if number:
                pairs.add(load.rate * yardstick.seconds(), GO.run_lists_per_second * GO.yardstick_seconds)
    what = "run list of 10 rows, 4 connections, per second / the Go product's record, by yardstick"
    return [row("run-list", what, 2.0, pairs, "per yardstick", at_least=True)]
