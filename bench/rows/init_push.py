"""Init and push: by four command lines at once against the Go product's record, and as bare requests against Flask.

The command lines are whole processes, two a job (init, then push: what the record counts), on the machine that serves
them too. The bare requests are those that a job sends, three of them: read the contract, begin the run, push the
attestation. They come from a number of connections at once, and are compared with **as many POSTs** of the same sizes
to a Flask application that commits one row durably **for each**: three commits a job, though one request of a job of
ours is only read. Rates are requests per second, on both sides; a third of it are jobs. Goals: at least twice the
record's rate by yardstick; at least 0.5 times the rate and at most 2 times the p99 of bare Flask; every acknowledged
attestation can be read again. `--long`: 1 000 connections.

A request whose kept connection had been ended is sent again once, as HTTP clients do; the row says how often.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from functools import partial

from bench.anchors.server import bare_flask
from bench.calibration import Yardstick
from bench.command import Program
from bench.harness import Pairs, Result, Row, Settings, attempt, in_turn, percentile, row
from bench.jobs import Job, JobMaker
from bench.load import Client, Load, request_bytes, run_clients
from bench.plane import Plane, control_plane
from bench.recorded import GO
from bench.together import run_together

COMMAND_LINES = 4
JOBS_EACH = 3
CLIENTS = 16
BARE_JOBS_EACH = 6
MANY_CLIENTS = 1000


def run(settings: Settings) -> Iterator[Result]:
    """Return the rows; each has servers of its own, so that what one does to them is not the next one's."""
    yield from attempt("init-push-go", lambda: [_command_lines(settings)])
    yield from attempt(f"init-push-{CLIENTS}", partial(_requests, settings, CLIENTS, BARE_JOBS_EACH, 8))
    if settings.long:
        yield from attempt(f"init-push-{MANY_CLIENTS}", partial(_requests, settings, MANY_CLIENTS, 1, 3))


def _command_lines(settings: Settings) -> Row:
    pairs = Pairs()
    with control_plane() as plane:
        yardstick = Yardstick(plane.folder)
        programs = [plane.program(f"job-{number}") for number in range(COMMAND_LINES)]
        for number in range(1 + settings.rounds(5)):
            seconds = run_together(partial(_init_and_push, program) for program in programs)
            rate = COMMAND_LINES * JOBS_EACH / seconds
            if number:
                pairs.add(rate * yardstick.seconds(), GO.init_push_per_second * GO.yardstick_seconds)
    what = f"init + push by {COMMAND_LINES} command lines, per second / the Go product's record, by yardstick"
    return row("init-push-go", what, 2.0, pairs, "per yardstick", at_least=True)


def _init_and_push(chainloop: Program) -> None:
    for _ in range(JOBS_EACH):
        chainloop("attestation", "init", "--project", "bench", "--workflow", "build", "--replace")
        chainloop("attestation", "push")


def _requests(settings: Settings, clients: int, each: int, rounds: int) -> Iterator[Row]:
    rates, slowest, again = Pairs(), Pairs(), Pairs()
    with control_plane() as plane, bare_flask() as bare:
        maker = JobMaker(plane)
        for number in range(1 + settings.rounds(rounds)):
            jobs = [[maker.make() for _ in range(each)] for _ in range(clients)]
            ours, theirs = _send_both(plane.port, bare.port, jobs, number)
            _require_all(plane, [job for mine in jobs for job in mine])
            if number:
                rates.add(ours.rate, theirs.rate)
                slowest.add(percentile(ours.waits_ms, 99), percentile(theirs.waits_ms, 99))
                again.add(ours.reconnects, theirs.reconnects)
    what, against = f"requests of init + push, {clients} at once", "as many POSTs to Flask, one commit each"
    note = f"sent again on a new connection: ours {sum(again.ours):g}, baseline {sum(again.baseline):g} requests"
    name = f"init-push-{clients}"
    yield row(name, f"{what}, per second / {against}", 0.5, rates, "requests per s", at_least=True, note=note)
    yield row(f"{name}-p99", f"{what}, p99 / {against}", 2.0, slowest)


def _send_both(our_port: int, bare_port: int, jobs: list[list[Job]], number: int) -> tuple[Load, Load]:
    """Send the requests of the jobs to us, and as many of the same sizes to the bare server."""
    requests = [[raw for job in mine for raw in job.requests] for mine in jobs]
    posts = [[request_bytes("POST", "/commit", {}, bytes(len(raw))) for raw in mine] for mine in requests]
    return in_turn(number, partial(run_clients, our_port, requests), partial(run_clients, bare_port, posts))


def _require_all(plane: Plane, jobs: list[Job]) -> None:
    """Nothing that was acknowledged may be lost."""
    headers = {"Authorization": f"Bearer {plane.read_token}"}
    with closing(Client(plane.port)) as client:
        for job in jobs:
            status, _ = client.send(request_bytes("GET", f"/api/v1/attestations/{job.digest}", headers))
            if status != 200:
                raise RuntimeError(f"an acknowledged attestation is lost: {job.digest} ({status})")
