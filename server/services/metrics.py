"""Prometheus metrics, read from the database and from what the workers share: right on every worker (reference 6.6).

Two views: of an organization, for any of its readers; and of the whole server, for its operator.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from chainloop_ci.api.runs import RunState
from server.model.drift import DriftKind
from server.model.durations import Bucket, bucket_of, cumulative, milliseconds
from server.model.principal import Principal, Reach
from server.services.drift import count_all
from server.services.metrics_counters import counter_families, store_families
from server.services.metrics_families import MAX_SERIES, Families
from server.services.metrics_inventories import InventoryUse, inventory_families, read_inventories
from server.store import metrics
from server.store.database import Database
from server.store.metrics import CounterValue, DurationBucket, LastRun, OverdueRun, StoreUse

MAX_OVERDUE = 10_000
"""Overdue runs that are read one by one, until somebody writes down that they are expired."""

MAX_DRIFT = 10_000
"""Entries of one kind of drift that are counted."""

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_Labels = tuple[str, str, str, str]


class Metrics:
    """Renders the metrics of an organization."""

    def __init__(self, database: Database, now: Callable[[], datetime], listing_kinds: tuple[str, ...] = ()) -> None:
        """`listing_kinds` are the kinds of integrations that list repositories."""
        self._database = database
        self._now = now
        self._listing_kinds = listing_kinds

    def render(self, principal: Principal) -> bytes:
        """Return what the principal reaches, in Prometheus' text format 0.0.4.

        Counters of the organization as a whole are for tokens that reach the whole of it.
        """
        now, reach = self._now(), principal.reach
        with self._database.read() as connection:
            last = metrics.list_last_runs(connection, reach, now=now, limit=MAX_SERIES + 1)
            counted = metrics.list_durations(connection, reach)
            overdue = metrics.list_overdue(connection, reach, now=now, limit=MAX_OVERDUE)
            counters = metrics.list_counters(connection, reach.organization_id) if reach.is_whole else []
            use = metrics.list_store_use(connection, reach.organization_id) if reach.is_whole else []
            drifting = count_all(connection, reach, now, limit=MAX_DRIFT)
            listed = read_inventories(connection, reach.organization_id, self._kinds_for(reach))
        durations = [*counted, *map(_as_bucket, overdue)]
        return render(_Organization(principal.organization, last, durations, counters, use, drifting, listed))

    def _kinds_for(self, reach: Reach) -> tuple[str, ...]:
        # Repositories belong to the organization as a whole.
        return self._listing_kinds if reach.is_whole else ()


def render(collector: Collector) -> bytes:
    """Return the metrics of one answer in Prometheus' text format 0.0.4, which escapes labels."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return generate_latest(registry)


class _Organization(Collector):
    """What was read in one transaction, as metrics."""

    def __init__(
        self,
        organization: str,
        last: list[LastRun],
        counted: Iterable[DurationBucket],
        counters: list[CounterValue],
        use: list[StoreUse],
        drifting: Mapping[DriftKind, int],
        listed: InventoryUse,
    ) -> None:
        self._organization = organization
        self._last = last
        self._counters = counters
        self._use = use
        self._drifting = drifting
        self._listed = listed
        self._series: dict[_Labels, list[Bucket]] = defaultdict(list)
        for entry in counted:
            self._series[entry.project, entry.workflow, entry.state, entry.runner_type].append(entry.bucket)

    def collect(self) -> Iterator[Metric]:
        """Yield the metric families."""
        families = Families()
        yield self._up(families)
        yield self._durations(families)
        yield self._drift(families)
        yield from counter_families(families, self._counters)
        yield from store_families(families, self._use)
        yield from inventory_families(families, self._organization, self._listed)
        yield families.dropped()

    def _up(self, families: Families) -> Metric:
        return families.gauge(
            "chainloop_workflow_up",
            "1 when the workflow's last ended run is a success, else 0.",
            ("org", "project", "workflow", "runner"),
            [
                ((self._organization, run.project, run.workflow, run.runner_type), float(run.succeeded))
                for run in self._last
            ],
        )

    def _drift(self, families: Families) -> Metric:
        counted = [((self._organization, kind.value), float(number)) for kind, number in self._drifting.items()]
        text = f"What `chainloop workflow drift` lists, by kind; {MAX_DRIFT} stands for so much or more."
        return families.gauge("chainloop_drift", text, ("org", "kind"), counted)

    def _durations(self, families: Families) -> Metric:
        return families.histogram(
            "chainloop_workflow_run_duration_seconds",
            "How long runs lasted from init to their end.",
            ("org", "project", "workflow", "status", "runner"),
            [((self._organization, *labels), *cumulative(buckets)) for labels, buckets in sorted(self._series.items())],
        )


def _as_bucket(run: OverdueRun) -> DurationBucket:
    """Count an overdue run as what it is: expired, for as long as it was open."""
    lasted = milliseconds(run.created_at, run.expires_at)
    bucket = Bucket(bucket_of(timedelta(milliseconds=lasted)), 1, lasted)
    return DurationBucket(run.project, run.workflow, RunState.EXPIRED.value, run.runner_type, bucket)
