"""R8, T41: what an upload may take, and what is left of one that is refused while it comes."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, delete, event, update

from chainloop_ci.errors import ChainloopError, NotAuthenticatedError
from server.app import create_app
from server.errors import QuotaExceededError, StoreFullError
from server.model.principal import Principal
from server.services.uploads import Upload
from server.store import tables
from server.store.times import to_text
from server.wiring import Services, build_services
from tests.integration.server.conftest import Api, Clock, Tenant
from tests.integration.server.jobs import Job, digest
from tests.integration.server.uploads import CONTENT, OCTETS, PATH, principal_of, stored_files
from tests.integration.server.uploads import operator as operator
from tests.integration.server.uploads import reader as reader


def limited(services: Services, secret: str, **limits: int) -> Api:
    """Return the API of a server over the same data with other limits."""
    app = create_app(build_services(replace(services.config, **limits), services.world))  # type: ignore[arg-type]
    return Api(app.test_client(), secret)


@pytest.mark.parametrize("announced", [True, False])
def test_a_blob_over_the_limit_is_refused_with_the_limit(services: Services, acme: Tenant, announced: bool) -> None:
    operator = limited(services, acme.token("operate"), max_blob_bytes=10)
    chunked = {"input_stream": io.BytesIO(CONTENT), "environ_overrides": {"wsgi.input_terminated": True}}

    answer = operator.post("/artifacts", headers=OCTETS, **({"data": CONTENT} if announced else chunked))

    assert answer.status_code == 413
    assert "10 bytes" in answer.json["detail"]
    assert stored_files(services) == []


def test_r8_an_organization_over_its_quota_gets_507(
    services: Services, operator: Any, reader: Any, api: Any, acme: Tenant
) -> None:
    operator.put(PATH, data=CONTENT, headers=OCTETS)
    api(acme.token("admin")).patch(f"/organizations/{acme.name}", json={"quotaBytes": len(CONTENT) + 3})

    over = operator.post("/artifacts", data=b"1234", headers=OCTETS)
    within = operator.post("/artifacts", data=b"123", headers=OCTETS)
    known = operator.put(PATH, data=CONTENT, headers=OCTETS)

    assert (over.status_code, over.json["code"]) == (507, "quota-exceeded")
    assert within.status_code == 201
    assert known.status_code == 200
    assert reader.get(PATH).data == CONTENT


def test_r8_a_run_over_its_quota_gets_507(services: Services, job: Job, acme: Tenant) -> None:
    job.begin()
    job.api = limited(services, acme.token("attest", "workflow"), run_quota_bytes=10)

    first = job.upload(b"12345678", "a")
    second = job.upload(b"123", "b")

    assert (first.status_code, second.status_code) == (201, 507)
    assert "workflow run" in second.json["detail"]


@pytest.mark.parametrize("announced", [True, False])
def test_r8_what_a_run_has_uploaded_it_may_send_again_at_the_end_of_its_quota(
    services: Services, job: Job, acme: Tenant, announced: bool
) -> None:
    job.begin()
    job.api = limited(services, acme.token("attest", "workflow"), run_quota_bytes=10)
    path, headers = f"/artifacts?run={job.run_id}", {**job.headers, **OCTETS}
    job.upload(b"12345678", "a")

    def post(body: bytes) -> Any:
        if announced:
            return job.api.post(path, data=body, headers=headers)
        chunked = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
        return job.api.post(path, input_stream=io.BytesIO(body), headers=headers, environ_overrides=chunked)

    again = job.upload(b"12345678", "a")
    streamed = post(b"12345678")
    other = post(b"87654321")
    larger = post(b"123456789")

    assert (again.status_code, streamed.status_code) == (200, 200)
    assert (other.status_code, larger.status_code) == (507, 507)
    assert "has 2 left, this artifact has 8 or more" in other.json["detail"]
    assert stored_files(services) == [digest(b"12345678").removeprefix("sha256:")]


def test_r8_what_a_run_has_uploaded_it_may_send_again_when_its_organization_is_full(
    job: Job, api: Any, acme: Tenant
) -> None:
    job.begin()
    job.upload(CONTENT, "a")
    api(acme.token("admin")).patch(f"/organizations/{acme.name}", json={"quotaBytes": len(CONTENT)})

    again = job.api.post(f"/artifacts?run={job.run_id}", data=CONTENT, headers={**job.headers, **OCTETS})
    other = job.api.post(f"/artifacts?run={job.run_id}", data=b"x", headers={**job.headers, **OCTETS})

    assert (again.status_code, other.status_code) == (200, 507)


class During:
    """A body; something happens while it comes."""

    def __init__(self, *events: Any) -> None:
        self.blocks = [CONTENT, b""]
        self.events = list(events)
        self.after_first_block: Callable[[], object] = lambda: None

    def read(self, size: int, /) -> bytes:
        while self.events:
            self.events.pop()()
        if len(self.blocks) == 1:
            self.after_first_block()
        return self.blocks.pop(0)


def job_principal(services: Services, acme: Tenant) -> Principal:
    return services.authenticator.authenticate(f"Bearer {acme.token('attest', 'workflow')}", None, "")


def test_r8_an_upload_for_a_run_that_ends_meanwhile_leaves_no_blob(services: Services, job: Job, acme: Tenant) -> None:
    job.begin()
    cancel = partial(job.api.post, f"{job.path}/cancel", json={"trigger": "failure"}, headers=job.headers)

    with pytest.raises(ChainloopError, match="ended"):
        services.uploads.upload(
            job_principal(services, acme), Upload(During(cancel), run_id=job.run_id, handle=job.handle)
        )

    assert stored_files(services) == []


def test_r8_uploads_side_by_side_that_are_over_the_quota_together_leave_no_blob(
    services: Services, operator: Any, api: Any, acme: Tenant
) -> None:
    with services.database.write() as connection:
        connection.execute(update(tables.organizations).values(quota_bytes=len(CONTENT) + 5))
    other = partial(operator.post, "/artifacts", data=b"another", headers=OCTETS)

    with pytest.raises(QuotaExceededError):
        services.uploads.upload(principal_of(services, acme), Upload(During(other)))

    assert stored_files(services) == [digest(b"another").removeprefix("sha256:")]


def test_r8_uploads_that_are_on_their_way_count_on_the_quota(
    services: Services, operator: Any, api: Any, acme: Tenant
) -> None:
    api(acme.token("admin")).patch(f"/organizations/{acme.name}", json={"quotaBytes": len(CONTENT) + 5})
    meanwhile: list[Any] = []
    body = During()
    other = partial(operator.post, "/artifacts", data=b"another", headers=OCTETS)
    body.after_first_block = lambda: meanwhile.append(other())

    first, is_new = services.uploads.upload(principal_of(services, acme), Upload(body))

    assert (meanwhile[0].status_code, meanwhile[0].json["code"]) == (507, "quota-exceeded")
    assert "has 5 left, this artifact has 7 or more" in meanwhile[0].json["detail"]
    assert (first.digest, is_new) == (digest(CONTENT), True)


def test_r8_uploads_of_another_organization_do_not(services: Services, api: Any, acme: Tenant, rival: Tenant) -> None:
    with services.database.write() as connection:
        connection.execute(update(tables.organizations).values(quota_bytes=len(CONTENT)))
    meanwhile: list[Any] = []
    body = During()
    theirs = partial(api(rival.token("operate")).post, "/artifacts", data=b"another", headers=OCTETS)
    body.after_first_block = lambda: meanwhile.append(theirs())

    services.uploads.upload(principal_of(services, acme), Upload(body))

    assert meanwhile[0].status_code == 201


def test_r8_a_known_address_takes_no_more_than_what_is_known_of_it(
    services: Services, operator: Any, api: Any, acme: Tenant
) -> None:
    operator.put(PATH, data=CONTENT, headers=OCTETS)
    api(acme.token("admin")).patch(f"/organizations/{acme.name}", json={"quotaBytes": len(CONTENT)})

    larger = operator.put(PATH, data=CONTENT + b"x", headers=OCTETS)
    same = operator.put(PATH, data=CONTENT, headers=OCTETS)

    assert (larger.status_code, same.status_code) == (507, 200)


@pytest.mark.parametrize("how", ["revoked", "expired", "deleted"])
def test_t41_a_token_that_ends_while_its_upload_comes_stores_nothing(
    how: str, services: Services, acme: Tenant, clock: Clock
) -> None:
    changes = {"revoked": {"revoked_at": to_text(clock())}, "expired": {"expires_at": to_text(clock())}}
    principal = principal_of(services, acme)

    def end() -> None:
        own = tables.api_tokens.c.id == principal.token_id
        table = tables.api_tokens
        with services.database.write() as connection:
            connection.execute((delete(table) if how == "deleted" else update(table).values(changes[how])).where(own))

    with pytest.raises(NotAuthenticatedError, match="nothing was kept"):
        services.uploads.upload(principal, Upload(During(end)))

    assert stored_files(services) == []


def fail_next_commit(services: Services) -> None:
    """Let the disk be full when the next transaction ends."""
    engine = services.database.engine

    def fail(_: Connection) -> None:
        event.remove(engine, "commit", fail)
        raise StoreFullError

    event.listen(engine, "commit", fail)


def test_r8_a_row_that_cannot_be_written_leaves_no_blob(services: Services, acme: Tenant) -> None:
    principal = principal_of(services, acme)

    with pytest.raises(StoreFullError):
        services.uploads.upload(principal, Upload(FailingAtTheEnd(services)))

    assert stored_files(services) == []


def test_r8_a_blob_that_others_have_stays_when_a_row_cannot_be_written(
    services: Services, acme: Tenant, rival: Tenant, api: Any
) -> None:
    principal = principal_of(services, acme)
    api(rival.token("operate")).post("/artifacts", data=CONTENT, headers=OCTETS)

    with pytest.raises(StoreFullError):
        services.uploads.upload(principal, Upload(FailingAtTheEnd(services)))

    assert api(rival.token("read")).get(PATH).data == CONTENT
    assert api(acme.token("read")).get(PATH).status_code == 404


class FailingAtTheEnd(During):
    """A body after which the next commit fails."""

    def __init__(self, services: Services) -> None:
        super().__init__()
        self.services = services

    def read(self, size: int, /) -> bytes:
        block = super().read(size)
        if not block:
            fail_next_commit(self.services)
        return block
