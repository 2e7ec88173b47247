"""R7, R11, T30 by a client that lies about contents: they are looked at, and what it may not read is not told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chainloop_ci.attestation.state import CraftedMaterial
from chainloop_ci.contract.types import MaterialType
from server.wiring import Services
from tests.integration.server.conftest import EPOCH, Tenant
from tests.integration.server.jobs import Job, digest
from tests.integration.server.lies import MATERIALS, SBOM, Document, assert_refused, put
from tests.integration.server.lies import honest as honest


def test_t30_violations_of_a_large_document_make_a_small_refusal(services: Services, job: Job) -> None:
    job.begin()
    job.add_everything()
    head = b'{"bomFormat":"CycloneDX","specVersion":"1.5","version":1,"components":['
    job.add_file("sbom", MaterialType.SBOM_CYCLONEDX_JSON, head + b",".join([b"{}"] * 100_000) + b"]}", "sbom.json")

    bundle = job.key.bundle(job.payload())
    answer = assert_refused(services, job, bundle, "/predicate/materials/2", "material-rejected")

    assert len(answer.json["findings"]) == 22


def referred(job: Job, api: Any, acme: Tenant, kind: MaterialType, raw: bytes, **notes: Any) -> Job:
    """Return a run that refers to content of its organization which it may not read."""
    job.begin()
    job.add_everything()
    answer = api(acme.token("operate")).post(
        "/artifacts", data=raw, headers={"Content-Type": "application/octet-stream"}
    )
    assert job.api.post(f"{job.path}/artifacts/{digest(raw)}", headers=job.headers).status_code == 204
    assert answer.status_code == 201
    assert job.api.get(f"/artifacts/{digest(raw)}").status_code == 403
    job.materials["m"] = CraftedMaterial("m", kind, digest(raw), EPOCH, filename="s", uploaded=True, **notes)
    return job


SECRET_EVIDENCE = json.dumps({"id": "TOP-SECRET-ID-42", "schema": "s", "data": {"x": 1}}).encode()
SECRET_SBOM = json.dumps(
    {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "serialNumber": "password=hunter2"}
).encode()


@pytest.mark.parametrize(
    ("kind", "raw", "notes"),
    [
        (MaterialType.EVIDENCE, SECRET_EVIDENCE, {"annotations": {"chainloop.material.evidence.id": "x"}}),
        (MaterialType.EVIDENCE, SECRET_EVIDENCE, {}),
        (MaterialType.EVIDENCE, SECRET_EVIDENCE, {"size_bytes": 1}),
        (MaterialType.SBOM_CYCLONEDX_JSON, SECRET_SBOM, {}),
        (MaterialType.SARIF, SECRET_SBOM, {}),
    ],
)
def test_r7_a_refusal_tells_nothing_of_content_that_the_run_only_refers_to(
    job: Job, api: Any, acme: Tenant, kind: MaterialType, raw: bytes, notes: dict[str, Any]
) -> None:
    referred(job, api, acme, kind, raw, **notes)

    answer = job.push()

    assert answer.status_code == 422
    told = answer.text + job.api.get(job.path).text
    words = ("TOP-SECRET", "hunter2", "serialNumber", "evidence", f"has {len(raw)}")
    assert [word for word in words if word in told] == []


def test_r7_a_check_that_passes_tells_nothing_of_content_that_the_run_only_refers_to(
    job: Job, api: Any, acme: Tenant
) -> None:
    lenient = {"chainloop.material.validation": "lenient"}
    referred(job, api, acme, MaterialType.SBOM_CYCLONEDX_JSON, SECRET_SBOM, annotations=lenient)

    answer = job.push()

    assert answer.status_code == 201, answer.text
    told = answer.text + job.api.get(job.path).text
    assert [word for word in ("hunter2", "serialNumber") if word in told] == []


@pytest.mark.parametrize("content", [b"this is no SBOM at all\n", b"{}"], ids=["a text", "an empty object"])
def test_r11_what_is_no_sbom_is_refused_by_name(services: Services, job: Job, content: bytes) -> None:
    job.begin()
    job.add_everything()
    job.add_file("sbom", MaterialType.SBOM_CYCLONEDX_JSON, content, "sbom.json")

    bundle = job.key.bundle(job.payload())
    answer = assert_refused(services, job, bundle, "/predicate/materials/2", "material-rejected")

    assert "material sbom (SBOM_CYCLONEDX_JSON)" in answer.json["detail"]


BROKEN_SBOM = json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": [{"name": "a"}]})


def test_r11_an_sbom_that_breaks_its_schema_is_refused(services: Services, job: Job) -> None:
    job.begin()
    job.add_everything()
    job.add_file("sbom", MaterialType.SBOM_CYCLONEDX_JSON, BROKEN_SBOM.encode(), "sbom.json")

    bundle = job.key.bundle(job.payload())
    answer = assert_refused(services, job, bundle, "/predicate/materials/2", "material-rejected")

    assert "/components/0" in answer.json["detail"]


def test_r11_a_statement_that_says_it_was_lenient_is_checked_so_and_shown_so(job: Job) -> None:
    job.begin()
    job.add_everything()
    lenient = {"chainloop.material.validation": "lenient"}
    job.add_file("sbom", MaterialType.SBOM_CYCLONEDX_JSON, BROKEN_SBOM.encode(), "sbom.json", annotations=lenient)

    stored = job.push()

    assert stored.status_code == 201, stored.text
    (sbom,) = [item for item in job.api.get(job.path).json["materials"] if item["name"] == "sbom"]
    assert sbom["contentCheck"].startswith("checked leniently, as the job asked, with warnings: ")
    assert stored.json["verification"]["content"]["result"] == "claimed"


def test_r11_content_that_only_another_run_uploaded_is_missing(services: Services, job: Job) -> None:
    other = Job(job.api, job.tenant, job.key)
    other.begin()
    other.add_everything()
    job.begin()
    job.materials = other.materials

    bundle = job.key.bundle(job.payload())
    answer = assert_refused(services, job, bundle, "/predicate/materials/2/digest/sha256", "content-missing")

    assert len(answer.json["findings"]) == 3


def test_r11_skipping_the_upload_counts_only_where_the_contract_says_so(services: Services, honest: Job) -> None:
    honest.replace_material("sbom", uploaded=False, skip_upload=True)

    bundle = honest.key.bundle(honest.payload())

    assert_refused(
        services,
        honest,
        bundle,
        "/predicate/materials/2/annotations/chainloop.material.cas",
        "content-missing",
    )


def test_r11_where_the_contract_skips_the_upload_the_digest_is_enough(honest: Job) -> None:
    honest.materials["log"] = honest.materials["binary"]
    honest.replace_material("log", name="log", type=MaterialType.EVIDENCE, uploaded=False, output=False)

    answer = honest.push()

    shown = {entry["name"]: entry for entry in honest.api.get(honest.path).json["materials"]}
    assert answer.status_code == 201, answer.text
    assert (shown["log"]["stored"], shown["log"]["contentCheck"]) == ("not stored", "not stored")


def test_t30_contents_are_not_looked_at_when_the_statement_is_refused_without_them(
    services: Services, honest: Job
) -> None:
    def lie(document: Document) -> None:
        put(*MATERIALS, SBOM, "annotations", "chainloop.material.sbom.main_component.name", value="other")(document)
        document["predicate"]["metadata"]["project"] = "other"

    bundle = honest.key.bundle(honest.payload(lie))
    answer = assert_refused(services, honest, bundle, "/predicate/metadata/project", "claim-differs")

    assert [finding["code"] for finding in answer.json["findings"]] == ["claim-differs", "content-not-checked"]
