"""`/metrics`: the names of the reference, one organization each (reference section 6.6)."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.server.conftest import Clock, Tenant, bearer
from tests.integration.server.jobs import Job, Key

UP = "chainloop_workflow_up"
DURATION = "chainloop_workflow_run_duration_seconds"


@pytest.fixture
def scrape(client: FlaskClient) -> Any:
    """Return a function that reads the metrics with a token: {(sample, labels): value}."""

    def read(secret: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        answer = client.get("/metrics", headers=bearer(secret))
        assert answer.status_code == 200, answer.text
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        }

    return read


def labels(tenant: Tenant, **more: str) -> frozenset[tuple[str, str]]:
    """Return the labels of the workflow `app/build`."""
    named = {"org": tenant.name, "project": "app", "workflow": "build", "runner": "GITHUB_ACTION", **more}
    return frozenset(named.items())


def begin(job: Job) -> Job:
    """Return a job of the same workflow whose run has begun."""
    one = replace(job, run_id=str(uuid.uuid4()), materials={})
    assert one.begin().status_code == 201
    return one


def test_a_successful_run_is_up_and_its_duration_counted(job: Job, acme: Tenant, scrape: Any, clock: Clock) -> None:
    one = begin(job)
    one.add_everything()
    clock.advance(seconds=75)
    one.push()

    found = scrape(acme.token("read"))

    status = labels(acme, status="success")
    assert found[UP, labels(acme)] == 1
    assert found[f"{DURATION}_count", status] == 1
    assert found[f"{DURATION}_sum", status] == 75
    assert found[f"{DURATION}_bucket", labels(acme, status="success", le="60.0")] == 0
    assert found[f"{DURATION}_bucket", labels(acme, status="success", le="90.0")] == 1
    assert found[f"{DURATION}_bucket", labels(acme, status="success", le="+Inf")] == 1


def test_the_last_ended_run_decides_and_an_open_one_does_not(job: Job, acme: Tenant, scrape: Any) -> None:
    failed = begin(job)
    failed.api.post(f"{failed.path}/cancel", json={"trigger": "failure"}, headers=failed.headers)
    begin(job)

    found = scrape(acme.token("read"))

    assert found[UP, labels(acme)] == 0
    assert found[f"{DURATION}_count", labels(acme, status="error")] == 1
    assert (f"{DURATION}_count", labels(acme, status="initialized")) not in found


def test_an_overdue_run_counts_as_expired(job: Job, acme: Tenant, scrape: Any, clock: Clock) -> None:
    begin(job)
    clock.advance(days=2)

    found = scrape(acme.token("read"))

    assert found[UP, labels(acme)] == 0
    assert found[f"{DURATION}_sum", labels(acme, status="expired")] == 6 * 3600


def test_r4_an_unverified_run_counts_as_success_nowhere(job: Job, acme: Tenant, scrape: Any, api: Any) -> None:
    api(acme.token("admin")).patch(f"/organizations/{acme.name}", json={"acceptUnsigned": True})
    one = begin(job)
    one.add_everything()
    one.push(Key().bundle(one.payload()))

    found = scrape(acme.token("read"))

    assert found[UP, labels(acme)] == 0
    assert (f"{DURATION}_count", labels(acme, status="success")) not in found


def test_a_repeated_push_is_counted_once(job: Job, acme: Tenant, scrape: Any) -> None:
    one = begin(job)
    one.add_everything()
    bundle = one.key.bundle(one.payload())
    one.push(bundle)
    one.push(bundle)

    found = scrape(acme.token("read"))

    assert found[f"{DURATION}_count", labels(acme, status="success")] == 1


def test_another_organization_sees_nothing(job: Job, rival: Tenant, scrape: Any) -> None:
    one = begin(job)
    one.api.post(f"{one.path}/cancel", json={"trigger": "failure"}, headers=one.headers)

    found = scrape(rival.token("read"))

    assert not [sample for sample in found if sample[0].startswith((UP, DURATION))]


def test_a_reader_of_another_project_sees_nothing_of_this_one(
    job: Job, acme: Tenant, scrape: Any, api: Any, clock: Clock
) -> None:
    one = begin(job)
    one.api.post(f"{one.path}/cancel", json={"trigger": "failure"}, headers=one.headers)
    made = api(acme.token("admin")).post("/api-tokens", json={"name": "other", "role": "read", "project": "other"})

    found = scrape(made.json["secret"])

    assert not [sample for sample in found if sample[0].startswith((UP, DURATION))]


def test_metrics_need_a_reader(client: FlaskClient, acme: Tenant) -> None:
    anonymous = client.get("/metrics")
    attester = client.get("/metrics", headers=bearer(acme.token("attest")))

    assert (anonymous.status_code, attester.status_code) == (401, 403)


def test_an_instance_token_names_the_organization(client: FlaskClient, acme: Tenant, instance_token: str) -> None:
    unnamed = client.get("/metrics", headers=bearer(instance_token))
    named = client.get("/metrics", headers=bearer(instance_token, Chainloop_Organization=acme.name))

    assert (unnamed.status_code, named.status_code) == (400, 200)
    assert "Chainloop-Organization" in unnamed.json["hint"]
