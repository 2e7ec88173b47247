"""R20 at the server: late runs are judged by the newest revision; names, run id and CI facts are compared."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from server.app import create_app
from server.services.disk_reserve import DiskReserve
from server.services.runs import Runs
from server.wiring import Services
from tests.integration.server.between import BetweenReadAndWrite
from tests.integration.server.conftest import Api, Tenant
from tests.integration.server.jobs import CONTRACT, Job, put_contract

NEWER = CONTRACT + b"# the same, said anew\n"


@pytest.fixture
def late(job: Job) -> Job:
    """Return a job whose late run was begun, with everything uploaded."""
    assert job.begin(late=True).status_code == 201
    job.add_everything()
    return job


def refusals(answer: Any) -> list[str]:
    return [finding["path"].rpartition("/")[2] for finding in answer.json["findings"]]


def store(job: Job, **metadata: str) -> Any:
    """Push a statement with other metadata; an empty text takes a field away."""

    def change(document: dict[str, Any]) -> None:
        own = document["predicate"]["metadata"]
        own.update(metadata)
        for name in [name for name, value in own.items() if value == ""]:
            del own[name]

    return job.push(job.key.bundle(job.payload(change)))


def test_r20_a_late_run_says_so_wherever_it_is_shown(late: Job) -> None:
    stored = late.push()

    assert stored.status_code == 201, stored.text
    said = stored.json["verification"]
    assert all(said[name]["reason"].endswith("late, not corroborated") for name in ("source", "commit"))
    assert late.api.get(late.path).json["run"]["late"] is True
    assert [run["late"] for run in late.api.get("/workflow-runs").json["items"]] == [True]


def test_r20_any_other_run_is_not_late(job: Job) -> None:
    assert job.begin().json["late"] is False


def test_r20_a_late_run_is_pinned_to_the_revision_in_force_only(api: Any, acme: Tenant, job: Job) -> None:
    put_contract(api, acme, NEWER)
    minimum = {"minimumRevision": 1}
    api(acme.token("operate")).patch(f"/workflows/{acme.workflows['app/build']}", json=minimum)

    old = job.begin(late=True)
    new = replace(job, contract=NEWER, revision=3).begin(late=True)

    assert (old.status_code, new.status_code) == (409, 201)
    assert "the revision of contract app-build that is in force, 3; found 2" in old.json["detail"]


def test_r20_a_revision_that_is_newer_by_the_time_the_late_run_is_written_counts(
    services: Services, api: Any, acme: Tenant, job: Job
) -> None:
    between = BetweenReadAndWrite(services.database.engine, lambda: put_contract(api, acme, NEWER))
    runs = Runs(between, services.world.now, services.world.new_id, reserve=DiskReserve(services.config.data))
    client = create_app(replace(services, runs=runs)).test_client()

    answer = replace(job, api=Api(client, acme.token("attest", "workflow"))).begin(late=True)

    assert (answer.status_code, answer.json["code"]) == (409, "conflict")
    assert job.api.get(job.path).status_code == 404


def test_r20_what_the_job_could_not_know_may_be_left_out_or_be_another_revision(late: Job) -> None:
    stored = store(late, organization="", workflowID="", contractName="other.yaml", contractVersion="0")

    assert stored.status_code == 201, stored.text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("project", "other"),
        ("workflowName", "deploy"),
        ("workflowRunID", "5f0c2f6e-2f0b-4c56-9a0e-6f1f3c0e7a11"),
        ("organization", "rival"),
        ("workflowID", "5f0c2f6e-2f0b-4c56-9a0e-6f1f3c0e7a11"),
        ("projectVersion", "9"),
    ],
)
def test_r20_names_and_run_id_are_compared(late: Job, name: str, value: str) -> None:
    refused = store(late, **{name: value})

    assert refused.status_code == 422
    assert name in refusals(refused)


@pytest.mark.parametrize("fact", ["run_id", "repository", "head_sha", "job"])
def test_r20_the_facts_of_the_ci_job_are_compared(late: Job, fact: str) -> None:
    refused = replace(late, ci=replace(late.ci, **{fact: "a" * 40})).push()

    assert refused.status_code == 422


def test_a_run_that_is_not_late_is_still_compared_whole(job: Job) -> None:
    job.begin()
    job.add_everything()

    refused = store(job, contractVersion="7", organization="")

    assert refused.status_code == 422
    assert {"contractVersion", "organization"} <= set(refusals(refused))


def test_r20_a_late_run_that_nothing_was_queued_for_is_known_by_its_times(api: Any, acme: Tenant, late: Job) -> None:
    """Whoever has an attest token may begin one, with whatever time: what is claimed and what is known stand apart."""

    def backdate(document: dict[str, Any]) -> None:
        document["predicate"]["metadata"].update(
            initializedAt="2020-02-02T01:00:00Z", finishedAt="2020-02-02T02:00:00Z"
        )

    stored = late.push(late.key.bundle(late.payload(backdate)))

    shown = api(acme.token("read")).get(late.path).json
    assert stored.status_code == 201, stored.text
    assert shown["craftedAt"] == "2020-02-02T02:00:00Z"
    assert shown["storedAt"] == shown["run"]["finishedAt"]
    assert not shown["storedAt"].startswith("2020")
    assert shown["verification"]["commit"]["result"] == "claimed"


def test_r20_a_backdated_late_run_takes_no_place_before_the_runs_that_were_begun_earlier(
    api: Any, acme: Tenant, job: Job
) -> None:
    job.begin()
    late = replace(job, run_id="5f0c2f6e-2f0b-4c56-9a0e-6f1f3c0e7a11", materials={})
    late.begin(late=True)

    listed = api(acme.token("read")).get("/workflow-runs").json["items"]

    assert [(run["id"], run["late"]) for run in listed] == [(late.run_id, True), (job.run_id, False)]


def test_r20_a_workflow_says_that_its_last_run_is_late(api: Any, acme: Tenant, job: Job) -> None:
    reader = api(acme.token("read"))
    path = f"/workflows/{acme.workflows['app/build']}"
    job.begin()
    before = reader.get(path).json["lastRunLate"]
    replace(job, run_id="5f0c2f6e-2f0b-4c56-9a0e-6f1f3c0e7a11").begin(late=True)

    assert (before, reader.get(path).json["lastRunLate"]) == (False, True)
    listed = reader.get("/workflows?name=build&project=app").json["items"]
    assert [item["lastRunLate"] for item in listed] == [True]


def test_r20_a_late_run_has_no_state_that_later_attempts_could_go_on_with(job: Job) -> None:
    shared = job.begin(late=True, stateLocation="shared")

    assert shared.status_code == 422
    assert refusals(shared) == ["stateLocation"]
    assert job.api.get(job.path).status_code == 404


def test_a_run_without_an_attestation_says_no_times_of_one(late: Job) -> None:
    shown = late.api.get(late.path).json

    assert not {"craftedAt", "storedAt"} & set(shown)
