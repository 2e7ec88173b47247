"""Memory of a worker of the control plane after load, against a worker of a Flask application that says hello.

All answer the same number of requests from four connections before. What is counted is PSS: of a page that several
processes share, each is counted its part. The control plane is loaded before the fork, so its master, its workers and
its dispatcher share most of what was loaded; a usual Flask application is loaded by each worker for itself, and is the
baseline of the goal: at most 2 times. The second row, for information, has a baseline that is loaded before the fork
too; its note says what all processes hold together, whoever shares with whom.
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
    """Return the two rows."""
    usual, preloaded = Pairs(), Pairs()
    with control_plane() as plane, bare_flask() as bare, bare_flask(shared=True) as shared:
        maker, hello = JobMaker(plane), request_bytes("GET", "/hello", {})
        for _ in range(settings.rounds(3)):
            jobs = [[maker.make() for _ in range(JOBS_EACH)] for _ in range(CLIENTS)]
            run_clients(plane.port, [[raw for job in mine for raw in job.requests] for mine in jobs])
            for server in (bare, shared):
                run_clients(server.port, [[hello] * (3 * JOBS_EACH)] * CLIENTS)
            ours = _largest_worker(plane.process_id)
            usual.add(ours, _largest_worker(bare.process_id))
            preloaded.add(ours, _largest_worker(shared.process_id))
        whole = [pss_mib(family(master)) for master in (plane.process_id, bare.process_id, shared.process_id)]
    what = "a worker after load / a Flask hello worker"
    note = "all processes together: ours {:.0f}, baseline {:.0f}, baseline loaded before the fork {:.0f} MiB"
    return [
        row("worker-memory", what, 2.0, usual, "MiB"),
        row(
            "worker-memory-preload", f"{what}, loaded before the fork", None, preloaded, "MiB", note=note.format(*whole)
        ),
    ]


def _largest_worker(master: int) -> float:
    return max(pss_mib([process_id]) for process_id in family(master)[1:])
