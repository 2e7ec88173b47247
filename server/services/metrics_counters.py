"""The metrics that are counters of organizations: one row each, changed in the transaction of what it counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from prometheus_client.metrics_core import Metric

from server.services.metrics_families import Families
from server.services.run_expiry import RUNS_EXPIRED
from server.services.upload_sweep import UPLOAD_BYTES_REMOVED, UPLOADS_REMOVED
from server.store.metrics import CounterValue, StoreUse

REFUSED_STORES = "refused_stores"
"""Counter, by the code of the refusal."""
REFUSED_INITS = "refused_inits"
FORGED_STATUSES = "forged_statuses"
"""Counter, by surface."""
UPLOADS = "uploads"
UPLOAD_BYTES = "upload_bytes"


@dataclass(frozen=True, slots=True)
class CounterMetric:
    """How one counter is shown."""

    counter: str
    name: str
    text: str
    label: str = ""
    """What the counter's label is called; empty: it has none."""


COUNTERS: tuple[CounterMetric, ...] = (
    CounterMetric(
        REFUSED_STORES,
        "chainloop_refused_stores_total",
        "Attestations that were refused, by the reason's code.",
        "code",
    ),
    CounterMetric(
        REFUSED_INITS,
        "chainloop_refused_inits_total",
        "Inits that were refused because they came from another runner than the contract asks for.",
    ),
    CounterMetric(UPLOADS, "chainloop_uploads_total", "Artifacts that were uploaded, known ones too."),
    CounterMetric(UPLOAD_BYTES, "chainloop_upload_bytes_total", "Bytes of uploaded artifacts, known ones too."),
    CounterMetric(
        UPLOADS_REMOVED, "chainloop_uploads_removed_total", "Uploads that no attestation referred to, swept."
    ),
    CounterMetric(UPLOAD_BYTES_REMOVED, "chainloop_upload_bytes_removed_total", "Bytes of uploads that were swept."),
    CounterMetric(
        FORGED_STATUSES,
        "chainloop_forged_statuses_total",
        "Statuses and check runs under our names that somebody else wrote, by where.",
        "surface",
    ),
    CounterMetric(RUNS_EXPIRED, "chainloop_runs_expired_total", "Runs that a sweep ended because their time was over."),
)
"""Every counter that is shown."""


def counter_families(families: Families, counted: Sequence[CounterValue]) -> Iterator[Metric]:
    """Yield the families of `COUNTERS`; those on which nothing was counted have no series."""
    for metric in COUNTERS:
        labels = ("org", metric.label) if metric.label else ("org",)
        own = (entry for entry in counted if entry.name == metric.counter)
        series = [((entry.organization, entry.label)[: len(labels)], float(entry.value)) for entry in own]
        yield families.counter(metric.name, metric.text, labels, series)


def store_families(families: Families, use: Sequence[StoreUse]) -> Iterator[Metric]:
    """Yield what organizations store, and what they may."""
    used = [((entry.organization,), float(entry.used_bytes)) for entry in use]
    yield families.gauge("chainloop_cas_used_bytes", "Bytes of stored artifacts.", ("org",), used)
    quotas = [((entry.organization,), float(entry.quota_bytes)) for entry in use if entry.quota_bytes]
    yield families.gauge(
        "chainloop_cas_quota_bytes", "Bytes that may be stored, where that is limited.", ("org",), quotas
    )
