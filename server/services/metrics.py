"""Prometheus metrics of one organization, read from the database: right on every worker (reference section 6.6)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from chainloop_ci.api.runs import RunState
from server.model.durations import Bucket, bucket_of, cumulative, milliseconds
from server.model.principal import Principal
from server.store import metrics
from server.store.database import Database
from server.store.metrics import DurationBucket, LastRun, OverdueRun

MAX_SERIES = 1000
"""Label sets of one metric of one organization; workflows that ran last come first, the rest is counted (T47)."""
MAX_OVERDUE = 10_000
"""Overdue runs that are read one by one, until somebody writes down that they are expired."""

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_Labels = tuple[str, str, str, str]


class Metrics:
    """Renders metrics."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def render(self, principal: Principal) -> bytes:
        """Return what the principal reaches, in Prometheus' text format 0.0.4."""
        now, reach = self._now(), principal.reach
        with self._database.read() as connection:
            last = metrics.list_last_runs(connection, reach, now=now, limit=MAX_SERIES + 1)
            counted = metrics.list_durations(connection, reach)
            overdue = metrics.list_overdue(connection, reach, now=now, limit=MAX_OVERDUE)
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Snapshot(principal.organization, last, [*counted, *map(_as_bucket, overdue)]))
        return generate_latest(registry)


class _Snapshot(Collector):
    """What was read in one transaction, as metrics."""

    def __init__(self, organization: str, last: list[LastRun], counted: Iterable[DurationBucket]) -> None:
        self._organization = organization
        self._last = last
        self._series: dict[_Labels, list[Bucket]] = defaultdict(list)
        for entry in counted:
            self._series[entry.project, entry.workflow, entry.state, entry.runner_type].append(entry.bucket)

    def collect(self) -> Iterator[Metric]:
        """Yield the metric families."""
        yield self._up()
        yield self._durations()
        dropped = GaugeMetricFamily("chainloop_metrics_series_dropped", "Series left out of this answer, per metric.")
        dropped.add_sample(dropped.name, {"metric": "chainloop_workflow_up"}, max(0, len(self._last) - MAX_SERIES))
        name = "chainloop_workflow_run_duration_seconds"
        dropped.add_sample(dropped.name, {"metric": name}, max(0, len(self._series) - MAX_SERIES))
        yield dropped

    def _up(self) -> Metric:
        family = GaugeMetricFamily(
            "chainloop_workflow_up",
            "1 when the workflow's last ended run is a success, else 0.",
            labels=("org", "project", "workflow", "runner"),
        )
        for run in self._last[:MAX_SERIES]:
            family.add_metric((self._organization, run.project, run.workflow, run.runner_type), float(run.succeeded))
        return family

    def _durations(self) -> Metric:
        family = HistogramMetricFamily(
            "chainloop_workflow_run_duration_seconds",
            "How long runs lasted from init to their end.",
            labels=("org", "project", "workflow", "status", "runner"),
        )
        for labels, buckets in sorted(self._series.items())[:MAX_SERIES]:
            counts, total_seconds = cumulative(buckets)
            family.add_metric((self._organization, *labels), counts, total_seconds)
        return family


def _as_bucket(run: OverdueRun) -> DurationBucket:
    """Count an overdue run as what it is: expired, for as long as it was open."""
    lasted = milliseconds(run.created_at, run.expires_at)
    bucket = Bucket(bucket_of(timedelta(milliseconds=lasted)), 1, lasted)
    return DurationBucket(run.project, run.workflow, RunState.EXPIRED.value, run.runner_type, bucket)
