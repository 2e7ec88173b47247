"""R16: an ended run goes on in its successor, when the same CI run is run again."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from typing import Any

import pytest

from chainloop_ci.api.limits import RUN_HEADER, RUN_STATE_HEADER, SEALED_FOR_HEADER
from chainloop_ci.api.runs import SuccessorRequest
from chainloop_ci.digests import sha256_digest
from chainloop_ci.errors import LimitExceededError, NotAuthenticatedError
from server.services.successors import Successors
from tests.integration.server.jobs import CONTRACT, Job, Key, put_contract, register_key

STATE = b"sealed, of the first attempt"


@pytest.fixture
def first(api: Any, acme: Any, key: Key) -> Job:
    """Return a job whose shared run has everything uploaded."""
    put_contract(api, acme, CONTRACT)
    register_key(api, acme, key)
    job = Job(api(acme.token("attest", "workflow")), acme, key)
    assert job.begin(stateLocation="shared").status_code == 201
    job.add_everything()
    assert job.keep(STATE).status_code == 201
    return job


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, (answer.json or {}).get("code", "")


def going_on(job: Job, run: dict[str, Any]) -> Job:
    """Return the same job in the next attempt."""
    return replace(job, run_id=run["id"], ci=replace(job.ci, run_attempt=run["ci"]["runAttempt"]))


def test_r16_a_later_attempt_opens_the_successor_with_pin_and_uploads(api, acme, first, clock):
    first.end()
    clock.advance(minutes=1)
    put_contract(api, acme, CONTRACT + b"# a newer revision\n")

    opened = first.succeed(2)

    run = opened.json
    assert (opened.status_code, run["state"], run["successorOf"]) == (201, "initialized", first.run_id)
    assert (run["contractRevision"], run["ci"]["runAttempt"], run["stateLocation"]) == (2, 2, "shared")
    pushed = going_on(first, run).push()
    assert (pushed.status_code, pushed.json["runId"], pushed.json["verified"]) == (201, run["id"], True)


def test_r16_the_predecessor_stays_as_it_ended_and_names_its_successor(api, acme, first):
    first.end()
    run = first.succeed(2).json

    before = api(acme.token("read")).get(first.path).json

    assert (before["run"]["state"], before["successor"], before["run"]["ci"]["runAttempt"]) == ("error", run["id"], 1)
    assert "successorOf" not in before["run"]


def test_r16_the_successor_takes_over_the_handle_and_nobody_elses(first):
    first.end()
    run = first.succeed(2).json
    thief = replace(first, run_id=run["id"], handle="another")

    assert code(thief.keep(b"x")) == (403, "not-allowed")
    assert replace(first, run_id=run["id"]).keep(b"x").status_code == 201


def test_r16_all_jobs_of_one_attempt_get_the_same_successor(first):
    first.end()

    answers = [first.succeed(2, job=f"leg {number}") for number in range(3)]

    assert [answer.status_code for answer in answers] == [201, 200, 200]
    assert len({answer.json["id"] for answer in answers}) == 1


def test_r16_the_id_of_the_first_run_finds_the_newest_and_its_state(first):
    first.end()
    second = going_on(first, first.succeed(2).json)

    before = first.kept()
    second.keep(b"sealed, of the second attempt")
    after = first.kept()

    assert (before.data, before.headers[RUN_HEADER], before.headers[SEALED_FOR_HEADER]) == (
        STATE,
        second.run_id,
        first.run_id,
    )
    assert (after.data, after.headers[SEALED_FOR_HEADER]) == (b"sealed, of the second attempt", second.run_id)


def test_r16_the_third_attempt_goes_on_with_the_second(api, acme, first):
    first.end()
    second = going_on(first, first.succeed(2).json)
    second.push()

    third = first.succeed(3)

    assert (third.status_code, third.json["successorOf"]) == (201, second.run_id)
    assert first.kept().headers[RUN_HEADER] == third.json["id"]
    assert going_on(first, third.json).push().status_code == 201


@pytest.mark.parametrize(
    "changes",
    [
        {"runAttempt": 1},
        {"runId": "78"},
        {"repository": "acme/other"},
        {"serverUrl": "https://forge.example"},
        {"provider": "gitlab"},
        {"runAttempt": None},
        {"runId": None},
    ],
)
def test_r16_only_a_later_attempt_of_the_same_ci_run_opens_one(api, acme, first, changes):
    first.end()
    ci = {name: value for name, value in {**first.ci_of_attempt(2), **changes}.items() if value is not None}

    refused = first.api.post(f"{first.path}/successor", json={"ci": ci}, headers=first.headers)

    assert code(refused) == (409, "run-ended")
    assert len(api(acme.token("read")).get("/workflow-runs").json["items"]) == 1


@pytest.mark.parametrize("changes", [{"runAttempt": 1}, {"runId": "78"}, {"repository": "x/y"}, {"runAttempt": None}])
def test_r16_nobody_else_joins_the_successor_that_an_attempt_has_opened(first, changes):
    first.end()
    assert first.succeed(2).status_code == 201
    ci = {name: value for name, value in {**first.ci_of_attempt(2), **changes}.items() if value is not None}

    refused = first.api.post(f"{first.path}/successor", json={"ci": ci}, headers=first.headers)

    assert code(refused) == (409, "run-ended")


def test_r16_a_still_later_attempt_joins_the_open_successor(first):
    first.end()
    opened = first.succeed(2).json

    joined = first.succeed(3)

    assert (joined.status_code, joined.json["id"]) == (200, opened["id"])


def test_r16_an_open_run_needs_no_successor(first):
    answer = first.succeed(2)

    assert (answer.status_code, answer.json["id"]) == (200, first.run_id)


def test_r16_an_expired_run_has_a_successor_too(first, clock):
    clock.advance(hours=7)

    assert first.succeed(2).status_code == 201
    assert first.kept().headers[RUN_STATE_HEADER] == "initialized"


def test_r16_a_run_without_a_shared_state_has_none(first):
    local = Job(first.api, first.tenant, first.key)
    local.begin()
    local.end()

    assert code(local.succeed(2)) == (409, "conflict")


def test_r16_the_statement_must_name_the_successor(first):
    first.end()
    run = first.succeed(2).json
    old = first.key.bundle(first.payload())

    refused = going_on(first, run).push(old)

    assert code(refused) == (422, "attestation-refused")
    assert {finding["path"] for finding in refused.json["findings"]} >= {"/predicate/metadata/workflowRunID"}


def test_r16_a_revision_that_was_enforced_meanwhile_does_not_bind_the_successor(api, acme, first, clock):
    clock.advance(minutes=1)
    put_contract(api, acme, CONTRACT + b"# enforced at once\n")
    first.end()
    clock.advance(minutes=1)

    pushed = going_on(first, first.succeed(2).json).push()

    assert pushed.status_code == 201, json.dumps(pushed.json)


def test_r16_what_was_replaced_is_uploaded_anew_and_the_rest_is_kept(first):
    first.end()
    second = going_on(first, first.succeed(2).json)
    second.materials = dict(first.materials)
    content = b"built again"
    assert second.upload(content, "app.bin").status_code == 201
    second.replace_material("binary", digest=sha256_digest(content), size_bytes=len(content))

    pushed = second.push()

    assert pushed.status_code == 201, pushed.text


def test_t41_a_token_that_ended_meanwhile_opens_no_successor(first, services, api, acme):
    principal = services.authenticator.authenticate(f"Bearer {acme.token('attest', 'workflow')}", None, "")
    first.end()
    api(acme.token("admin")).post(f"/api-tokens/{principal.token_id}/revoke")

    with pytest.raises(NotAuthenticatedError, match="nothing was kept"):
        services.successors.open(
            principal, first.run_id, SuccessorRequest(replace(first.ci, run_attempt=2)), first.handle
        )

    assert "successor" not in api(acme.token("read")).get(first.path).json


def test_t30_a_successor_counts_among_the_runs_that_a_token_may_have_open(first, services, clock, acme):
    principal = services.authenticator.authenticate(f"Bearer {acme.token('attest', 'workflow')}", None, "")
    successors = Successors(services.database, clock, services.world.new_id, max_open_runs=1)
    request = SuccessorRequest(replace(first.ci, run_attempt=2))
    first.end()
    other = replace(first, run_id=str(uuid.uuid4()))
    other.begin(stateLocation="shared")

    with pytest.raises(LimitExceededError, match="1 open runs"):
        successors.open(principal, first.run_id, request, first.handle)
    other.end()
    run, is_new = successors.open(principal, first.run_id, request, first.handle)

    assert (is_new, run.successor_of) == (True, first.run_id)


def test_a_successor_says_where_the_request_came_from_that_opened_it(first, services, api, acme):
    principal = services.authenticator.authenticate(f"Bearer {acme.token('attest', 'workflow')}", None, "192.0.2.7")
    first.end()

    run, _ = services.successors.open(
        principal, first.run_id, SuccessorRequest(replace(first.ci, run_attempt=2)), first.handle
    )

    assert api(acme.token("read")).get(f"/workflow-runs/{run.id}").json["address"] == "192.0.2.7"
