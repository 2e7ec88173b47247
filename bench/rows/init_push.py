"""Init and push: by four command lines at once against the Go product's record, and as bare requests against Flask.

The command lines are whole processes, on the machine that serves them too. The bare requests are those that a job sends
(contract, run, attestation), from a number of connections at once, against as many POSTs to a Flask application that
commits one row durably for each. Goals: at least twice the record's rate by yardstick; at least 0.5 times the rate and
at most 2 times the p99 of bare Flask; every acknowledged attestation can be read again. `--long`: 1 000 connections.
"""

from __future__ import annotations

import threading
import time

from bench.anchors.server import Bare, bare_flask
from bench.calibration import Yardstick
from bench.command import Program
from bench.harness import Pairs, Row, Settings, percentile, row
from bench.jobs import Job, JobMaker
from bench.load import Client, request_bytes, run_clients
from bench.plane import Plane, control_plane
from bench.recorded import GO

COMMAND_LINES = 4
JOBS_EACH = 3
CLIENTS = 16
BARE_JOBS_EACH = 6
MANY_CLIENTS = 1000


def run(settings: Settings) -> list[Row]:
    """Return the rows."""
    with control_plane() as plane, bare_flask() as bare:
        rows = [_command_lines(plane, settings), *_requests(plane, bare, settings, CLIENTS, BARE_JOBS_EACH, 8)]
        if settings.long:
            rows += _requests(plane, bare, settings, MANY_CLIENTS, 1, 3)
    return rows


def _command_lines(plane: Plane, settings: Settings) -> Row:
    pairs, yardstick = Pairs(), Yardstick(plane.folder)
    programs = [plane.program(f"job-{number}") for number in range(COMMAND_LINES)]
    for number in range(1 + settings.rounds(5)):
        start = time.perf_counter()
        threads = [threading.Thread(target=_init_and_push, args=(program,)) for program in programs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rate = COMMAND_LINES * JOBS_EACH / (time.perf_counter() - start)
        if number:
            pairs.add(rate * yardstick.seconds(), GO.init_push_per_second * GO.yardstick_seconds)
    what = f"init + push by {COMMAND_LINES} command lines, per second / the Go product's record, by yardstick"
    return row("init-push-go", what, 2.0, pairs, "per yardstick", at_least=True)


def _init_and_push(chainloop: Program) -> None:
    for _ in range(JOBS_EACH):
        chainloop("attestation", "init", "--project", "bench", "--workflow", "build", "--replace")
        chainloop("attestation", "push")


def _requests(plane: Plane, bare: Bare, settings: Settings, clients: int, each: int, rounds: int) -> list[Row]:
    rates, slowest = Pairs(), Pairs()
    maker = JobMaker(plane)
    for number in range(1 + settings.rounds(rounds)):
        jobs = [[maker.make() for _ in range(each)] for _ in range(clients)]
        ours = run_clients(plane.port, [[raw for job in mine for raw in job.requests] for mine in jobs])
        lengths = [[len(raw) for job in mine for raw in job.requests] for mine in jobs]
        posts = [[request_bytes("POST", "/commit", {}, bytes(size)) for size in mine] for mine in lengths]
        theirs = run_clients(bare.port, posts)
        _require_all(plane, [job for mine in jobs for job in mine])
        if number:
            rates.add(ours.rate, theirs.rate)
            slowest.add(percentile(ours.waits_ms, 99), percentile(theirs.waits_ms, 99))
    what = f"requests of init + push, {clients} at once"
    return [
        row(f"init-push-{clients}", f"{what}, per second / Flask + one commit", 0.5, rates, "per s", at_least=True),
        row(f"init-push-{clients}-p99", f"{what}, p99 / Flask + one commit", 2.0, slowest),
    ]


def _require_all(plane: Plane, jobs: list[Job]) -> None:
    """Nothing that was acknowledged may be lost."""
    client = Client(plane.port)
    headers = {"Authorization": f"Bearer {plane.read_token}"}
    for job in jobs:
        status, _ = client.send(request_bytes("GET", f"/api/v1/attestations/{job.digest}", headers))
        if status != 200:
            raise RuntimeError(f"an acknowledged attestation is lost: {job.digest} ({status})")
    client.close()
