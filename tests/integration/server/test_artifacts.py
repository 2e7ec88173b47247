"""Artifacts: who has a blob, who may read it, and what is left of an upload that fails (R7, R8)."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, delete, event, update

from chainloop_ci.attestation.state import CraftedMaterial
from chainloop_ci.contract.types import MaterialType
from chainloop_ci.errors import ChainloopError, NotAuthenticatedError, RequestInvalidError
from server.app import create_app
from server.errors import QuotaExceededError, StoreFullError
from server.model.principal import Principal
from server.model.sweeps import ABANDONED
from server.services.artifacts import Upload
from server.store import tables
from server.store.times import to_text
from server.wiring import Services, build_services
from tests.integration.server.conftest import EPOCH, Api, Clock, Tenant
from tests.integration.server.jobs import (
    BINARY,
    EMPTY_CONTRACT,
    JUNIT,
    SBOM,
    Job,
    Key,
    derive,
    digest,
    put_contract,
    register_key,
)

OCTETS = {"Content-Type": "application/octet-stream"}
CONTENT = b"some content of a build"
PATH = f"/artifacts/{digest(CONTENT)}"


def stored_files(services: Services) -> list[str]:
    """Return the names of all files in the blob folder, temporary ones included."""
    return sorted(path.name for path in services.config.blobs_path.rglob("*") if path.is_file())


@pytest.fixture
def operator(api: Any, acme: Tenant) -> Any:
    return api(acme.token("operate"))


@pytest.fixture
def reader(api: Any, acme: Tenant) -> Any:
    return api(acme.token("read"))


def test_an_uploaded_file_is_downloaded_with_its_name(operator: Any, reader: Any) -> None:
    posted = operator.post("/artifacts?filename=app.bin", data=CONTENT, headers=OCTETS)

    answer = reader.get(PATH)

    assert (posted.status_code, posted.json["digest"]) == (201, digest(CONTENT))
    assert (posted.json["sizeBytes"], posted.json["filename"]) == (len(CONTENT), "app.bin")
    assert answer.data == CONTENT
    assert "app.bin" in answer.headers["Content-Disposition"]


def test_r8_a_download_is_never_run_guessed_or_shown_by_a_browser(operator: Any, reader: Any) -> None:
    operator.post("/artifacts?filename=a%22%0D%0Ab%3C.html", data=CONTENT, headers=OCTETS)

    headers = reader.get(PATH).headers

    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["Content-Disposition"].startswith('attachment; filename="a_b_.html"')
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in headers["Content-Security-Policy"]
    assert headers["Content-Length"] == str(len(CONTENT))


def test_head_tells_size_and_name_without_content(operator: Any, reader: Any) -> None:
    operator.put(f"{PATH}?filename=app.bin", data=CONTENT, headers=OCTETS)

    answer = reader.head(PATH)

    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["Content-Length"] == str(len(CONTENT))
    assert answer.headers["ETag"] == f'"{digest(CONTENT)}"'


def test_the_same_content_again_is_200(operator: Any) -> None:
    first = operator.put(PATH, data=CONTENT, headers=OCTETS)

    second = operator.put(PATH, data=CONTENT, headers=OCTETS)

    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json == first.json


def test_r7_a_body_that_hashes_to_another_digest_is_not_kept(services: Services, operator: Any, reader: Any) -> None:
    answer = operator.put(PATH, data=b"other", headers=OCTETS)

    assert answer.status_code == 422
    assert digest(b"other") in answer.json["detail"]
    assert stored_files(services) == []
    assert reader.get(PATH).status_code == 404


def test_an_empty_body_is_refused(services: Services, operator: Any) -> None:
    answer = operator.post("/artifacts", data=b"", headers=OCTETS)

    assert answer.status_code == 422
    assert answer.json["findings"][0]["code"] == "empty"
    assert stored_files(services) == []


def test_a_client_that_disconnects_leaves_nothing(services: Services, operator: Any, reader: Any) -> None:
    answer = operator.put(
        PATH,
        input_stream=io.BytesIO(CONTENT[:5]),
        headers=OCTETS,
        # What gunicorn says: the stream ends by itself, here too early.
        environ_overrides={"wsgi.input_terminated": True, "CONTENT_LENGTH": str(len(CONTENT))},
    )

    assert answer.status_code == 422
    assert "broke off" in answer.json["detail"]
    assert stored_files(services) == []
    assert reader.get(PATH).status_code == 404


def test_a_body_sent_in_chunks_is_taken(operator: Any) -> None:
    answer = operator.post(
        "/artifacts",
        input_stream=io.BytesIO(CONTENT),
        headers={**OCTETS, "Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )

    assert answer.json["digest"] == digest(CONTENT)


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


def test_r7_the_digest_of_another_organization_is_not_found_on_every_verb(
    job: Job, operator: Any, api: Any, rival: Tenant
) -> None:
    operator.put(PATH, data=CONTENT, headers=OCTETS)
    put_contract(api, rival)
    theirs = Job(api(rival.token("attest")), rival, Key())
    theirs.begin()

    assert api(rival.token("read")).get(PATH).status_code == 404
    assert api(rival.token("read")).head(PATH).status_code == 404
    assert theirs.api.post(f"{theirs.path}{PATH}", headers=theirs.headers).status_code == 404


def test_r7_the_answer_about_anothers_digest_is_that_about_an_unknown_one(
    operator: Any, api: Any, rival: Tenant
) -> None:
    operator.put(PATH, data=CONTENT, headers=OCTETS)
    unknown = f"/artifacts/{digest(b'nobody has this')}"

    theirs = api(rival.token("read")).get(PATH).json
    nobodys = api(rival.token("read")).get(unknown).json

    def anonymous(problem: dict[str, Any]) -> dict[str, Any]:
        words = {name: value for name, value in problem.items() if name != "requestId"}
        return words | {"detail": problem["detail"].rpartition(" ")[0]}

    assert anonymous(theirs) == anonymous(nobodys)


def test_r7_an_organization_gets_what_another_has_only_by_uploading_it(
    services: Services, operator: Any, api: Any, rival: Tenant
) -> None:
    operator.put(PATH, data=CONTENT, headers=OCTETS)

    answer = api(rival.token("operate")).put(PATH, data=CONTENT, headers=OCTETS)

    assert answer.status_code == 201
    assert api(rival.token("read")).get(PATH).data == CONTENT
    assert len(stored_files(services)) == 1


def test_r7_a_reference_makes_no_right_to_read(job: Job, operator: Any, reader: Any) -> None:
    operator.put(PATH, data=CONTENT, headers=OCTETS)
    job.begin()

    referred = job.api.post(f"{job.path}{PATH}?filename=app.bin", headers=job.headers)

    assert (referred.status_code, referred.data) == (204, b"")
    assert job.api.get(PATH).status_code == 403
    assert reader.get(PATH).status_code == 200


def test_r7_a_reference_is_as_good_as_an_upload_for_the_attestation(job: Job) -> None:
    first = Job(job.api, job.tenant, job.key)
    first.begin()
    first.add_everything()
    job.begin()
    job.materials = first.materials
    for name in ("binary", "sbom", "unit"):
        job.api.post(f"{job.path}/artifacts/{job.materials[name].digest}", headers=job.headers)

    answer = job.push()

    assert answer.status_code == 201, answer.text


def test_r15_a_reference_prolongs_the_run(job: Job, operator: Any, clock: Clock) -> None:
    operator.put(PATH, data=CONTENT, headers=OCTETS)
    job.begin()
    clock.advance(hours=5)
    job.api.post(f"{job.path}{PATH}", headers=job.headers)
    clock.advance(hours=5)

    assert job.api.get(job.path).json["run"]["state"] == "initialized"


@pytest.mark.parametrize("handle", [None, "wrong"])
def test_a_reference_needs_the_handle(job: Job, operator: Any, handle: str | None) -> None:
    operator.put(PATH, data=CONTENT, headers=OCTETS)
    job.begin()

    answer = job.api.post(f"{job.path}{PATH}", headers={"Chainloop-Run-Handle": handle} if handle else {})

    assert answer.status_code == 403


def test_r8_a_job_reads_what_its_runs_uploaded(job: Job) -> None:
    job.begin()
    job.upload(CONTENT, "app.bin")

    assert job.api.get(PATH).data == CONTENT
    assert job.api.head(PATH).status_code == 200


def test_r8_a_job_does_not_read_what_another_workflow_uploaded(api: Any, acme: Tenant, job: Job) -> None:
    revision = api(acme.token("read")).get("/contracts/app-deploy/revisions/1").json
    other = Job(api(acme.token("attest")), acme, job.key, workflow="app/deploy", contract=b"", revision=1)
    other.begin(contractDigest=revision["digest"])
    other.upload(CONTENT, "secret.bin")

    answer = job.api.get(PATH)

    assert answer.status_code == 403
    assert api(acme.token("read", "project")).get(PATH).data == CONTENT


def test_a_reader_of_a_project_does_not_read_another_projects_content(api: Any, acme: Tenant, job: Job) -> None:
    revision = api(acme.token("read")).get("/contracts/other-build/revisions/1").json
    other = Job(api(acme.token("attest")), acme, job.key, workflow="other/build", contract=b"", revision=1)
    other.begin(contractDigest=revision["digest"])
    other.upload(CONTENT, "secret.bin")

    answer = api(acme.token("read", "project")).get(PATH)

    assert answer.status_code == 403


def test_a_job_must_name_its_run_and_show_its_handle(services: Services, job: Job) -> None:
    job.begin()

    unnamed = job.api.post("/artifacts", data=CONTENT, headers=OCTETS)
    without_handle = job.api.post(f"/artifacts?run={job.run_id}", data=CONTENT, headers=OCTETS)

    assert (unnamed.status_code, without_handle.status_code) == (403, 403)
    assert "`run` is missing" in unnamed.json["detail"]
    assert stored_files(services) == []


def test_an_operator_of_one_project_uploads_only_for_a_run(api: Any, acme: Tenant) -> None:
    answer = api(acme.token("operate", "project")).post("/artifacts", data=CONTENT, headers=OCTETS)

    assert answer.status_code == 403


def test_a_reader_does_not_upload(api: Any, acme: Tenant) -> None:
    answer = api(acme.token("read")).post("/artifacts", data=CONTENT, headers=OCTETS)

    assert answer.status_code == 403


def test_an_ended_run_takes_no_upload(services: Services, job: Job) -> None:
    job.begin()
    job.api.post(f"{job.path}/cancel", json={"trigger": "failure"}, headers=job.headers)

    upload = job.upload(CONTENT, "late.bin")
    reference = job.api.post(f"{job.path}{PATH}", headers=job.headers)

    assert (upload.json["code"], reference.json["code"]) == ("run-ended", "run-ended")
    assert stored_files(services) == []


def test_content_that_rotted_on_the_disk_is_not_handed_out(services: Services, operator: Any, reader: Any) -> None:
    operator.put(PATH, data=CONTENT, headers=OCTETS)
    (file,) = [path for path in services.config.blobs_path.rglob("*") if path.is_file()]
    file.write_bytes(CONTENT.upper())

    broken = reader.get(PATH)
    operator.put(PATH, data=CONTENT, headers=OCTETS)

    assert (broken.status_code, broken.json["code"]) == (500, "blob-corrupt")
    assert reader.get(PATH).data == CONTENT


def test_a_large_blob_that_rotted_never_arrives_whole(services: Services, operator: Any, reader: Any) -> None:
    content = os.urandom(3 * 1024 * 1024)
    operator.post("/artifacts", data=content, headers=OCTETS)
    (file,) = [path for path in services.config.blobs_path.rglob("*") if path.is_file()]
    file.write_bytes(content[:-1] + b"?")

    answer = reader.get(f"/artifacts/{digest(content)}", buffered=False)
    received = 0
    with pytest.raises(Exception, match="not handed out"):
        for block in answer.response:
            received += len(block)

    assert received < len(content)


def test_stale_temporary_files_are_swept_at_start_and_fresh_ones_stay(services: Services) -> None:
    incoming = services.config.blobs_path / "incoming"
    stale, fresh = incoming / "stale", incoming / "fresh"
    for path in (stale, fresh):
        path.write_bytes(b"half a blob")
    long_ago = stale.stat().st_mtime - ABANDONED.total_seconds() - 1
    os.utime(stale, (long_ago, long_ago))

    build_services(services.config, services.world)

    assert (stale.exists(), fresh.exists()) == (False, True)


@pytest.fixture
def inline(api: Any, acme: Tenant) -> None:
    """Let `acme` keep content inside the attestation."""
    api(acme.token("admin")).patch(f"/organizations/{acme.name}", json={"casBackend": "inline"})


def test_an_organization_without_a_store_takes_no_upload(inline: None, operator: Any) -> None:
    answer = operator.post("/artifacts", data=CONTENT, headers=OCTETS)

    assert answer.status_code == 409
    assert "inside the attestation" in answer.json["detail"]


def inline_job(job: Job) -> Job:
    """Return the job with its contents inside the statement, pushed."""
    job.begin()
    job.add_string("version", "1")
    job.add_image("image")
    for name, kind, content in (
        ("binary", MaterialType.ARTIFACT, BINARY),
        ("sbom", MaterialType.SBOM_CYCLONEDX_JSON, SBOM),
        ("unit", MaterialType.JUNIT_XML, JUNIT),
    ):
        job.materials[name] = CraftedMaterial(
            name,
            kind,
            digest(content),
            EPOCH,
            filename=f"{name}.dat",
            size_bytes=len(content),
            inline=content,
            main_component=derive(kind, content).main_component,
            output=name == "binary",
        )
    answer = job.push()
    assert answer.status_code == 201, answer.text
    return job


def test_content_inside_the_attestation_is_downloaded_from_there(
    inline: None, job: Job, reader: Any, api: Any, rival: Tenant
) -> None:
    sbom = inline_job(job).materials["sbom"]

    answer = reader.get(f"/artifacts/{sbom.digest}")

    assert answer.data == sbom.inline
    assert "sbom.dat" in answer.headers["Content-Disposition"]
    assert api(rival.token("read")).get(f"/artifacts/{sbom.digest}").status_code == 404


def test_content_inside_the_attestation_is_checked_too(inline: None, job: Job) -> None:
    inline_job(job)

    shown = {entry["name"]: entry for entry in job.api.get(job.path).json["materials"]}

    assert (shown["sbom"]["stored"], shown["sbom"]["contentCheck"]) == ("inline", "checked")


def test_an_interrupted_upload_can_be_sent_again(services: Services, operator: Any, reader: Any, acme: Tenant) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise ConnectionResetError("peer is gone")

    with pytest.raises(RequestInvalidError, match="broke off"):
        services.artifacts.upload(_principal(services, acme), Upload(Broken()))
    answer = operator.put(PATH, data=CONTENT, headers=OCTETS)

    assert answer.status_code == 201
    assert stored_files(services) == [digest(CONTENT).removeprefix("sha256:")]


def _principal(services: Services, acme: Tenant) -> Principal:
    return services.authenticator.authenticate(f"Bearer {acme.token('operate')}", None, "")


def test_the_blob_folder_is_for_the_server_only(services: Services, operator: Any) -> None:
    operator.put(PATH, data=CONTENT, headers=OCTETS)

    folders = [path for path in Path(services.config.blobs_path).rglob("*") if path.is_dir()]

    assert {path.stat().st_mode & 0o077 for path in folders} == {0}


def test_a_material_that_the_contract_does_not_know_is_stored_too(api: Any, acme: Tenant, key: Key) -> None:
    put_contract(api, acme, EMPTY_CONTRACT)
    register_key(api, acme, key)
    job = Job(api(acme.token("attest")), acme, key, contract=EMPTY_CONTRACT)
    job.begin()
    job.add_file("extra", MaterialType.ARTIFACT, b"x", "x.bin")

    assert job.push().status_code == 201


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
        services.artifacts.upload(
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
        services.artifacts.upload(_principal(services, acme), Upload(During(other)))

    assert stored_files(services) == [digest(b"another").removeprefix("sha256:")]


def test_r8_uploads_that_are_on_their_way_count_on_the_quota(
    services: Services, operator: Any, api: Any, acme: Tenant
) -> None:
    api(acme.token("admin")).patch(f"/organizations/{acme.name}", json={"quotaBytes": len(CONTENT) + 5})
    meanwhile: list[Any] = []
    body = During()
    other = partial(operator.post, "/artifacts", data=b"another", headers=OCTETS)
    body.after_first_block = lambda: meanwhile.append(other())

    first, is_new = services.artifacts.upload(_principal(services, acme), Upload(body))

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

    services.artifacts.upload(_principal(services, acme), Upload(body))

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
    principal = _principal(services, acme)

    def end() -> None:
        own = tables.api_tokens.c.id == principal.token_id
        table = tables.api_tokens
        with services.database.write() as connection:
            connection.execute((delete(table) if how == "deleted" else update(table).values(changes[how])).where(own))

    with pytest.raises(NotAuthenticatedError, match="nothing was kept"):
        services.artifacts.upload(principal, Upload(During(end)))

    assert stored_files(services) == []


def fail_next_commit(services: Services) -> None:
    """Let the disk be full when the next transaction ends."""
    engine = services.database.engine

    def fail(_: Connection) -> None:
        event.remove(engine, "commit", fail)
        raise StoreFullError

    event.listen(engine, "commit", fail)


def test_r8_a_row_that_cannot_be_written_leaves_no_blob(services: Services, acme: Tenant) -> None:
    principal = _principal(services, acme)

    with pytest.raises(StoreFullError):
        services.artifacts.upload(principal, Upload(FailingAtTheEnd(services)))

    assert stored_files(services) == []


def test_r8_a_blob_that_others_have_stays_when_a_row_cannot_be_written(
    services: Services, acme: Tenant, rival: Tenant, api: Any
) -> None:
    principal = _principal(services, acme)
    api(rival.token("operate")).post("/artifacts", data=CONTENT, headers=OCTETS)

    with pytest.raises(StoreFullError):
        services.artifacts.upload(principal, Upload(FailingAtTheEnd(services)))

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
