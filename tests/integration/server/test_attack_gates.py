"""A job's token tries to shut a gate for what somebody else attested (R36)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chainloop_ci.digests import sha256_digest
from server.wiring import Services
from tests.integration.server.conftest import Tenant
from tests.integration.server.jobs import BINARY, CI, Job
from tests.integration.server.judged import Repository

OTHER = "f" * 40


@pytest.mark.parametrize("lies", [1, 25])
def test_r36_runs_that_only_claim_to_have_made_a_digest_shut_nothing(
    services: Services, api: Any, acme: Tenant, job: Job, lies: int
) -> None:
    repository = Repository(services, api, acme)
    repository.register()
    repository.see_head()
    repository.see_run()
    job.begin()
    job.add_everything()
    assert job.push().status_code in (200, 201)
    repository.end_run()

    for number in range(lies):
        liar = Job(job.api, job.tenant, job.key)
        claim = {"headSha": OTHER, "runId": str(900 + number)}
        assert liar.begin(ci={**liar.ci_of_attempt(1), **claim}).status_code == 201
        liar.ci = replace(CI, head_sha=OTHER, run_id=claim["runId"])
        liar.add_everything()
        assert liar.push().status_code in (200, 201)

    body = {"workflows": ["app/build"], "digest": sha256_digest(BINARY)}
    answer = api(acme.token("read")).post("/gate", json=body)
    assert [reason["code"] for reason in answer.json["reasons"]] == ["success"]
