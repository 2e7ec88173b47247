"""Lists of runs: their order, filters and pages, and whose runs a token is shown."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest

from chainloop_ci.attestation.state import GitHead
from chainloop_ci.runners.types import CiIdentity
from tests.integration.server.conftest import EPOCH, Clock, Tenant
from tests.integration.server.jobs import (
    COMMIT,
    Job,
    detail,
)


def test_r18_runs_are_listed_in_the_servers_order_whatever_attempt_they_claim(job: Job) -> None:
    ids = []
    for attempt in (3, 1, 2):
        one = replace(job, run_id=str(uuid.uuid4()))
        one.begin(ci={"provider": "github", "runAttempt": attempt})
        ids.append(one.run_id)

    listed = job.api.get("/workflow-runs").json["items"]

    assert [run["id"] for run in listed] == ids[::-1]
    assert [run["sequence"] for run in listed] == sorted((run["sequence"] for run in listed), reverse=True)


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
