"""T04 at the server: runs of certain events are refused unless their pinned contract revision allows them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update

from server.store import tables
from server.wiring import Services
from tests.integration.server.conftest import Tenant
from tests.integration.server.jobs import CI, CONTRACT, Job, put_contract

ALLOWING = CONTRACT.replace(b"{type: GITHUB_ACTION}", b"{type: GITHUB_ACTION, privilegedEvents: [pull_request_target]}")


def begin(job: Job, event: str) -> Any:
    ci: Any = job.request()["ci"]
    return job.begin(ci={**ci, "event": event})


@pytest.mark.parametrize("event", ["pull_request_target", "workflow_run"])
def test_t04_no_run_begins_in_an_event_that_the_contract_does_not_allow(job: Job, event: str) -> None:
    answer = begin(job, event)

    assert answer.status_code == 422
    assert [finding["code"] for finding in answer.json["findings"]] == ["event-not-allowed"]
    assert job.api.get(job.path).status_code == 404


def test_t04_a_contract_allows_the_events_that_it_names_and_no_other(api: Any, acme: Tenant, job: Job) -> None:
    put_contract(api, acme, ALLOWING)
    allowed = replace(job, contract=ALLOWING, revision=3, ci=replace(CI, event="pull_request_target"))

    refused = begin(replace(allowed), "workflow_run")
    begun = begin(allowed, "pull_request_target")
    allowed.add_everything()
    stored = allowed.push()

    assert (refused.status_code, begun.status_code, stored.status_code) == (422, 201, 201), stored.text


def test_t04_the_event_is_derived_again_when_the_attestation_is_stored(job: Job, services: Services) -> None:
    job.begin()
    job.add_everything()
    column = tables.workflow_runs.c.id
    with services.database.write() as connection:
        connection.execute(update(tables.workflow_runs).where(column == job.run_id).values(ci_event="workflow_run"))

    refused = replace(job, ci=replace(CI, event="workflow_run")).push()

    assert refused.status_code == 422
    assert [finding["code"] for finding in refused.json["findings"] if finding["path"].endswith("/ci/event")] == [
        "event-not-allowed"
    ]
