"""Memory of a worker of the control plane after load, against a worker of a Flask application that says hello.

Both answer the same number of requests from four connections before. Shared pages are counted for each worker in part.
Goal: at most 2 times.
"""

from __future__ import annotations

from bench.anchors.server import bare_flask
from bench.harness import Pairs, Row, Settings, row
from bench.jobs import JobMaker
from bench.load import request_bytes, run_clients
from bench.memory import family, pss_mib
from bench.plane import control_plane

CLIENTS = 4
JOBS_EACH = 25


def run(settings: Settings) -> list[Row]:
    """Return the row."""
    pairs = Pairs()
    with control_plane() as plane, bare_flask() as bare:
        maker, hello = JobMaker(plane), request_bytes("GET", "/hello", {})
        for _ in range(settings.rounds(3)):
            jobs = [[maker.make() for _ in range(JOBS_EACH)] for _ in range(CLIENTS)]
            run_clients(plane.port, [[raw for job in mine for raw in job.requests] for mine in jobs])
            run_clients(bare.port, [[hello] * (3 * JOBS_EACH)] * CLIENTS)
            pairs.add(_largest_worker(plane.process_id), _largest_worker(bare.process_id))
    return [row("worker-memory", "a worker after load / a Flask hello worker", 2.0, pairs, "MiB")]


def _largest_worker(master: int) -> float:
    return max(pss_mib([process_id]) for process_id in family(master)[1:])
