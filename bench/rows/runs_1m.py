"""First page and filtered page of 1 000 000 runs over HTTP, p99, against the same SQL sent by the bare driver.

The runs are copies of a real one in the database of the server that answers. Goal: at most 3 times. `--long`: the same
pages at 10 000 000 runs against those at 1 000 000, at most 1.5 times (10 GB of disk, some minutes).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from bench.harness import Row, Settings, measure, percentile, row
from bench.jobs import JobMaker
from bench.load import Client, request_bytes
from bench.many_runs import BareSql, copy_run
from bench.plane import Plane, control_plane
from chainloop_ci.api.limits import DEFAULT_PAGE
from chainloop_ci.api.runs import RunState
from server.model.run_filters import RunFilter

RUNS = 1_000_000
MANY_RUNS = 10_000_000
CALLS = 100

PAGES = {
    "first": ("", RunFilter()),
    "filtered": ("&state=error&runner=GITLAB_PIPELINE", RunFilter(state=RunState.ERROR, runner="GITLAB_PIPELINE")),
}
"""By row: the query's filter, in the words of the address and of the store."""


def run(settings: Settings) -> list[Row]:
    """Return a row for each page, with `--long` two."""
    rows: list[Row] = []
    with ExitStack() as stack:
        few = stack.enter_context(control_plane())
        database = _fill(few, RUNS)
        for name, (query, wanted) in PAGES.items():
            bare = BareSql(database, _organization(few), wanted, DEFAULT_PAGE)
            pairs = measure(settings.rounds(9), _slowest(_ask(few, query)), _slowest(bare))
            rows.append(row(f"runs-1m-{name}", f"{name} page of {RUNS:,} runs, p99 / the same SQL", 3.0, pairs))
        if settings.long:
            many = stack.enter_context(control_plane())
            _fill(many, MANY_RUNS)
            for name, (query, _) in PAGES.items():
                pairs = measure(settings.rounds(9), _slowest(_ask(many, query)), _slowest(_ask(few, query)))
                rows.append(row(f"runs-10m-{name}", f"{name} page, p99, {MANY_RUNS:,} runs / {RUNS:,}", 1.5, pairs))
    return rows


def _fill(plane: Plane, count: int) -> Path:
    job, client = JobMaker(plane).make(), Client(plane.port)
    client.send(job.requests[1])
    client.close()
    database = plane.folder / "data" / "chainloop.db"
    copy_run(database, job.run_id, count)
    return database


def _organization(plane: Plane) -> str:
    return str(plane.call("GET", f"/organizations/{plane.organization}")["id"])


def _ask(plane: Plane, query: str) -> Callable[[], object]:
    path = f"/api/v1/workflow-runs?limit={DEFAULT_PAGE}{query}"
    raw, client = request_bytes("GET", path, {"Authorization": f"Bearer {plane.read_token}"}), Client(plane.port)

    def ask() -> object:
        status, body = client.send(raw)
        if status != 200:
            raise RuntimeError(f"{path}: {status} {body[:300]!r}")
        return body

    return ask


def _slowest(action: Callable[[], object]) -> Callable[[], float]:
    """Return a function that says how long the slowest of a hundred takes, in milliseconds."""

    def measured() -> float:
        waits = []
        for _ in range(CALLS):
            start = time.perf_counter()
            action()
            waits.append(1000 * (time.perf_counter() - start))
        return percentile(waits, 99)

    return measured
