"""`/metrics`: the names of the reference, one organization each (reference section 6.6)."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from server.config import ServerConfig
from server.dispatch_wiring import build_dispatcher
from server.model.organizations import StoredOrganization
from server.model.sweeps import SweepName
from server.services.metrics_counters import REFUSED_STORES, UPLOADS
from server.store import counters, organizations
from server.wiring import Services
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


def test_an_instance_token_that_names_an_organization_sees_what_its_readers_see(
    client: FlaskClient, acme: Tenant, instance_token: str
) -> None:
    named = client.get("/metrics", headers=bearer(instance_token, Chainloop_Organization=acme.name))

    assert named.text == client.get("/metrics", headers=bearer(acme.token("read"))).text


# --- counters of organizations ---------------------------------------------------------------------------------------


def of(**labels: str) -> frozenset[tuple[str, str]]:
    return frozenset(labels.items())


def test_uploads_are_counted_with_their_bytes(job: Job, acme: Tenant, rival: Tenant, scrape: Any) -> None:
    one = begin(job)
    for _ in range(2):
        one.upload(b"twelve bytes", "a.txt")

    found = scrape(acme.token("read"))

    assert found["chainloop_uploads_total", of(org="acme")] == 2
    assert found["chainloop_upload_bytes_total", of(org="acme")] == 24
    assert found["chainloop_cas_used_bytes", of(org="acme")] == 12
    assert not [sample for sample in scrape(rival.token("read")) if sample[0] == "chainloop_uploads_total"]


def test_refused_inits_are_counted(job: Job, acme: Tenant, scrape: Any) -> None:
    job.begin(runnerType="JENKINS_JOB")

    found = scrape(acme.token("read"))

    assert found["chainloop_refused_inits_total", of(org="acme")] == 1


def test_refused_stores_are_counted_by_code(job: Job, acme: Tenant, scrape: Any) -> None:
    one = begin(job)
    one.push(b"no bundle")
    one.push(b"no bundle either")
    one.push(Key().bundle(one.payload()))

    found = scrape(acme.token("read"))

    assert found["chainloop_refused_stores_total", of(org="acme", code="bundle-invalid")] == 2
    assert found["chainloop_refused_stores_total", of(org="acme", code="signer-not-trusted")] == 1


def test_r1_a_reader_of_one_project_sees_no_counters_of_the_organization(job: Job, acme: Tenant, scrape: Any) -> None:
    begin(job).upload(b"twelve bytes", "a.txt")

    found = scrape(acme.token("read", "project"))

    assert not [sample for sample in found if sample[0].startswith(("chainloop_uploads", "chainloop_cas"))]


# --- the whole server ------------------------------------------------------------------------------------------------


def test_the_operator_sees_every_organization(job: Job, rival: Tenant, scrape: Any, instance_token: str) -> None:
    begin(job).upload(b"twelve bytes", "a.txt")

    found = scrape(instance_token)

    assert found["chainloop_uploads_total", of(org="acme")] == 1
    assert found["chainloop_cas_used_bytes", of(org="rival")] == 0
    assert found["chainloop_cas_unreferenced_bytes", of()] == 12
    assert found["chainloop_cas_unreferenced_uploads", of()] == 1
    assert found["chainloop_cas_free_bytes", of()] > 0


def test_requests_are_counted_by_route_and_never_by_path(
    client: FlaskClient, acme: Tenant, scrape: Any, instance_token: str
) -> None:
    for path in ("/api/v1/contracts/one", "/api/v1/contracts/two", "/nowhere/1", "/nowhere/2"):
        client.get(path, headers=bearer(acme.token("read")))
    client.open("/healthz", method="BREW")

    found = scrape(instance_token)

    requests = "chainloop_http_requests_total"
    assert found[requests, of(method="GET", route="/api/v1/contracts/<name>", status="404")] == 2
    assert found[requests, of(method="GET", route="unknown", status="404")] == 2
    assert found[requests, of(method="unknown", route="unknown", status="405")] == 1
    assert found["chainloop_http_request_duration_seconds_count", of(method="GET", route="unknown")] == 2
    assert found["chainloop_http_requests_in_flight", of()] == 1
    assert found["chainloop_workers", of()] == 1


def test_the_state_of_the_server_is_a_metric(scrape: Any, instance_token: str, clock: Clock) -> None:
    clock.advance(minutes=1)
    found = scrape(instance_token)

    assert found["chainloop_ready", of()] == 1
    assert found["chainloop_problem", of(code="sweep-late")] == 1


def test_sweeps_say_when_they_were_done(
    services: Services, config: ServerConfig, clock: Clock, scrape: Any, instance_token: str
) -> None:
    build_dispatcher(config, services.world, services.database, services.transport, holder="me").run()

    found = scrape(instance_token)

    for sweep in SweepName:
        assert found["chainloop_sweep_last_success_timestamp_seconds", of(sweep=sweep)] == clock().timestamp()
        assert found["chainloop_sweep_last_outcome", of(sweep=sweep, outcome="done")] == 1


def test_t47_label_sets_are_capped_and_what_is_left_out_is_said(
    services: Services, clock: Clock, scrape: Any, instance_token: str
) -> None:
    with services.database.write() as connection:
        for number in range(1003):
            made = StoredOrganization(services.world.new_id(), f"o{number}", clock(), used_bytes=number)
            organizations.add(connection, made)
            counters.add(connection, made.id, UPLOADS)

    found = scrape(instance_token)

    for metric in ("chainloop_cas_used_bytes", "chainloop_uploads_total"):
        assert len([1 for name, _ in found if name == metric]) == 1000
        assert found["chainloop_metrics_series_dropped", of(metric=metric)] == 3


def test_labels_are_escaped(services: Services, scrape: Any, instance_token: str, acme: Tenant) -> None:
    hostile = 'a"} 1\nevil{x="\\'
    with services.database.write() as connection:
        counters.add(connection, acme.id, REFUSED_STORES, hostile)

    found = scrape(instance_token)

    assert found["chainloop_refused_stores_total", of(org="acme", code=hostile)] == 1
    assert not [name for name, _ in found if name == "evil"]
