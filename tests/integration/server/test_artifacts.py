"""Artifacts: who has a blob, who may read it, and what is left of an upload that fails (R7, R8)."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pytest

from chainloop_ci.attestation.state import CraftedMaterial
from chainloop_ci.contract.types import MaterialType
from chainloop_ci.errors import RequestInvalidError
from server.model.sweeps import ABANDONED
from server.services.uploads import Upload
from server.wiring import Services, build_services
from tests.integration.server.conftest import EPOCH, Clock, Tenant
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
from tests.integration.server.uploads import CONTENT, OCTETS, PATH, principal_of, stored_files
from tests.integration.server.uploads import operator as operator
from tests.integration.server.uploads import reader as reader


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
        services.uploads.upload(principal_of(services, acme), Upload(Broken()))
    answer = operator.put(PATH, data=CONTENT, headers=OCTETS)

    assert answer.status_code == 201
    assert stored_files(services) == [digest(CONTENT).removeprefix("sha256:")]


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
