"""Artifacts: what a job may read of what others uploaded, and quotas when bytes come twice or at once (R7, R8)."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest

from server.app import create_app
from server.errors import QuotaExceededError
from server.services.uploads import Upload
from server.wiring import Services, build_services
from tests.integration.server.conftest import Api, Tenant
from tests.integration.server.jobs import Job, digest

OCTETS = {"Content-Type": "application/octet-stream"}
CONTENT = b"some content of a build"
PATH = f"/artifacts/{digest(CONTENT)}"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("scope", ["organization", "project", "workflow"])
def test_r8_a_job_does_not_read_what_an_operator_uploaded(api: Any, acme: Tenant, scope: str, method: str) -> None:
    api(acme.token("operate")).put(PATH, data=CONTENT, headers=OCTETS)

    answer = api(acme.token("attest", scope)).request(method, PATH)

    assert answer.status_code == 403
    assert CONTENT not in answer.data


def test_r8_a_job_reads_what_it_uploads_after_it_only_referred_to_it(api: Any, acme: Tenant, job: Job) -> None:
    api(acme.token("operate")).put(PATH, data=CONTENT, headers=OCTETS)
    job.begin()
    job.api.post(f"{job.path}{PATH}", headers=job.headers)
    referred = job.api.get(PATH)

    uploaded = job.upload(CONTENT, "app.bin")

    assert (referred.status_code, uploaded.status_code) == (403, 200)
    assert job.api.get(PATH).data == CONTENT


def test_r8_the_same_bytes_twice_count_once_on_the_quota_of_a_run(services: Services, acme: Tenant, job: Job) -> None:
    job.begin()
    small = build_services(replace(services.config, run_quota_bytes=20), services.world)
    job.api = Api(create_app(small).test_client(), acme.token("attest", "workflow"))

    uploads = [job.upload(content, "a") for content in (b"12345678", b"12345678", b"87654321", b"12345")]

    assert [answer.status_code for answer in uploads] == [201, 200, 201, 507]


class Overtaken(io.BytesIO):
    """A body that is still being sent while another upload of the organization is completed."""

    def __init__(self, content: bytes, other: Any) -> None:
        super().__init__(content)
        self._other = other

    def read(self, size: int | None = -1, /) -> bytes:
        other, self._other = self._other, lambda: None
        other()
        return super().read(size)


def test_r8_of_two_uploads_at_once_that_fit_only_singly_one_is_refused(
    services: Services, api: Any, acme: Tenant
) -> None:
    api(acme.token("admin")).patch(f"/organizations/{acme.name}", json={"quotaBytes": 10})
    operator = api(acme.token("operate"))
    principal = services.authenticator.authenticate(f"Bearer {acme.token('operate')}", None, "")
    faster = []

    body = Overtaken(b"87654321", lambda: faster.append(operator.post("/artifacts", data=b"12345678", headers=OCTETS)))
    with pytest.raises(QuotaExceededError):
        services.uploads.upload(principal, Upload(body))

    assert faster[0].status_code == 201
    assert operator.get(f"/artifacts/{digest(b'87654321')}").status_code == 404
