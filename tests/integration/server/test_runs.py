"""The life of a run: attested once, shown as it is, ended one way (R14, R15, R17)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from server.wiring import Services
from tests.integration.server.browsing import Browser
from tests.integration.server.conftest import Api, Clock, Tenant
from tests.integration.server.jobs import (
    EMPTY_CONTRACT,
    Job,
    Key,
    detail,
    put_contract,
    register_key,
)


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


def test_r47_every_answer_about_a_run_names_its_page_by_the_public_url_alone(job: Job, services: Services) -> None:
    page = f"{services.config.public_url}/runs/{job.run_id}"
    forged = {"Host": "evil.test", "X-Forwarded-Host": "evil.test", "X-Forwarded-Proto": "https"}

    begun = job.begin()
    job.add_everything()
    stored = job.push(headers={**job.headers, **forged})
    listed = job.api.get("/workflow-runs", headers=forged)
    shown = job.api.get(job.path, headers=forged)

    assert begun.json["viewUrl"] == stored.json["viewUrl"] == page
    assert [item["viewUrl"] for item in listed.json["items"]] == [page]
    assert shown.json["run"]["viewUrl"] == page


def test_the_page_that_a_run_names_is_there(job: Job, app: Flask, acme: Tenant, services: Services) -> None:
    path, browser = job.begin().json["viewUrl"].removeprefix(services.config.public_url), Browser(app)

    stranger = browser.open(path)
    browser.log_in(acme.token("read"))
    reader = browser.open(path)

    assert (stranger.status_code, reader.status_code) == (404, 200)
    assert job.run_id in reader.text


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


def test_r14_a_handle_that_an_operator_shows_has_to_be_the_run_s(job: Job, api: Any, acme: Tenant) -> None:
    job.begin()

    headers = {"Chainloop-Run-Handle": "another"}
    answer = api(acme.token("operate")).post(f"{job.path}/cancel", json={"trigger": "cancellation"}, headers=headers)

    assert (answer.status_code, answer.json["code"]) == (403, "not-allowed")
    assert detail(job)["run"]["state"] == "initialized"


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


def test_a_workflow_may_have_an_expiry_of_its_own(job: Job, api: Any, acme: Tenant) -> None:
    api(acme.token("operate")).patch(f"/workflows/{acme.workflows['app/build']}", json={"runExpirySeconds": 60})

    begun = job.begin()

    assert begun.json["expiresAt"] == "2026-11-20T12:01:00Z"


def test_r37_a_run_whose_contract_asks_for_nothing_has_no_requirements(api: Any, acme: Tenant, key: Key) -> None:
    put_contract(api, acme, EMPTY_CONTRACT)
    register_key(api, acme, key)
    job = Job(api(acme.token("attest")), acme, key, contract=EMPTY_CONTRACT)

    begun = job.begin()
    pushed = job.push()

    assert begun.json["hasRequirements"] is False
    assert pushed.json["verification"]["contract"]["result"] == "not shown"
    assert "no requirements" in pushed.json["verification"]["contract"]["reason"]


def test_a_workflow_with_runs_is_kept_and_says_what_to_do_instead(job: Job, api: Any, acme: Tenant) -> None:
    job.begin()

    refused = api(acme.token("operate")).delete(f"/workflows/{acme.workflows['app/build']}")

    assert refused.status_code == 409
    assert "has 1 run, which is kept" in refused.json["detail"]
    assert "api-token revoke" in refused.json["hint"]


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
