"""Workflow runs: begun once, listed in the server's order, ended one way (R14, R15, R17, R18)."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, Engine
from werkzeug.test import TestResponse

from chainloop_ci.attestation.state import GitHead
from chainloop_ci.runners.types import CiIdentity
from server.app import create_app
from server.services.disk_reserve import DiskReserve
from server.services.runs import Runs
from server.store import refusals
from server.store.database import Database
from server.store.refusals import InitRefusal
from server.wiring import Services
from tests.integration.server.conftest import EPOCH, Api, Clock, Tenant
from tests.integration.server.jobs import CI, COMMIT, CONTRACT, EMPTY_CONTRACT, Job, Key, put_contract, register_key


class BetweenReadAndWrite(Database):
    """A database where somebody else is faster: `act` happens before the write that follows a read."""

    def __init__(self, engine: Engine, act: Callable[[], object]) -> None:
        super().__init__(engine)
        self._act = act

    def write(self, patience_seconds: float | None = None) -> AbstractContextManager[Connection]:
        self._act()
        return super().write(patience_seconds)


def detail(job: Job) -> dict[str, Any]:
    answer = job.api.get(job.path)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json
    return result


def test_the_honest_life_of_a_run_ends_as_success(job: Job) -> None:
    begun = job.begin()
    job.add_everything()
    pushed = job.push()

    assert begun.status_code == 201, begun.text
    assert pushed.status_code == 201, pushed.text
    assert pushed.json["state"] == "success"
    assert pushed.json["verified"] is True
    assert {name: check["result"] for name, check in pushed.json["verification"].items()} == {
        "signature": "yes",
        "key": "yes",
        "runner": "claimed",
        "source": "claimed",
        "commit": "claimed",
        "contract": "yes",
        "content": "claimed",
    }


def test_r3_a_key_that_was_revoked_since_is_not_shown_as_proof(job: Job, acme: Tenant, api: Any) -> None:
    job.begin()
    job.add_everything()
    pushed = job.push()

    revoked = api(acme.token("admin")).post(f"/verification-keys/{job.key.public.key_id}/revoke")
    shown = detail(job)

    assert (revoked.status_code, pushed.json["verified"], shown["verified"]) == (200, True, False)
    assert (shown["run"]["state"], shown["verification"]["key"]["result"]) == ("success", "no")
    assert "was revoked at" in shown["verification"]["key"]["reason"]
    assert "was revoked" in shown["limitsOfTrust"][0]


def test_a_describe_shows_everything_that_was_attested(job: Job) -> None:
    job.begin()
    job.add_everything()
    job.push()

    shown = detail(job)

    assert shown["run"]["state"] == "success"
    assert shown["workflow"]["name"] == "build"
    assert shown["env"] == {"DEPLOY_TARGET": "staging", "GITHUB_RUN_ID": "77"}
    assert shown["annotations"] == {"team": "core", "ticket": "T-1"}
    assert shown["limitsOfTrust"]
    assert {entry["name"]: (entry["stored"], entry["contentCheck"]) for entry in shown["materials"]} == {
        "binary": ("cas", "not checked: a material of type ARTIFACT may hold anything"),
        "image": ("not stored", "not stored"),
        "sbom": ("cas", "checked"),
        "unit": ("cas", "checked"),
        "version": ("inline", "checked"),
    }


def test_the_stored_attestation_is_returned_byte_for_byte(job: Job, api: Any, acme: Tenant) -> None:
    job.begin()
    job.add_everything()
    bundle = job.key.bundle(job.payload())
    stored = job.push(bundle)

    reader = api(acme.token("read"))
    by_run = reader.get(f"{job.path}/attestation")
    by_digest = reader.get(f"/attestations/{stored.json['digest']}")

    assert by_run.data == bundle
    assert by_digest.data == bundle
    assert by_digest.headers["ETag"] == f'"{stored.json["digest"]}"'


def test_the_same_bytes_twice_get_the_same_answer(job: Job) -> None:
    job.begin()
    job.add_everything()
    bundle = job.key.bundle(job.payload())
    first = job.push(bundle)

    second = job.push(bundle)

    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json == first.json


def test_other_bytes_for_a_run_that_has_its_attestation_are_a_conflict(job: Job) -> None:
    job.begin()
    job.add_everything()
    job.push(job.key.bundle(job.payload()))

    # ECDSA signatures differ each time, so these are other bytes over the same statement.
    second = job.push(job.key.bundle(job.payload()))

    assert second.status_code == 409
    assert second.json["code"] == "conflict"
    assert detail(job)["refusals"] == []


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


@pytest.mark.parametrize("handle", ["wrong", None])
def test_r14_a_wrong_or_missing_handle_changes_nothing(job: Job, handle: str | None) -> None:
    job.begin()
    job.add_everything()
    before = detail(job)
    headers = {"Chainloop-Run-Handle": handle} if handle else {}

    pushed = job.push(headers=headers)
    canceled = job.api.post(f"{job.path}/cancel", json={"trigger": "failure"}, headers=headers)

    assert (pushed.status_code, canceled.status_code) == (403, 403)
    assert "handle" in pushed.json["detail"]
    assert detail(job) == before


def test_an_operator_ends_a_run_without_its_handle(job: Job, api: Any, acme: Tenant) -> None:
    job.begin()

    answer = api(acme.token("operate")).post(f"{job.path}/cancel", json={"trigger": "cancellation", "reason": "stuck"})

    assert answer.json["state"] == "canceled"
    assert answer.json["reason"] == "stuck"


def test_r17_a_superseded_run_is_canceled_for_that_reason(job: Job) -> None:
    job.begin()

    answer = job.api.post(f"{job.path}/cancel", json={"trigger": "superseded"}, headers=job.headers)

    assert (answer.json["state"], answer.json["reason"]) == ("canceled", "superseded")


def test_a_repeated_cancel_gets_the_same_answer_and_another_one_a_refusal(job: Job, clock: Clock) -> None:
    job.begin()
    first = job.api.post(f"{job.path}/cancel", json={"trigger": "failure"}, headers=job.headers)
    clock.advance(minutes=1)

    second = job.api.post(f"{job.path}/cancel", json={"trigger": "failure"}, headers=job.headers)
    other = job.api.post(f"{job.path}/cancel", json={"trigger": "cancellation"}, headers=job.headers)

    assert first.json["state"] == "error"
    assert second.json == first.json
    assert (other.status_code, other.json["code"]) == (409, "run-ended")


def test_r15_a_push_to_an_ended_run_is_refused_with_the_command_that_goes_on(job: Job) -> None:
    job.begin()
    job.add_everything()
    job.api.post(f"{job.path}/cancel", json={"trigger": "failure"}, headers=job.headers)

    answer = job.push()

    assert (answer.status_code, answer.json["code"]) == (409, "run-ended")
    assert "chainloop attestation init --workflow build --project app --replace" in answer.json["hint"]
    assert detail(job)["run"]["state"] == "error"


def test_r15_an_overdue_run_is_shown_as_expired_and_takes_nothing(job: Job, clock: Clock) -> None:
    job.begin()
    job.add_everything()
    clock.advance(hours=6)

    pushed = job.push()
    upload = job.upload(b"late", "late.txt")

    assert detail(job)["run"]["state"] == "expired"
    assert (pushed.json["code"], upload.json["code"]) == ("run-ended", "run-ended")


def test_r15_every_accepted_request_prolongs_a_run(job: Job, clock: Clock) -> None:
    job.begin()
    clock.advance(hours=5)
    job.add_everything()
    clock.advance(hours=5)

    pushed = job.push()

    assert pushed.status_code == 201, pushed.text


def test_r15_a_refused_push_does_not_prolong_a_run(job: Job, clock: Clock) -> None:
    job.begin()
    before = detail(job)["run"]["expiresAt"]
    clock.advance(hours=1)

    job.push(b"{}")

    assert detail(job)["run"]["expiresAt"] == before


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


def test_a_workflow_may_have_an_expiry_of_its_own(job: Job, api: Any, acme: Tenant) -> None:
    api(acme.token("operate")).patch(f"/workflows/{acme.workflows['app/build']}", json={"runExpirySeconds": 60})

    begun = job.begin()

    assert begun.json["expiresAt"] == "2026-11-20T12:01:00Z"


def test_r18_runs_are_listed_in_the_servers_order_whatever_attempt_they_claim(job: Job) -> None:
    ids = []
    for attempt in (3, 1, 2):
        one = replace(job, run_id=str(uuid.uuid4()))
        one.begin(ci={"provider": "github", "runAttempt": attempt})
        ids.append(one.run_id)

    listed = job.api.get("/workflow-runs").json["items"]

    assert [run["id"] for run in listed] == ids[::-1]
    assert [run["sequence"] for run in listed] == sorted((run["sequence"] for run in listed), reverse=True)


def test_r37_a_run_whose_contract_asks_for_nothing_has_no_requirements(api: Any, acme: Tenant, key: Key) -> None:
    put_contract(api, acme, EMPTY_CONTRACT)
    register_key(api, acme, key)
    job = Job(api(acme.token("attest")), acme, key, contract=EMPTY_CONTRACT)

    begun = job.begin()
    pushed = job.push()

    assert begun.json["hasRequirements"] is False
    assert pushed.json["verification"]["contract"]["result"] == "not shown"
    assert "no requirements" in pushed.json["verification"]["contract"]["reason"]


OF_CI, ATTESTED = "c" * 40, "a" * 40


@pytest.mark.parametrize(
    ("told", "signed", "is_about", "found"),
    [
        (None, ATTESTED, ATTESTED, {ATTESTED: 1, ATTESTED[:8]: 1}),
        (OF_CI, None, OF_CI, {OF_CI: 1, OF_CI[:8]: 1}),
        (OF_CI, ATTESTED, ATTESTED, {OF_CI: 1, ATTESTED: 1}),
        (ATTESTED, ATTESTED, ATTESTED, {ATTESTED: 1, ATTESTED[:8]: 1}),
        (None, None, None, {ATTESTED: 0}),
    ],
)
def test_a_run_is_found_by_the_commit_that_the_ci_system_named_and_by_the_one_that_was_attested(
    job: Job, api: Any, acme: Tenant, told: str | None, signed: str | None, is_about: str | None, found: dict[str, int]
) -> None:
    job.begin(ci={"provider": "github"} | ({"headSha": told} if told else {}))
    job.ci = CiIdentity("github", head_sha=told)
    job.head = GitHead(signed, "A. Author", "author@example.com", "a change", EPOCH) if signed else None
    job.add_everything()
    assert job.push().status_code == 201

    reader = api(acme.token("read"))
    counts = {digits: len(reader.get(f"/workflow-runs?commit={digits}").json["items"]) for digits in found}

    assert counts == found
    assert detail(job)["run"].get("commit") == is_about


def test_a_workflow_with_runs_is_kept_and_says_what_to_do_instead(job: Job, api: Any, acme: Tenant) -> None:
    job.begin()

    refused = api(acme.token("operate")).delete(f"/workflows/{acme.workflows['app/build']}")

    assert refused.status_code == 409
    assert "has 1 run, which is kept" in refused.json["detail"]
    assert "api-token revoke" in refused.json["hint"]


def test_a_run_says_where_it_was_begun_from(job: Job) -> None:
    job.begin()

    assert detail(job)["address"] == "127.0.0.1"


@pytest.fixture
def three_runs(job: Job, clock: Clock) -> list[Job]:
    """Three runs: a success, one that was canceled an hour later, one that is open two hours later."""
    found = []
    for _ in range(3):
        one = replace(job, run_id=str(uuid.uuid4()), materials={})
        one.begin()
        found.append(one)
        clock.advance(hours=1)
    found[0].add_everything()
    assert found[0].push().status_code == 201
    found[1].api.post(f"{found[1].path}/cancel", json={"trigger": "cancellation"}, headers=found[1].headers)
    return found


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [2, 1, 0]),
        ("state=success", [0]),
        ("state=SUCCEEDED", [0]),
        ("state=CANCELLED", [1]),
        ("state=INITIALIZED", [2]),
        ("state=expired", []),
        ("workflow=build", [2, 1, 0]),
        ("workflow=build&project=app&state=canceled", [1]),
        ("project=app", [2, 1, 0]),
        (f"commit={COMMIT}", [2, 1, 0]),
        (f"commit={COMMIT[:8]}", [2, 1, 0]),
        ("commit=fffffff", []),
        ("runner=GITHUB_ACTION", [2, 1, 0]),
        ("runner=JENKINS_JOB", []),
        ("token=attest-workflow", [2, 1, 0]),
        ("token=read-organization", []),
        ("since=2026-11-20T12:30:00Z", [2, 1]),
        ("until=2026-11-20T12:30:00Z", [0]),
        ("since=2026-11-20T12:30:00Z&until=2026-11-20T13:30:00Z", [1]),
    ],
)
def test_runs_are_filtered(api: Any, acme: Tenant, three_runs: list[Job], query: str, expected: list[int]) -> None:
    answer = api(acme.token("read")).get(f"/workflow-runs?{query}")

    assert answer.status_code == 200, answer.text
    assert [run["id"] for run in answer.json["items"]] == [three_runs[number].run_id for number in expected]


def test_a_token_bound_to_a_project_is_not_told_which_tokens_there_are(api: Any, acme: Tenant) -> None:
    answer = api(acme.token("attest", scope="workflow")).get("/workflow-runs?token=nobody")

    assert (answer.status_code, answer.json["items"]) == (200, [])


def test_a_filter_by_expired_finds_overdue_runs(api: Any, acme: Tenant, three_runs: list[Job], clock: Clock) -> None:
    clock.advance(days=1)

    expired = api(acme.token("read")).get("/workflow-runs?state=EXPIRED").json["items"]
    opened = api(acme.token("read")).get("/workflow-runs?state=initialized").json["items"]

    assert [run["id"] for run in expired] == [three_runs[2].run_id]
    assert opened == []


@pytest.mark.parametrize("of", ["attestation", "material"])
def test_runs_are_found_by_digest(api: Any, acme: Tenant, three_runs: list[Job], of: str) -> None:
    digest = three_runs[0].materials["sbom"].digest
    if of == "attestation":
        digest = detail(three_runs[0])["run"]["attestationDigest"]

    found = api(acme.token("read")).get(f"/workflow-runs?digest={digest}").json["items"]

    assert [run["id"] for run in found] == [three_runs[0].run_id]


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("state=done", 422, "canceled"),
        ("commit=xyz", 422, "7 hexadecimal"),
        ("since=yesterday", 422, "2026-01-31"),
        ("until=2026-11-20", 422, "?until"),
        ("workflow=nothing", 404, "no workflow nothing"),
        ("project=nothing", 404, "no project nothing"),
        ("token=nobody", 404, "no token nobody"),
        ("cursor=abc", 422, "cursor"),
    ],
)
def test_a_filter_that_cannot_be_used_is_refused(api: Any, acme: Tenant, query: str, status: int, words: str) -> None:
    answer = api(acme.token("read")).get(f"/workflow-runs?{query}")

    assert answer.status_code == status
    assert words in answer.text


def test_pages_of_runs_follow_each_other_without_gap(api: Any, acme: Tenant, three_runs: list[Job]) -> None:
    reader = api(acme.token("read"))

    first = reader.get("/workflow-runs?limit=2").json
    second = reader.get(f"/workflow-runs?limit=2&cursor={first['nextCursor']}").json

    ids = [run["id"] for run in first["items"] + second["items"]]
    assert ids == [one.run_id for one in three_runs[::-1]]
    assert "nextCursor" not in second


def test_a_cursor_of_other_filters_is_refused(api: Any, acme: Tenant, three_runs: list[Job]) -> None:
    reader = api(acme.token("read"))
    cursor = reader.get("/workflow-runs?limit=1").json["nextCursor"]

    answer = reader.get(f"/workflow-runs?limit=1&state=success&cursor={cursor}")

    assert answer.status_code == 422


def test_a_job_lists_the_runs_of_its_scope_only(api: Any, acme: Tenant, job: Job) -> None:
    job.begin()
    elsewhere = Job(api(acme.token("attest")), acme, job.key, workflow="other/build", contract=b"", revision=1)
    revision = api(acme.token("read")).get("/contracts/other-build/revisions/1").json
    begun = elsewhere.begin(contractDigest=revision["digest"])

    listed = job.api.get("/workflow-runs").json["items"]
    named = job.api.get("/workflow-runs?workflow=build").json["items"]
    other = job.api.get("/workflow-runs?project=other")

    assert begun.status_code == 201, begun.text
    assert [run["id"] for run in listed] == [job.run_id]
    assert [run["id"] for run in named] == [job.run_id]
    assert other.status_code == 403
    assert job.api.get(elsewhere.path).status_code == 403


def test_another_organization_sees_no_run(job: Job, api: Any, rival: Tenant) -> None:
    job.begin()
    job.add_everything()
    digest = job.push().json["digest"]
    stranger = api(rival.token("admin"))

    assert stranger.get("/workflow-runs").json["items"] == []
    for path in (job.path, f"{job.path}/attestation", f"/attestations/{digest}"):
        assert stranger.get(path).status_code == 404
    assert stranger.post(f"{job.path}/cancel", json={"trigger": "failure"}).status_code == 404


def test_a_run_without_attestation_has_none_to_return(job: Job, api: Any, acme: Tenant) -> None:
    job.begin()

    answer = api(acme.token("read")).get(f"{job.path}/attestation")

    assert answer.status_code == 404
    assert "initialized" in answer.json["detail"]


def test_r6_a_revoked_token_ends_its_open_runs(job: Job, api: Any, acme: Tenant) -> None:
    job.begin()
    token_id = api(acme.token("read")).get(job.path).json["run"]["tokenId"]

    api(acme.token("admin")).post(f"/api-tokens/{token_id}/revoke")

    run = api(acme.token("read")).get(job.path).json["run"]
    assert (run["state"], run["reason"]) == ("canceled", "the token that began it was revoked")


def at_once(request: Callable[[Api], TestResponse], app: Flask, secret: str, times: int) -> list[int]:
    """Send the same request from several threads and return the sorted statuses."""
    with ThreadPoolExecutor(times) as pool:
        answers = list(pool.map(lambda _: request(Api(app.test_client(), secret)), range(times)))
    return sorted(answer.status_code for answer in answers)


def test_the_same_begin_from_many_at_once_makes_one_run(job: Job, app: Flask, acme: Tenant) -> None:
    secret = acme.token("attest", "workflow")

    statuses = at_once(lambda api: replace(job, api=api).begin(), app, secret, 8)

    assert statuses == [200] * 7 + [201]
    assert len(job.api.get("/workflow-runs").json["items"]) == 1


def test_the_same_push_from_many_at_once_is_stored_once(job: Job, app: Flask, acme: Tenant) -> None:
    job.begin()
    job.add_everything()
    bundle = job.key.bundle(job.payload())

    statuses = at_once(lambda api: replace(job, api=api).push(bundle), app, acme.token("attest", "workflow"), 8)

    assert statuses == [200] * 7 + [201]


def test_different_pushes_at_once_leave_one_attestation(job: Job, app: Flask, acme: Tenant) -> None:
    job.begin()
    job.add_everything()

    statuses = at_once(lambda api: replace(job, api=api).push(), app, acme.token("attest", "workflow"), 4)

    assert statuses == [201, 409, 409, 409]
    assert detail(job)["run"]["state"] == "success"


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
