"""The crafting state that the jobs of a run share: who may read and change it, and who has to give way."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from chainloop_ci.api.limits import (
    MATERIALS_PRESENT_HEADER,
    MAX_STATE_BYTES,
    RUN_EXPIRES_HEADER,
    RUN_HEADER,
    RUN_STATE_HEADER,
    SEALED_FOR_HEADER,
    STATE_DIGEST_HEADER,
)
from chainloop_ci.attestation.times import parse_time
from chainloop_ci.digests import sha256_digest
from chainloop_ci.errors import NotAuthenticatedError
from server.app import create_app
from server.cas.registry import open_back_ends
from server.dispatcher.dispatcher import make_dispatcher
from server.dispatcher.sweeps import Cleaners
from server.services.attestations import Attestations
from server.services.state_sweep import StateSweep
from server.store import run_states, runs
from server.store.run_state_tables import run_states as table
from tests.integration.server.between import BetweenReadAndWrite
from tests.integration.server.conftest import Api
from tests.integration.server.jobs import EMPTY_CONTRACT, Job, Key, put_contract, register_key
from tests.integration.server.plans import Plans

FIRST, SECOND = b"sealed, the first", b"sealed, the second"


@pytest.fixture
def shared(api: Any, acme: Any, key: Key) -> Job:
    """Return a job whose run keeps its state on the server."""
    put_contract(api, acme, EMPTY_CONTRACT)
    register_key(api, acme, key)
    job = Job(api(acme.token("attest", "workflow")), acme, key, contract=EMPTY_CONTRACT)
    assert job.begin(stateLocation="shared").status_code == 201
    return job


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, (answer.json or {}).get("code", "")


def test_the_bytes_come_back_as_they_were_sent(shared):
    kept = shared.keep(FIRST)

    found = shared.kept()

    assert (kept.status_code, kept.json["digest"], kept.json["sizeBytes"]) == (201, sha256_digest(FIRST), len(FIRST))
    assert (found.status_code, found.data) == (200, FIRST)
    assert found.headers["ETag"] == kept.headers["ETag"] == f'"{sha256_digest(FIRST)}"'
    assert (found.headers[RUN_HEADER], found.headers[SEALED_FOR_HEADER]) == (shared.run_id, shared.run_id)
    assert found.headers[RUN_STATE_HEADER] == "initialized"


def test_who_read_an_older_state_is_told_so_and_changes_nothing(shared):
    shared.keep(FIRST)
    shared.keep(SECOND, sha256_digest(FIRST))

    late = shared.keep(b"sealed, of somebody slow", sha256_digest(FIRST))

    assert code(late) == (412, "precondition-failed")
    assert sha256_digest(SECOND) in late.json["detail"]
    assert shared.kept().data == SECOND


def test_a_first_state_is_refused_when_there_is_one(shared):
    shared.keep(FIRST)

    assert code(shared.keep(SECOND)) == (412, "precondition-failed")
    assert shared.kept().data == FIRST


def test_the_same_bytes_again_get_the_same_answer(shared):
    shared.keep(FIRST)
    changed = shared.keep(SECOND, sha256_digest(FIRST))

    again = shared.keep(SECOND, sha256_digest(FIRST))

    assert (again.status_code, again.json["digest"]) == (200, changed.json["digest"])


@pytest.mark.parametrize(
    "headers",
    [
        {"If-None-Match": "x"},
        {"If-None-Match": "*", "If-Match": f'"{sha256_digest(FIRST)}"'},
        {"If-None-Match": "", "If-Match": '"1"'},
        {"If-None-Match": "", "If-Match": sha256_digest(FIRST)},
    ],
)
def test_a_state_without_exactly_one_precondition_is_refused(shared, headers):
    assert code(shared.keep(FIRST, None, **headers)) == (422, "request-invalid")


def test_of_twenty_writers_at_once_one_is_first(app, shared):
    answers: list[int] = []

    def write(number: int) -> None:
        headers = {**shared.headers, "If-None-Match": "*", "Content-Type": "application/octet-stream"}
        headers["Authorization"] = f"Bearer {shared.api._secret}"
        answer = app.test_client().put(
            f"/api/v1{shared.path}/state", data=f"sealed, number {number}".encode(), headers=headers
        )
        answers.append(answer.status_code)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == [201] + [412] * 19


def test_r14_another_runs_handle_reads_and_changes_nothing(api, acme, shared):
    other = Job(shared.api, acme, shared.key, contract=EMPTY_CONTRACT)
    other.begin(stateLocation="shared")
    shared.keep(FIRST)
    thief = Job(shared.api, acme, shared.key, run_id=shared.run_id, handle=other.handle)

    answers = [thief.kept(), thief.keep(SECOND, sha256_digest(FIRST)), thief.succeed(2), thief.end()]

    assert [code(answer) for answer in answers] == [(403, "not-allowed")] * 4
    assert shared.kept().data == FIRST
    assert shared.kept().headers[RUN_STATE_HEADER] == "initialized"


def test_r14_without_a_handle_a_state_is_neither_read_nor_changed(api, acme, shared):
    shared.keep(FIRST)
    admin = api(acme.token("admin"))

    read = admin.get(f"{shared.path}/state")
    written = admin.put(
        f"{shared.path}/state",
        data=SECOND,
        headers={"Content-Type": "application/octet-stream", "If-Match": f'"{sha256_digest(FIRST)}"'},
    )

    assert [code(read), code(written)] == [(403, "not-allowed")] * 2


def test_a_run_with_a_state_file_keeps_none_here(shared):
    local = Job(shared.api, shared.tenant, shared.key, contract=EMPTY_CONTRACT)
    local.begin()

    assert code(local.keep(FIRST)) == (409, "conflict")
    assert code(local.kept()) == (404, "not-found")
    assert "a state file of its job" in local.kept().json["detail"]


def test_a_run_whose_state_never_came_says_so(shared):
    assert code(shared.kept()) == (404, "not-found")
    assert "has not ended well" in shared.kept().json["detail"]


@pytest.mark.parametrize(("size", "expected"), [(MAX_STATE_BYTES, 201), (MAX_STATE_BYTES + 1, 413), (0, 422)])
def test_a_state_has_a_largest_size_and_is_not_empty(shared, size, expected):
    assert shared.keep(b"x" * size).status_code == expected


def test_states_count_into_the_quota_of_their_organization(api, acme, shared):
    quota = api(acme.token("admin")).patch(f"/organizations/{acme.name}", json={"quotaBytes": 1000})
    assert quota.status_code == 200
    shared.keep(b"x" * 600)
    other = Job(shared.api, acme, shared.key, contract=EMPTY_CONTRACT)
    other.begin(stateLocation="shared")

    assert code(other.keep(b"y" * 600)) == (507, "quota-exceeded")
    assert other.keep(b"y" * 400).status_code == 201
    assert shared.keep(b"z" * 600, sha256_digest(b"x" * 600)).status_code == 200


def test_an_upload_has_the_room_that_states_have_left(api, acme, shared):
    quota = api(acme.token("admin")).patch(f"/organizations/{acme.name}", json={"quotaBytes": 1000})
    assert quota.status_code == 200
    assert shared.keep(b"x" * 600).status_code == 201

    assert code(shared.upload(b"u" * 401, "app")) == (507, "quota-exceeded")
    assert shared.upload(b"u" * 400, "app").status_code == 201


def test_a_state_has_the_room_that_uploads_have_left(api, acme, shared):
    quota = api(acme.token("admin")).patch(f"/organizations/{acme.name}", json={"quotaBytes": 1000})
    assert quota.status_code == 200
    assert shared.upload(b"u" * 600, "app").status_code == 201

    assert code(shared.keep(b"x" * 401)) == (507, "quota-exceeded")
    assert shared.keep(b"x" * 400).status_code == 201


def test_r15_every_state_that_is_kept_prolongs_the_run(shared, clock):
    before = parse_time(shared.keep(FIRST).json["expiresAt"])
    clock.advance(hours=5)

    after = parse_time(shared.keep(SECOND, sha256_digest(FIRST)).json["expiresAt"])

    assert after - before == timedelta(hours=5)
    clock.advance(hours=5)
    assert shared.kept().headers[RUN_STATE_HEADER] == "initialized"
    assert parse_time(shared.kept().headers[RUN_EXPIRES_HEADER]) == after


def test_r15_an_ended_run_takes_no_state_and_says_what_opens_its_successor(shared):
    shared.keep(FIRST)
    shared.end()

    refused = shared.keep(SECOND, sha256_digest(FIRST))

    assert code(refused) == (409, "run-ended")
    assert "re-run the failed jobs of CI run 77" in refused.json["hint"]
    assert (shared.kept().data, shared.kept().headers[RUN_STATE_HEADER]) == (FIRST, "error")


def test_an_attestation_of_a_state_that_changed_since_is_refused_and_the_run_goes_on(shared):
    shared.keep(FIRST)
    shared.keep(SECOND, sha256_digest(FIRST))
    headers = {**shared.headers, STATE_DIGEST_HEADER: sha256_digest(FIRST)}

    late = shared.push(headers=headers)

    assert code(late) == (412, "precondition-failed")
    assert shared.push(headers={**headers, STATE_DIGEST_HEADER: sha256_digest(SECOND)}).status_code == 201


def test_states_are_forgotten_when_uploads_of_their_run_are(services, shared, clock):
    shared.keep(FIRST)
    shared.end()
    cleaners = Cleaners(services.database, {}, clock, timedelta(hours=24), services.world.new_id)

    def sweep() -> int:
        make_dispatcher(cleaners, holder="test").run(only_due=False)
        with services.database.read() as connection:
            return len(connection.execute(select(table.c.run_id)).all())

    clock.advance(hours=23)
    assert sweep() == 1
    clock.advance(hours=2)
    assert sweep() == 0
    assert code(shared.kept()) == (404, "not-found")
    assert "ended as error, and what its jobs shared was forgotten since" in shared.kept().json["detail"]


@pytest.mark.engine("sqlite")
def test_no_look_up_of_a_state_or_a_successor_walks_the_runs(services, shared, clock):
    shared.keep(FIRST)
    shared.end()
    shared.succeed(2)

    with services.database.read() as connection, Plans(connection) as plans:
        run = runs.find(connection, shared.tenant.id, shared.run_id)
        assert run is not None
        newest = runs.find_newest(connection, run)
        assert runs.find_successor_id(connection, run) == newest.id
        assert run_states.find_newest(connection, newest) is not None
        run_states.sum_bytes(connection, shared.tenant.id, except_run=run.id)
        run_states.list_forgettable(connection, clock(), limit=1)
        steps = plans.steps()

    walked = [step for step in steps if step.startswith("SCAN") and not step.startswith("SCAN run_states")]
    assert walked == []


def test_t41_a_token_that_ended_while_the_state_came_changes_nothing(shared, services, api, acme):
    principal = services.authenticator.authenticate(f"Bearer {acme.token('attest', 'workflow')}", None, "")
    holder = api(acme.token("attest"))
    shared.keep(FIRST)
    api(acme.token("admin")).post(f"/api-tokens/{principal.token_id}/revoke")

    with pytest.raises(NotAuthenticatedError, match="nothing was kept"):
        services.shared_states.save(principal, shared.run_id, SECOND, shared.handle, expected=sha256_digest(FIRST))

    assert holder.get(f"{shared.path}/state", headers=shared.headers).data == FIRST


def test_a_state_that_changes_while_the_attestation_is_checked_ends_no_run(shared, services, acme, content_checker):
    shared.keep(FIRST)
    between = BetweenReadAndWrite(services.database.engine, lambda: shared.keep(SECOND, sha256_digest(FIRST)))
    back_ends = open_back_ends(services.config.blobs_path)
    world = services.world
    attestations = Attestations(between, world.now, world.new_id, back_ends=back_ends, checker=content_checker)
    client = create_app(replace(services, attestations=attestations)).test_client()
    pushing = replace(shared, api=Api(client, acme.token("attest", "workflow")))

    late = pushing.push(headers={**shared.headers, STATE_DIGEST_HEADER: sha256_digest(FIRST)})

    assert code(late) == (412, "precondition-failed")
    assert shared.api.get(shared.path).json["run"]["state"] == "initialized"


def test_states_are_forgotten_in_batches_so_that_nobody_waits_long(services, acme, shared, clock):
    shared.keep(FIRST)
    other = Job(shared.api, acme, shared.key, contract=EMPTY_CONTRACT)
    other.begin(stateLocation="shared")
    other.keep(SECOND)
    shared.end()
    other.end()
    clock.advance(minutes=1)
    sweep = StateSweep(services.database, batch=1)

    assert [sweep.forget_some(services.world.now()) for _ in range(3)] == [1, 1, 0]


@pytest.mark.parametrize("text", ["", "-1", "two", "1.5", "1234567", "²"])
def test_a_count_of_materials_is_a_number(shared, text):
    refused = shared.keep(FIRST, **{MATERIALS_PRESENT_HEADER: text.encode("utf-8").decode("latin-1")})

    assert (refused.status_code, refused.json["findings"][0]["path"]) == (422, MATERIALS_PRESENT_HEADER)
    assert shared.kept().status_code == 404
