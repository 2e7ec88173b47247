"""What ends between the reading and the writing of a store does not count any more (R3, R4, R6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from server.app import create_app
from server.cas.registry import open_back_ends
from server.content_check.checker import ContentChecker
from server.services.attestations import Attestations
from server.wiring import Services
from tests.integration.server.between import BetweenReadAndWrite
from tests.integration.server.conftest import Api, Clock, Tenant
from tests.integration.server.jobs import Job


@pytest.fixture
def push_while(
    services: Services, job: Job, acme: Tenant, content_checker: ContentChecker
) -> Callable[[Callable[[], object]], Any]:
    """Return what pushes a run that is ready, while something happens after its contents were checked."""
    job.begin()
    job.add_everything()

    def push(act: Callable[[], object], scope: str = "workflow") -> Any:
        between = BetweenReadAndWrite(services.database.engine, act)
        back_ends = open_back_ends(services.config.blobs_path)
        world = services.world
        attestations = Attestations(between, world.now, world.new_id, back_ends=back_ends, checker=content_checker)
        client = create_app(replace(services, attestations=attestations)).test_client()
        return replace(job, api=Api(client, acme.token("attest", scope))).push()

    return push


@pytest.mark.parametrize(("end", "code"), [("retire", "key-retired"), ("revoke", "key-revoked")])
def test_r3_a_key_that_ends_during_a_store_does_not_count(
    api: Any, acme: Tenant, job: Job, push_while: Any, end: str, code: str
) -> None:
    admin = api(acme.token("admin"))

    answer = push_while(lambda: admin.post(f"/verification-keys/{job.key.public.key_id}/{end}"))

    shown = job.api.get(job.path).json
    assert answer.status_code == 422, answer.text
    assert [finding["code"] for finding in answer.json["findings"]] == [code]
    assert (shown["run"]["state"], shown["run"]["refusals"]) == ("initialized", 1)
    assert shown["refusals"][0]["code"] == "signer-not-trusted"


def test_r3_a_key_that_was_retired_while_a_store_waited_for_others_does_not_count(
    api: Any, acme: Tenant, clock: Clock, job: Job, push_while: Any
) -> None:
    def wait_and_retire() -> None:
        clock.advance(seconds=1)
        api(acme.token("admin")).post(f"/verification-keys/{job.key.public.key_id}/retire")

    answer = push_while(wait_and_retire)

    assert answer.status_code == 422, answer.text
    assert [finding["code"] for finding in answer.json["findings"]] == ["key-retired"]


def test_r4_a_key_that_is_retired_during_a_store_leaves_it_unverified_where_that_is_accepted(
    api: Any, acme: Tenant, job: Job, push_while: Any
) -> None:
    admin = api(acme.token("admin"))
    admin.patch(f"/organizations/{acme.name}", json={"acceptUnsigned": True})

    answer = push_while(lambda: admin.post(f"/verification-keys/{job.key.public.key_id}/retire"))

    assert (answer.status_code, answer.json["verified"], answer.json["state"]) == (201, False, "error")
    assert answer.json["verification"]["key"]["result"] == "no"


def test_r4_an_organization_that_stops_accepting_unsigned_stores_during_a_store_stores_none(
    api: Any, acme: Tenant, job: Job, push_while: Any
) -> None:
    admin = api(acme.token("admin"))
    admin.post(f"/verification-keys/{job.key.public.key_id}/retire")
    admin.patch(f"/organizations/{acme.name}", json={"acceptUnsigned": True})

    answer = push_while(lambda: admin.patch(f"/organizations/{acme.name}", json={"acceptUnsigned": False}))

    assert answer.status_code == 422, answer.text
    assert job.api.get(job.path).json["run"]["state"] == "initialized"


def test_r6_a_run_whose_token_is_revoked_during_its_store_stays_canceled(
    api: Any, acme: Tenant, job: Job, push_while: Any
) -> None:
    admin = api(acme.token("admin"))
    token_id = job.api.get("/whoami").json["tokenId"]

    answer = push_while(lambda: admin.post(f"/api-tokens/{token_id}/revoke"))

    run = admin.get(job.path).json["run"]
    assert (answer.status_code, answer.json["code"]) == (409, "run-ended")
    assert (run["state"], "attestationDigest" in run) == ("canceled", False)


def test_t41_a_token_that_is_revoked_while_it_stores_the_run_of_another_stores_nothing(
    api: Any, acme: Tenant, job: Job, push_while: Any
) -> None:
    admin = api(acme.token("admin"))
    token_id = api(acme.token("attest")).get("/whoami").json["tokenId"]

    answer = push_while(lambda: admin.post(f"/api-tokens/{token_id}/revoke"), scope="organization")

    assert (answer.status_code, answer.json["code"]) == (401, "not-authenticated")
    assert admin.get(job.path).json["run"]["state"] == "initialized"
