"""The metrics of the whole server, for its operator: requests, content checks, disk, sweeps, and all organizations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

import chainloop_ci
from server.model.sweeps import SweepName, SweepState
from server.services.health import Health
from server.services.metrics import render
from server.services.metrics_counters import counter_families, store_families
from server.services.metrics_deliveries import DeliveryUse, delivery_families, read_use
from server.services.metrics_families import Families, Series, single
from server.services.metrics_process import ProcessMetrics
from server.store import metrics, schema, sweeps
from server.store.database import Database
from server.store.metrics import CounterValue, StoreUse, Unreferenced

MAX_UNREFERENCED = 100_000
"""Uploads that are counted as unreferenced; of more it is said that there are at least so many."""


@dataclass(frozen=True, slots=True)
class _Facts:
    """What was read for one answer."""

    problems: Sequence[str]
    """Codes of what keeps the server from being ready, and of warnings."""
    is_ready: bool
    free_bytes: int | None
    counters: Sequence[CounterValue]
    use: Sequence[StoreUse]
    unreferenced: Unreferenced
    sweeps: Mapping[str, SweepState]
    deliveries: DeliveryUse


class ServerMetrics:
    """Renders the metrics of the server."""

    def __init__(self, database: Database, health: Health, process: ProcessMetrics) -> None:
        self._database = database
        self._health = health
        self._process = process

    def render(self) -> bytes:
        """Return everything in Prometheus' text format 0.0.4."""
        condition = self._health.look()
        with self._database.read() as connection:
            facts = _Facts(
                problems=[finding.code for finding in (*condition.findings, *condition.warnings)],
                is_ready=condition.is_ready,
                free_bytes=condition.free_bytes,
                counters=metrics.list_counters(connection, None),
                use=metrics.list_store_use(connection, None),
                unreferenced=metrics.count_unreferenced(connection, limit=MAX_UNREFERENCED),
                sweeps=sweeps.list_all(connection),
                deliveries=read_use(connection),
            )
        return render(_Server(facts, self._process))


class _Server(Collector):
    def __init__(self, facts: _Facts, process: ProcessMetrics) -> None:
        self._facts = facts
        self._process = process
        self._families = Families()

    def collect(self) -> Iterator[Metric]:
        """Yield the metric families."""
        yield from self._state()
        yield from self._requests()
        yield from self._store()
        yield from self._sweeps()
        yield from delivery_families(self._families, self._facts.deliveries)
        yield from counter_families(self._families, self._facts.counters)
        yield self._families.dropped()

    def _state(self) -> Iterator[Metric]:
        gauge, facts = self._families.gauge, self._facts
        info: Series = [((chainloop_ci.__version__, schema.head_version()), 1.0)]
        yield gauge("chainloop_build_info", "What runs here.", ("version", "schema"), info)
        yield gauge("chainloop_ready", "1 when /readyz answers 200, else 0.", (), single(float(facts.is_ready)))
        problems = [((code,), 1.0) for code in sorted(set(facts.problems))]
        yield gauge("chainloop_problem", "1 for each code in the answer of /readyz.", ("code",), problems)
        yield gauge("chainloop_workers", "Processes that answer requests.", (), single(self._process.workers))

    def _requests(self) -> Iterator[Metric]:
        process, families = self._process, self._families
        traffic = list(process.traffic())
        yield families.gauge(
            "chainloop_http_requests_in_flight", "Requests that are being answered.", (), single(process.in_flight)
        )
        yield families.counter(
            "chainloop_http_requests_total",
            "Answers since the server started.",
            ("method", "route", "status"),
            [((entry.method, entry.route, status), count) for entry in traffic for status, count in entry.statuses],
        )
        yield families.histogram(
            "chainloop_http_request_duration_seconds",
            "Time from the head of a request to the beginning of its answer.",
            ("method", "route"),
            [((entry.method, entry.route), entry.buckets, entry.seconds) for entry in traffic],
        )
        yield families.counter(
            "chainloop_content_checks_total",
            "Documents that were looked at, by what came of it (R11).",
            ("outcome",),
            [((outcome,), count) for outcome, count in process.checks().items()],
        )
        yield families.counter(
            "chainloop_inbound_webhooks_total",
            "Webhooks that were answered, by how they were taken or the code of their refusal.",
            ("receiver", "outcome"),
            [((receiver, outcome), count) for receiver, outcome, count in process.webhooks()],
        )
        yield families.counter(
            "chainloop_gate_answers_total",
            "Questions to gates that were answered (R36).",
            ("answer",),
            [((answer,), count) for answer, count in process.gates().items()],
        )

    def _store(self) -> Iterator[Metric]:
        gauge, facts = self._families.gauge, self._facts
        free = single(facts.free_bytes) if facts.free_bytes is not None else []
        yield gauge("chainloop_cas_free_bytes", "Bytes free on the disk of the data folder.", (), free)
        yield from store_families(self._families, facts.use)
        yield gauge(
            "chainloop_cas_unreferenced_bytes",
            "Bytes of uploads that no sweep has found in an attestation yet.",
            (),
            single(facts.unreferenced.size_bytes),
        )
        yield gauge(
            "chainloop_cas_unreferenced_uploads",
            f"Uploads that no sweep has found in an attestation yet; {MAX_UNREFERENCED} stands for so many or more.",
            (),
            single(facts.unreferenced.uploads),
        )

    def _sweeps(self) -> Iterator[Metric]:
        gauge = self._families.gauge
        known = [(name.value, self._facts.sweeps[name]) for name in SweepName if name in self._facts.sweeps]
        yield gauge(
            "chainloop_sweep_last_start_timestamp_seconds",
            "When the sweep began the last time.",
            ("sweep",),
            [((name,), state.started_at.timestamp()) for name, state in known],
        )
        yield gauge(
            "chainloop_sweep_last_success_timestamp_seconds",
            "When the sweep was done without an error the last time; 0: never.",
            ("sweep",),
            [((name,), _seconds(state.succeeded_at)) for name, state in known],
        )
        yield gauge(
            "chainloop_sweep_last_outcome",
            "1 for how the sweep ended the last time.",
            ("sweep", "outcome"),
            [((name, state.outcome.value), 1.0) for name, state in known],
        )


def _seconds(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0
