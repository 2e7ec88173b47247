"""`docs/monitoring` as an operator uses it: what the dashboard and the alerts name is what the server says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask.testing import FlaskClient

from server.model.deliveries import DeliveryState
from server.model.drift import DriftKind
from server.services.metrics_process import WEBHOOK_OUTCOMES
from tests.integration.server.conftest import Tenant, bearer

METRIC = re.compile(r"\bchainloop_[a-z_]+")


@pytest.fixture
def folder(project: Path) -> Path:
    return project / "docs" / "monitoring"


@pytest.fixture
def known(client: FlaskClient, acme: Tenant, instance_token: str) -> set[str]:
    """Return the names of all samples that the server's two views can have."""
    views = (client.get("/metrics", headers=bearer(secret)).text for secret in (instance_token, acme.token("read")))
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", "\n".join(views), re.MULTILINE))
    histograms = [name for name, kind in types.items() if kind == "histogram"]
    return {*types, *(f"{name}_{part}" for name in histograms for part in ("bucket", "count", "sum"))}


def expressions(document: Any) -> Iterator[str]:
    """Yield every query of a dashboard or of alerts."""
    if isinstance(document, list):
        for item in document:
            yield from expressions(item)
    elif isinstance(document, dict):
        for name, value in document.items():
            if name in ("expr", "query") and isinstance(value, str):
                yield value
            else:
                yield from expressions(value)


def test_every_metric_of_the_dashboard_exists(folder: Path, known: set[str]) -> None:
    dashboard = json.loads((folder / "grafana-dashboard.json").read_text())
    named = {name for text in expressions(dashboard) for name in METRIC.findall(text)}

    assert named <= known
    assert len(named) > 15


def test_every_metric_of_the_alerts_exists(folder: Path, known: set[str]) -> None:
    alerts = yaml.safe_load((folder / "alerts.yml").read_text())
    named = {name for text in expressions(alerts) for name in METRIC.findall(text)}

    assert named <= known
    assert len(named) > 8


def test_every_metric_is_on_the_dashboard_or_in_the_guide(folder: Path, known: set[str], project: Path) -> None:
    shown = (folder / "grafana-dashboard.json").read_text() + (project / "docs" / "operating.md").read_text()

    missing = {name for name in known if name not in shown and not name.endswith(("_sum", "_count", "_bucket"))}

    assert missing == set()


@pytest.mark.parametrize(
    "metric",
    [
        "chainloop_deliveries",
        "chainloop_delivery_oldest_pending_timestamp_seconds",
        "chainloop_registration_failing",
        "chainloop_registration_paused",
        "chainloop_credential_expiry_timestamp_seconds",
        "chainloop_inbound_webhooks_total",
        "chainloop_forged_statuses_total",
        "chainloop_drift",
        "chainloop_repositories_listed_timestamp_seconds",
    ],
)
def test_what_keeps_verdicts_from_arriving_has_an_alert_and_a_panel(folder: Path, metric: str) -> None:
    named = re.compile(rf"\b{metric}\b")

    assert named.search((folder / "alerts.yml").read_text())
    assert named.search((folder / "grafana-dashboard.json").read_text())


def test_alerts_name_words_that_there_are(folder: Path) -> None:
    rules = {
        rule["alert"]: rule["expr"]
        for group in yaml.safe_load((folder / "alerts.yml").read_text())["groups"]
        for rule in group["rules"]
    }
    [taken] = re.findall(r'outcome!~"([^"]+)"', rules["ChainloopWebhooksRefused"])
    states = {word for rule in rules.values() for word in re.findall(r'\bstate="([^"]+)"', rule)}
    kinds = {word for rule in rules.values() for word in re.findall(r'chainloop_drift\{kind="([^"]+)"', rule)}

    assert set(taken.split("|")) == {"accepted", "ignored", "repeated"}
    assert set(taken.split("|")) < set(WEBHOOK_OUTCOMES)
    assert states == {DeliveryState.PENDING.value, DeliveryState.DEAD.value}
    assert kinds <= {kind.value for kind in DriftKind}
    assert len(kinds) == 2


def test_panels_do_not_lie_upon_each_other(folder: Path) -> None:
    panels = [panel["gridPos"] for panel in json.loads((folder / "grafana-dashboard.json").read_text())["panels"]]
    taken = [(at["x"] + dx, at["y"] + dy) for at in panels for dx in range(at["w"]) for dy in range(at["h"])]

    assert len(set(taken)) == len(taken)


def test_the_dashboard_can_be_imported(folder: Path) -> None:
    dashboard = json.loads((folder / "grafana-dashboard.json").read_text())
    panels = dashboard["panels"]

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert {variable["name"] for variable in dashboard["templating"]["list"]} == {"datasource", "org"}
    for panel in panels:
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
        assert panel["type"] == "row" or panel["targets"]


def test_alerts_say_what_is_the_matter(folder: Path) -> None:
    groups = yaml.safe_load((folder / "alerts.yml").read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]

    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert rule["annotations"]["summary"]


def test_the_scrape_jobs_are_those_that_dashboard_and_alerts_mean(folder: Path) -> None:
    scraping = yaml.safe_load((folder / "prometheus.yml").read_text())
    jobs = {job["job_name"] for job in scraping["scrape_configs"]}
    texts = (folder / "alerts.yml").read_text() + (folder / "grafana-dashboard.json").read_text().replace('\\"', '"')

    assert set(re.findall(r'job="([^"]+)"', texts)) <= jobs
    for job in scraping["scrape_configs"]:
        assert job["metrics_path"] == "/metrics"
        # A token in the file would end up in somebody's repository.
        assert set(job["authorization"]) == {"type", "credentials_file"}
    assert all((folder / name).is_file() for name in scraping["rule_files"])
