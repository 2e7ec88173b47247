"""Beginning a run: once, for the right workflow, runner and contract, and by a token that may."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest

from chainloop_ci.runners.types import CiIdentity
from server.app import create_app
from server.services.disk_reserve import DiskReserve
from server.services.runs import Runs
from server.store import refusals
from server.store.refusals import InitRefusal
from server.wiring import Services
from tests.integration.server.between import BetweenReadAndWrite
from tests.integration.server.conftest import Api, Clock, Tenant
from tests.integration.server.jobs import (
    CI,
    COMMIT,
    CONTRACT,
    Job,
    Key,
    detail,
    put_contract,
)


def test_a_repeated_begin_gets_the_same_run(job: Job) -> None:
    first = job.begin()

    second = job.begin()

    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json == first.json


def test_another_request_under_the_same_id_is_a_conflict(job: Job) -> None:
    job.begin()

    second = job.begin(projectVersion="9.9.9")

    assert second.status_code == 409
    assert detail(job)["run"]["projectVersion"] == "1.2.3"


def test_an_id_that_another_organization_uses_is_not_found(job: Job, api: Any, rival: Tenant) -> None:
    job.begin()
    put_contract(api, rival)
    stranger = Job(api(rival.token("attest")), rival, Key(), run_id=job.run_id)

    answer = stranger.begin()

    assert answer.status_code == 404
    assert stranger.api.get(stranger.path).status_code == 404


def test_another_runner_than_the_contract_asks_for_makes_no_run(job: Job, api: Any, acme: Tenant) -> None:
    answer = job.begin(runnerType="JENKINS_JOB")

    again = job.begin(runnerType="JENKINS_JOB")
    listed = api(acme.token("read")).get(f"/workflows/{acme.workflows['app/build']}/refused-inits").json["items"]
    assert (answer.status_code, again.status_code) == (422, 422)
    assert answer.json["code"] == "runner-mismatch"
    assert "GITHUB_ACTION" in answer.json["detail"]
    assert job.api.get(job.path).status_code == 404
    assert [(entry["runId"], entry["requiredRunner"], entry["runnerType"]) for entry in listed] == [
        (job.run_id, "GITHUB_ACTION", "JENKINS_JOB")
    ]
    assert listed[0]["ci"]["repository"] == "acme/app"


def test_t30_only_the_newest_refused_inits_of_a_workflow_are_kept(
    services: Services, api: Any, acme: Tenant, clock: Clock
) -> None:
    def refuse(run_id: str, workflow: str) -> None:
        clock.advance(seconds=1)
        refusal = InitRefusal(
            id=run_id,
            organization_id=acme.id,
            workflow_id=acme.workflows[workflow],
            run_id=run_id,
            at=clock(),
            required_runner="GITHUB_ACTION",
            runner_type="JENKINS_JOB",
            ci=CiIdentity("jenkins"),
            token_id="t",
            address="127.0.0.1",
        )
        with services.database.write() as connection:
            refusals.add_init_refusal(connection, refusal, keep=3)

    def listed(workflow: str) -> list[str]:
        path = f"/workflows/{acme.workflows[workflow]}/refused-inits"
        return [entry["runId"] for entry in api(acme.token("read")).get(path).json["items"]]

    refuse("other", "app/deploy")
    for number in range(5):
        refuse(str(number), "app/build")

    assert listed("app/build") == ["4", "3", "2"]
    assert listed("app/deploy") == ["other"]


def test_refused_inits_come_in_pages(job: Job, api: Any, acme: Tenant, clock: Clock) -> None:
    for _ in range(3):
        replace(job, run_id=str(uuid.uuid4())).begin(runnerType="JENKINS_JOB")
        clock.advance(seconds=1)
    reader, path = api(acme.token("read")), f"/workflows/{acme.workflows['app/build']}/refused-inits"

    first = reader.get(f"{path}?limit=2").json
    rest = reader.get(f"{path}?limit=2&cursor={first['nextCursor']}").json

    assert [len(first["items"]), len(rest["items"])] == [2, 1]
    assert "nextCursor" not in rest


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"contractRevision": 9}, 404, "newest is 2"),
        ({"contractDigest": "sha256:" + "0" * 64}, 422, "/contractDigest"),
        ({"runnerType": "LAPTOP"}, 422, "/runnerType"),
        ({"handleSha256": "abc"}, 422, "/handleSha256"),
        ({"workflowId": "00000000-0000-4000-8000-000000000000"}, 404, "no workflow"),
    ],
)
def test_a_begin_that_does_not_fit_is_refused(job: Job, changes: dict[str, Any], status: int, words: str) -> None:
    answer = job.begin(**changes)

    assert answer.status_code == status
    assert words in answer.text
    assert job.api.get(job.path).status_code == 404


def test_a_workflow_of_another_organization_is_not_found(job: Job, rival: Tenant) -> None:
    answer = job.begin(workflowId=rival.workflows["app/build"])

    assert answer.status_code == 404


@pytest.mark.parametrize("runner", ["GITHUB_ACTION", "JENKINS_JOB"])
def test_a_workflow_that_is_deleted_while_a_run_begins_is_not_found(
    services: Services, api: Any, acme: Tenant, key: Key, runner: str
) -> None:
    operator = api(acme.token("operate"))
    workflow = f"/workflows/{acme.workflows['app/deploy']}"
    put_contract(api, acme, CONTRACT.replace(b"app-build", b"app-deploy"), "app-deploy")
    between = BetweenReadAndWrite(services.database.engine, lambda: operator.delete(workflow))
    runs = Runs(between, services.world.now, services.world.new_id, reserve=DiskReserve(services.config.data))
    client = create_app(replace(services, runs=runs)).test_client()
    contract = CONTRACT.replace(b"app-build", b"app-deploy")
    job = Job(Api(client, acme.token("operate")), acme, key, contract=contract, workflow="app/deploy")

    answer = job.begin(runnerType=runner)

    assert operator.get(workflow).status_code == 404
    assert (answer.status_code, answer.json["code"]) == (404, "not-found")


def test_r6_a_token_that_is_revoked_while_a_run_begins_leaves_none_open(
    services: Services, api: Any, acme: Tenant, job: Job
) -> None:
    admin = api(acme.token("admin"))
    token_id = job.api.get("/whoami").json["tokenId"]
    between = BetweenReadAndWrite(services.database.engine, lambda: admin.post(f"/api-tokens/{token_id}/revoke"))
    runs = Runs(between, services.world.now, services.world.new_id, reserve=DiskReserve(services.config.data))
    client = create_app(replace(services, runs=runs)).test_client()

    answer = replace(job, api=Api(client, acme.token("attest", "workflow"))).begin()

    assert (answer.status_code, answer.json["code"]) == (401, "not-authenticated")
    assert admin.get(job.path).status_code == 404


def test_a_service_account_begins_no_run_of_another_workflow(job: Job, acme: Tenant) -> None:
    answer = job.begin(workflowId=acme.workflows["app/deploy"])

    assert answer.status_code == 403


def test_t30_a_token_may_have_so_many_runs_open_at_once(
    job: Job, services: Services, api: Any, acme: Tenant, clock: Clock
) -> None:
    limited = Runs(
        services.database, clock, services.world.new_id, reserve=DiskReserve(services.config.data), max_open_runs=2
    )
    client = create_app(replace(services, runs=limited)).test_client()
    jobs = [replace(job, run_id=str(uuid.uuid4()), api=Api(client, acme.token("attest", "workflow"))) for _ in range(4)]

    begun = [one.begin().status_code for one in jobs[:2]]
    over = jobs[2].begin()
    repeated = jobs[0].begin()
    other_token = replace(jobs[2], api=Api(client, acme.token("attest"))).begin()
    jobs[0].api.post(f"{jobs[0].path}/cancel", json={"trigger": "failure"}, headers=jobs[0].headers)
    after_an_end = jobs[3].begin()

    assert [*begun, repeated.status_code] == [201, 201, 200]
    assert (other_token.status_code, after_an_end.status_code) == (201, 201)
    assert (over.status_code, over.json["code"]) == (422, "limit-exceeded")
    assert "CHAINLOOP_MAX_OPEN_RUNS" in over.json["hint"]


def test_a_run_says_where_it_was_begun_from(job: Job) -> None:
    job.begin()

    assert detail(job)["address"] == "127.0.0.1"


def test_the_ci_facts_of_a_run_are_kept(job: Job) -> None:
    job.begin()

    assert detail(job)["run"]["ci"] == {
        "provider": "github",
        "serverUrl": CI.server_url,
        "repository": "acme/app",
        "runId": "77",
        "runAttempt": 1,
        "job": "build",
        "event": "push",
        "ref": "refs/heads/main",
        "headSha": COMMIT,
    }
