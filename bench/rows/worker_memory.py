"""Memory of a worker of the control plane after load, against a worker of a Flask application that says hello.

All answer the same number of requests from four connections before. What is counted is PSS: of a page that several
processes share, each is counted its part. The control plane is loaded before the fork, so its master, its workers and
its dispatcher share most of what was loaded; a usual Flask application is loaded by each worker for itself, and is the
baseline of the goal: at most 2 times. The second row, for information, has a baseline that is loaded before the fork
too; its note says what all processes hold together, whoever shares with whom. The dispatcher is no worker: it has a row
of its own, for information.
"""

from __future__ import annotations

from bench.anchors.server import bare_flask
from bench.harness import Pairs, Row, Settings, row
from bench.jobs import JobMaker
from bench.load import request_bytes, run_clients
from bench.memory import family, listening, pss_mib
from bench.plane import control_plane

CLIENTS = 4
JOBS_EACH = 25


def run(settings: Settings) -> list[Row]:
    """Return the three rows."""
    usual, preloaded, beside = Pairs(), Pairs(), Pairs()
    with control_plane() as plane, bare_flask() as bare, bare_flask(shared=True) as shared:
        maker, hello = JobMaker(plane), request_bytes("GET", "/hello", {})
        for _ in range(settings.rounds(3)):
            jobs = [[maker.make() for _ in range(JOBS_EACH)] for _ in range(CLIENTS)]
            run_clients(plane.port, [[raw for job in mine for raw in job.requests] for mine in jobs])
            for server in (bare, shared):
                run_clients(server.port, [[hello] * (3 * JOBS_EACH)] * CLIENTS)
            ours, dispatcher = _largest(plane.process_id, plane.port)
            hello_worker, _ = _largest(bare.process_id, bare.port)
            usual.add(ours, hello_worker)
            preloaded.add(ours, _largest(shared.process_id, shared.port)[0])
            beside.add(dispatcher, hello_worker)
        whole = [pss_mib(family(master)) for master in (plane.process_id, bare.process_id, shared.process_id)]
    what = "a worker after load / a Flask hello worker"
    note = "all processes together: ours {:.0f}, baseline {:.0f}, baseline loaded before the fork {:.0f} MiB"
    return [
        row("worker-memory", what, 2.0, usual, "MiB"),
        row(
            "worker-memory-preload", f"{what}, loaded before the fork", None, preloaded, "MiB", note=note.format(*whole)
        ),
        row("dispatcher-memory", "the dispatcher beside it / a Flask hello worker", None, beside, "MiB"),
    ]


def _largest(master: int, port: int) -> tuple[float, float]:
    """Return the memory of the largest worker, and of the largest process below the master that is none."""
    below = family(master)[1:]
    workers = listening(below, port)
    if not workers:
        raise RuntimeError("no worker listens: who is one cannot be told")
    rest = [pss_mib([process_id]) for process_id in below if process_id not in workers]
    return max(pss_mib([process_id]) for process_id in workers), max(rest, default=0.0)
