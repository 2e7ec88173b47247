"""Pages of 1 000 000 runs over HTTP, p99: first and filtered page against bare SQL, rare ones against the first page.

The runs are copies of a real one in the database of the server that answers. The bare SQL is written down in
`bench/many_runs.py`, reads the same columns of the same runs and names its index, so it is as fast as ever when the
server's query loses its own. Goal: at most 3 times.

Three pages show what a lost index costs. Their ten runs are the oldest of all: those of a runner that nobody else uses
(one in 100 000), those of a second workflow, and those of a second organization. Whoever walks the newer million to
find them takes a hundred times as long. They are compared with the first page of the same server, which shows five
times as many runs; goal: at most 1.5 times. Without a clock the same is held by
`tests/integration/server/test_run_list_plans.py`: for every combination of filters, the plan of the query is an index
in the order of the list.

`--long`: all of these pages at 10 000 000 runs against those at 1 000 000, at most 1.5 times (10 GB of disk, some
minutes).
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial

from bench.harness import Result, Row, Settings, attempt, measure, percentile, row
from bench.jobs import JobMaker
from bench.load import Client, request_bytes
from bench.many_runs import FILTERED_PAGE, FIRST_PAGE, BareSql, copy_run
from bench.plane import WORKFLOW, Plane, control_plane, log_noted
from chainloop_ci.api.limits import DEFAULT_PAGE

RUNS = 1_000_000
MANY_RUNS = 10_000_000
RARE = 10
"""Runs of each rare page."""
CALLS = 100

BY_SQL = {"first": ("", FIRST_PAGE), "filtered": ("state=error&runner=GITLAB_PIPELINE", FILTERED_PAGE)}
"""By page: the filter of the address, and the SQL that finds the same runs."""
BY_PAGE = {"rare-runner": "runner=TEKTON_PIPELINE", "workflow": "workflow=second", "organization": ""}
"""By rare page: the filter of the address; the last one is the first page of the second organization."""


def run(settings: Settings) -> Iterator[Result]:
    """Return a row for each page, with `--long` two."""
    with filled_plane(RUNS) as few:
        yield from few.rows_by_sql(settings)
        yield from few.rows_by_page(settings)
        if settings.long:
            yield from attempt("runs-10m", partial(_grown, few, settings))


def _grown(few: FilledPlane, settings: Settings) -> Iterator[Row]:
    with filled_plane(MANY_RUNS) as many:
        for name in (*BY_SQL, *BY_PAGE):
            pairs = measure(settings.rounds(9), _slowest(many.ask(name)), _slowest(few.ask(name)))
            yield row(f"runs-10m-{name}", f"{name} page, p99, {MANY_RUNS:,} runs / {RUNS:,}", 1.5, pairs)


@contextmanager
def filled_plane(count: int) -> Iterator[FilledPlane]:
    """Start a control plane with so many runs of its workflow, all newer than the few of the rare pages."""
    with control_plane() as plane, ExitStack() as stack:
        yield FilledPlane(plane, count, stack)


class FilledPlane:
    """A control plane with very many runs."""

    def __init__(self, plane: Plane, count: int, stack: ExitStack) -> None:
        """Fill it; `stack` closes the connections in the end."""
        self._plane = plane
        self._stack = stack
        self._count = count
        self._other = plane.another()
        self.database = plane.folder / "data" / "chainloop.db"
        copy_run(self.database, _begin(self._other), RARE - 1)
        second = plane.call("POST", "/workflows", {**WORKFLOW, "name": "second"})["id"]
        first = _begin(plane)
        copy_run(self.database, first, RARE, {"workflow_id": f"'{second}'"})
        copy_run(self.database, first, RARE, {"runner_type": "'TEKTON_PIPELINE'"})
        copy_run(self.database, first, count)
        self._organization_id = str(plane.call("GET", f"/organizations/{plane.organization}")["id"])

    def rows_by_sql(self, settings: Settings) -> Iterator[Result]:
        """Compare pages with the SQL that finds them."""
        for page in BY_SQL:
            what = f"{page} page of {self._count:,} runs, p99 / bare SQL"
            yield from self._attempt(page, partial(self._by_sql, page, what, settings))

    def rows_by_page(self, settings: Settings) -> Iterator[Result]:
        """Compare pages of few old runs with the first page."""
        for page in BY_PAGE:
            what = f"{RARE} runs older than {self._count:,} by {page}, p99 / the first page"
            yield from self._attempt(page, partial(self._by_page, page, what, settings))

    def ask(self, page: str) -> Callable[[], bytes]:
        """Return a function that asks for a page, over one kept connection."""
        plane = self._other if page == "organization" else self._plane
        query = BY_PAGE[page] if page in BY_PAGE else BY_SQL[page][0]
        client = self._stack.enter_context(closing(Client(plane.port)))
        return _ask(plane, client, f"/api/v1/workflow-runs?limit={DEFAULT_PAGE}&{query}".rstrip("&"))

    def bare(self, page: str) -> BareSql:
        """Return the SQL that finds the same runs as a page."""
        connection = self._stack.enter_context(closing(sqlite3.connect(self.database)))
        return BareSql(connection, self._organization_id, BY_SQL[page][1], DEFAULT_PAGE)

    def _attempt(self, page: str, measured: Callable[[], list[Result]]) -> Iterator[Result]:
        yield from attempt(f"runs-1m-{page}", measured, log_noted(self._plane.log))

    def _by_sql(self, page: str, what: str, settings: Settings) -> list[Result]:
        ask, bare = self.ask(page), self.bare(page)
        listed, found = run_ids(ask()), bare.run_ids()
        if len(listed) != DEFAULT_PAGE or not listed <= found:
            raise RuntimeError(f"the {page} page and the SQL find other runs: {len(listed - found)} of {len(listed)}")
        pairs = measure(settings.rounds(9), _slowest(ask), _slowest(bare))
        return [row(f"runs-1m-{page}", what, 3.0, pairs)]

    def _by_page(self, page: str, what: str, settings: Settings) -> list[Result]:
        ask = self.ask(page)
        listed = run_ids(ask())
        if len(listed) != RARE:
            raise RuntimeError(f"expected {RARE} runs by {page}, found {len(listed)}")
        pairs = measure(settings.rounds(6), _slowest(ask), _slowest(self.ask("first")))
        return [row(f"runs-1m-{page}", what, 1.5, pairs)]


def _begin(plane: Plane) -> str:
    job = JobMaker(plane).make()
    with closing(Client(plane.port)) as client:
        status, body = client.send(job.requests[1])
    if status != 201:
        raise RuntimeError(f"the run was not begun: {status} {body[:300]!r}")
    return job.run_id


def run_ids(body: bytes) -> set[str]:
    """Return which runs a page lists."""
    return {item["id"] for item in json.loads(body)["items"]}


def _ask(plane: Plane, client: Client, path: str) -> Callable[[], bytes]:
    raw = request_bytes("GET", path, {"Authorization": f"Bearer {plane.read_token}"})

    def ask() -> bytes:
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
