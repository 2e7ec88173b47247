"""R9-R11 by a client that lies: one test each. The answer names the field, the run stays as it was, the refusal is
described, and nothing else changes."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from chainloop_ci.api.limits import BUNDLE_MEDIA_TYPE
from chainloop_ci.attestation.dsse import PAYLOAD_TYPE, encode_pae
from chainloop_ci.attestation.state import CraftedMaterial
from chainloop_ci.contract.types import MaterialType
from server.store.tables import metadata
from server.wiring import Services
from tests.integration.server.conftest import EPOCH, Clock, Tenant
from tests.integration.server.jobs import Job, Key, digest, put_contract, register_key

Document = dict[str, Any]
Lie = Callable[[Document], object]


def count_rows(services: Services) -> dict[str, int]:
    """Return how many rows every table has; those of counters come and stay with the first thing that is counted."""
    with services.database.read() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
            if table.name != "counters"
        }


@pytest.fixture
def honest(job: Job) -> Job:
    """Return a job that has begun and added everything; it only has to push."""
    job.begin()
    job.add_everything()
    return job


def assert_refused(services: Services, job: Job, bundle: bytes, path: str, code: str) -> TestResponse:
    """Push, and check that the refusal names the field, is described, and that nothing else changed."""
    before, rows = job.api.get(job.path).json, count_rows(services)

    answer = job.push(bundle)

    after = job.api.get(job.path).json
    assert answer.status_code == 422, answer.text
    assert answer.json["code"] == "attestation-refused"
    found = [(finding.get("path"), finding["code"]) for finding in answer.json["findings"]]
    assert (path, code) in found, found
    assert after["run"] == before["run"] | {"refusals": before["run"]["refusals"] + 1}
    assert after["refusals"][-1]["findings"] == answer.json["findings"]
    assert after["refusals"][-1]["bundleDigest"] == digest(bundle)
    assert count_rows(services) == rows | {"refused_stores": rows["refused_stores"] + 1}
    return answer


def put(*path: str | int, value: object) -> Lie:
    """Return the lie that sets one value."""

    def lie(document: Document) -> None:
        place: Any = document
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = value

    return lie


def drop(*path: str | int) -> Lie:
    """Return the lie that leaves one value out."""

    def lie(document: Document) -> None:
        place: Any = document
        for part in path[:-1]:
            place = place[part]
        del place[path[-1]]

    return lie


# The statement lists materials by name: binary, image, sbom, unit, version; subjects: workflow, commit, binary, image.
BINARY, IMAGE, SBOM, UNIT, VERSION = range(5)
META = ("predicate", "metadata")
CI = ("predicate", "chainloopCi", "ci")
MATERIALS = ("predicate", "materials")
OTHER_ID = "00000000-0000-4000-8000-000000000000"
OTHER_DIGEST = "0" * 64


@pytest.mark.parametrize(
    ("lie", "path"),
    [
        (put(*META, "workflowRunID", value=OTHER_ID), "/predicate/metadata/workflowRunID"),
        (put(*META, "organization", value="rival"), "/predicate/metadata/organization"),
        (put(*META, "project", value="other"), "/predicate/metadata/project"),
        (put(*META, "workflowID", value=OTHER_ID), "/predicate/metadata/workflowID"),
        (put(*META, "workflowName", value="deploy"), "/predicate/metadata/workflowName"),
        (put(*META, "name", value="deploy"), "/predicate/metadata/name"),
        (put(*META, "projectVersion", value="9"), "/predicate/metadata/projectVersion"),
        (put(*META, "contractName", value="easy"), "/predicate/metadata/contractName"),
        (put(*META, "contractVersion", value="1"), "/predicate/metadata/contractVersion"),
        (drop(*META, "contractVersion"), "/predicate/metadata/contractVersion"),
        (
            put("predicate", "chainloopCi", "contractDigest", value=f"sha256:{OTHER_DIGEST}"),
            "/predicate/chainloopCi/contractDigest",
        ),
        (drop("predicate", "chainloopCi", "contractDigest"), "/predicate/chainloopCi/contractDigest"),
        (put("predicate", "auth", "id", value=OTHER_ID), "/predicate/auth/id"),
        (put("predicate", "runnerType", value="JENKINS_JOB"), "/predicate/runnerType"),
        (put("predicate", "runnerURL", value="https://evil.example"), "/predicate/runnerURL"),
        (put("predicate", "runnerEnvironment", value="self-hosted"), "/predicate/runnerEnvironment"),
        (put("predicate", "runnerAuthenticated", value=True), "/predicate/runnerAuthenticated"),
        (put(*CI, "repository", value="acme/crown-jewels"), "/predicate/chainloopCi/ci/repository"),
        (put(*CI, "headSha", value="f" * 40), "/predicate/chainloopCi/ci/headSha"),
        (put(*CI, "runId", value="78"), "/predicate/chainloopCi/ci/runId"),
        (put(*CI, "runAttempt", value=2), "/predicate/chainloopCi/ci/runAttempt"),
        (put(*CI, "pullRequest", value="1"), "/predicate/chainloopCi/ci/pullRequest"),
        (drop("predicate", "chainloopCi", "ci"), "/predicate/chainloopCi/ci/provider"),
    ],
)
def test_r11_a_claim_about_the_run_that_differs_is_refused(
    services: Services, honest: Job, lie: Lie, path: str
) -> None:
    answer = assert_refused(services, honest, honest.key.bundle(honest.payload(lie)), path, "claim-differs")

    assert "expected" in answer.json["detail"]


@pytest.mark.parametrize(
    ("lie", "path", "code"),
    [
        (drop("predicate", "env", "DEPLOY_TARGET"), "/predicate/env/DEPLOY_TARGET", "missing-variable"),
        (put("predicate", "env", "DEPLOY_TARGET", value=""), "/predicate/env/DEPLOY_TARGET", "missing-variable"),
        (put("predicate", "env", "AWS_SECRET", value="s3cr3t"), "/predicate/env/AWS_SECRET", "secret-variable"),
        (put("predicate", "annotations", "team", value="other"), "/predicate/annotations/team", "annotation-differs"),
        (drop("predicate", "annotations", "ticket"), "/spec/annotations/1", "missing-annotation"),
    ],
)
def test_r11_variables_and_annotations_are_those_of_the_contract(
    services: Services, honest: Job, lie: Lie, path: str, code: str
) -> None:
    assert_refused(services, honest, honest.key.bundle(honest.payload(lie)), path, code)


def test_r24_a_refused_variable_is_named_without_its_value(services: Services, honest: Job) -> None:
    bundle = honest.key.bundle(honest.payload(put("predicate", "env", "NPM_TOKEN", value="abcdefgh")))

    answer = assert_refused(services, honest, bundle, "/predicate/env/NPM_TOKEN", "secret-variable")

    assert "abcdefgh" not in answer.text


def without(name: str) -> Lie:
    """Return the lie that leaves a material out, among the subjects too."""

    def lie(document: Document) -> None:
        label = "chainloop.material.name"
        predicate = document["predicate"]
        predicate["materials"] = [item for item in predicate["materials"] if item["annotations"][label] != name]
        document["subject"] = [item for item in document["subject"] if item.get("annotations", {}).get(label) != name]

    return lie


@pytest.mark.parametrize(
    ("lie", "path", "code"),
    [
        (without("sbom"), "/spec/materials/2", "missing-material"),
        (without("unit"), "/spec/materials/5/group", "missing-group"),
        (
            put(*MATERIALS, SBOM, "annotations", "chainloop.material.type", value="ARTIFACT"),
            "/spec/materials/2/type",
            "wrong-material-type",
        ),
        (
            put(*MATERIALS, SBOM, "annotations", "chainloop.material.type", value="MAGIC"),
            "/predicate/materials/2/annotations/chainloop.material.type",
            "material-type",
        ),
        (
            put(*MATERIALS, UNIT, "annotations", "chainloop.material.name", value="Unit Test"),
            "/predicate/materials/3/annotations/chainloop.material.name",
            "material-name",
        ),
        (drop(*MATERIALS, UNIT, "digest"), "/predicate/materials/3/digest/sha256", "digest-missing"),
        (
            put(*MATERIALS, SBOM, "digest", "sha256", value=OTHER_DIGEST),
            "/predicate/materials/2/digest/sha256",
            "content-missing",
        ),
        (
            drop(*MATERIALS, SBOM, "annotations", "chainloop.material.cas"),
            "/predicate/materials/2/annotations/chainloop.material.cas",
            "content-missing",
        ),
        (
            put(*MATERIALS, SBOM, "annotations", "chainloop.material.cas.inline", value=True),
            "/predicate/materials/2/content",
            "content-missing",
        ),
        (
            put(*MATERIALS, SBOM, "annotations", "chainloop.material.size", value="1"),
            "/predicate/materials/2/annotations/chainloop.material.size",
            "size-differs",
        ),
        (
            put(*MATERIALS, SBOM, "annotations", "chainloop.material.sbom.main_component.name", value="other"),
            "/predicate/materials/2/annotations/chainloop.material.sbom.main_component.name",
            "annotation-differs",
        ),
        (
            put(*MATERIALS, VERSION, "content", value=base64.b64encode(b"6.6.6").decode()),
            "/predicate/materials/4/content",
            "content-differs",
        ),
        (drop(*MATERIALS, VERSION, "content"), "/predicate/materials/4/content", "content-missing"),
        (
            put(*MATERIALS, VERSION, "annotations", "chainloop.material.cas", value=True),
            "/predicate/materials/4",
            "claim-differs",
        ),
        (
            put(*MATERIALS, IMAGE, "annotations", "chainloop.material.cas", value=True),
            "/predicate/materials/1",
            "claim-differs",
        ),
        (
            put(*MATERIALS, BINARY, "content", value=base64.b64encode(b"other").decode()),
            "/predicate/materials/0/content",
            "content-differs",
        ),
    ],
)
def test_r11_a_material_that_is_not_what_the_statement_says_is_refused(
    services: Services, honest: Job, lie: Lie, path: str, code: str
) -> None:
    assert_refused(services, honest, honest.key.bundle(honest.payload(lie)), path, code)


@pytest.mark.parametrize(
    ("lie", "path", "code"),
    [
        (drop("subject", 3), "/subject", "missing-subject"),
        (drop("subject", 0), "/subject", "missing-subject"),
        (lambda document: document["subject"].append(document["subject"][2]), "/subject", "unexpected-subject"),
        (
            lambda document: document["subject"].append({"name": "release.tar", "digest": {"sha256": OTHER_DIGEST}}),
            "/subject",
            "unexpected-subject",
        ),
        (
            lambda document: document["subject"].append(
                {**document["predicate"]["materials"][SBOM], "name": "sbom.json"}
            ),
            "/subject",
            "unexpected-subject",
        ),
        (put("subject", 2, "digest", "sha256", value=OTHER_DIGEST), "/subject", "subject-mismatch"),
        (put("subject", 2, "digest", "sha512", value="00"), "/subject/2/digest", "subject-digest"),
        (put("subject", 2, "name", value="innocent.bin"), "/subject/2/name", "subject-mismatch"),
        (
            put("subject", 2, "annotations", "chainloop.material.type", value="SARIF"),
            "/subject/2/annotations/chainloop.material.type",
            "subject-mismatch",
        ),
        (put("subject", 0, "name", value="chainloop.workflow.deploy"), "/subject", "unexpected-subject"),
    ],
)
def test_r11_the_subjects_are_the_run_the_commit_and_the_outputs(
    services: Services, honest: Job, lie: Lie, path: str, code: str
) -> None:
    assert_refused(services, honest, honest.key.bundle(honest.payload(lie)), path, code)


SIZE = "chainloop.material.size"


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("chainloop.material.tool.name", "trivy", "annotation-differs"),
        (SIZE, "99999999999999999999", "size-differs"),
        (SIZE, "LIE", "size-differs"),
        (SIZE, " 1", "size-differs"),
        (SIZE, "0138", "size-differs"),
        ("chainloop.material.signature.verified", "true", "annotation-reserved"),
        ("chainloop.material.cas.inline", "true", "annotation-reserved"),
        ("chainloop.material.image.tag", "v1", "annotation-reserved"),
        ("chainloop.policy", "passed", "annotation-reserved"),
    ],
)
def test_r13_a_fact_that_nobody_derived_is_refused(
    services: Services, honest: Job, name: str, value: str, code: str
) -> None:
    bundle = honest.key.bundle(honest.payload(put(*MATERIALS, SBOM, "annotations", name, value=value)))

    assert_refused(services, honest, bundle, f"/predicate/materials/2/annotations/{name}", code)


def test_r13_a_fact_that_the_statement_leaves_out_is_refused(services: Services, honest: Job) -> None:
    name = "chainloop.material.sbom.main_component.version"
    bundle = honest.key.bundle(honest.payload(drop(*MATERIALS, SBOM, "annotations", name)))

    assert_refused(services, honest, bundle, f"/predicate/materials/{SBOM}/annotations/{name}", "annotation-differs")


@pytest.mark.parametrize(
    ("name", "value"), [(SIZE, "1"), ("chainloop.material.cas", False), ("chainloop.material.tool.name", "trivy")]
)
def test_r13_a_subject_says_of_a_material_what_the_material_says(
    services: Services, honest: Job, name: str, value: object
) -> None:
    bundle = honest.key.bundle(honest.payload(put("subject", 2, "annotations", name, value=value)))

    assert_refused(services, honest, bundle, f"/subject/2/annotations/{name}", "subject-mismatch")


@pytest.mark.parametrize("wrap", ["{}", " {}\n", "https://x:{}@example.com"])
@pytest.mark.parametrize(
    ("place", "path"),
    [
        (("predicate", "env", "HARMLESS"), "/predicate/env/HARMLESS"),
        (("predicate", "annotations", "team"), "/predicate/annotations/team"),
        ((*MATERIALS, UNIT, "annotations", "note"), "/predicate/materials/3/annotations/note"),
        (("subject", 2, "annotations", "note"), "/subject/2/annotations/note"),
    ],
)
def test_r24_t07_an_api_token_is_refused_wherever_it_stands(
    services: Services, honest: Job, acme: Tenant, place: tuple[str | int, ...], path: str, wrap: str
) -> None:
    secret = acme.token("admin")
    bundle = honest.key.bundle(honest.payload(put(*place, value=wrap.format(secret))))

    answer = assert_refused(services, honest, bundle, path, "secret-value")

    assert secret not in answer.text


def test_r24_t07_the_handle_of_the_run_is_refused(services: Services, honest: Job) -> None:
    bundle = honest.key.bundle(honest.payload(put("predicate", "env", "HARMLESS", value=honest.handle)))

    answer = assert_refused(services, honest, bundle, "/predicate/env/HARMLESS", "secret-value")

    assert honest.handle not in answer.text


def test_r24_t07_a_text_that_holds_a_token_is_refused(services: Services, honest: Job, acme: Tenant) -> None:
    honest.add_string("version", acme.token("read"))

    bundle = honest.key.bundle(honest.payload())

    assert_refused(services, honest, bundle, "/predicate/materials/4/content", "secret-value")


def test_r24_a_variable_whose_name_is_a_token_is_not_repeated(services: Services, honest: Job, acme: Tenant) -> None:
    secret = acme.token("read")
    bundle = honest.key.bundle(honest.payload(put("predicate", "env", secret, value="x")))

    answer = assert_refused(services, honest, bundle, "/predicate/env", "secret-value")

    assert secret not in answer.text


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


def test_r11_a_text_file_signed_as_sbom_is_refused_by_name(services: Services, job: Job) -> None:
    job.begin()
    job.add_everything()
    job.add_file("sbom", MaterialType.SBOM_CYCLONEDX_JSON, b"this is no SBOM at all\n", "sbom.json")

    bundle = job.key.bundle(job.payload())
    answer = assert_refused(services, job, bundle, "/predicate/materials/2", "material-rejected")

    assert "material sbom (SBOM_CYCLONEDX_JSON)" in answer.json["detail"]


def test_r11_an_empty_object_uploaded_as_sbom_is_refused_by_name(services: Services, job: Job) -> None:
    job.begin()
    job.add_everything()
    job.add_file("sbom", MaterialType.SBOM_CYCLONEDX_JSON, b"{}", "sbom.json")

    bundle = job.key.bundle(job.payload())
    answer = assert_refused(services, job, bundle, "/predicate/materials/2", "material-rejected")

    assert "material sbom" in answer.json["detail"]


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


def test_r11_everything_that_differs_is_listed_at_once(services: Services, honest: Job) -> None:
    def lie(document: Document) -> None:
        document["predicate"]["metadata"]["project"] = "other"
        document["predicate"]["runnerType"] = "JENKINS_JOB"
        document["predicate"]["env"] = {}
        without("sbom")(document)

    bundle = honest.key.bundle(honest.payload(lie))
    answer = assert_refused(services, honest, bundle, "/predicate/metadata/project", "claim-differs")

    assert {finding["path"] for finding in answer.json["findings"]} == {
        "/predicate/metadata/project",
        "/predicate/runnerType",
        "/predicate/env/DEPLOY_TARGET",
        "/spec/materials/2",
        "/predicate/materials",
    }


def test_t30_contents_are_not_looked_at_when_the_statement_is_refused_without_them(
    services: Services, honest: Job
) -> None:
    def lie(document: Document) -> None:
        put(*MATERIALS, SBOM, "annotations", "chainloop.material.sbom.main_component.name", value="other")(document)
        document["predicate"]["metadata"]["project"] = "other"

    bundle = honest.key.bundle(honest.payload(lie))
    answer = assert_refused(services, honest, bundle, "/predicate/metadata/project", "claim-differs")

    assert [finding["code"] for finding in answer.json["findings"]] == ["claim-differs", "content-not-checked"]


def resigned(job: Job, raw: bytes) -> bytes:
    """Return a bundle over bytes that are no honest statement, well signed."""
    return job.key.bundle(raw)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b'"runnerType":', b'"runnerType":"GENERIC","runnerType":', "json-duplicate-key"),
        (b'"runnerType":', b'"RunnerType":"GENERIC","runnerType":', "json-case-variant"),
        (b'"policyEvaluationsCount":0', b'"policyEvaluationsCount":NaN', "json-constant"),
        (b'"policyEvaluationsCount":0', b'"policyEvaluationsCount":9007199254740993', "json-integer"),
        (b'"ticket":"T-1"', b'"ticket":"\\ud800"', "json-surrogate"),
        (b'"ticket":"T-1"', b'"ticket":' + b"[" * 70 + b"]" * 70, "json-depth"),
    ],
)
def test_r10_a_statement_that_readers_could_read_differently_is_refused(
    services: Services, honest: Job, old: bytes, new: bytes, code: str
) -> None:
    payload = honest.payload()
    assert old in payload
    rows = count_rows(services)

    answer = honest.push(resigned(honest, payload.replace(old, new)))

    assert answer.status_code == 422
    assert code in [finding["code"] for finding in answer.json["findings"]]
    assert honest.api.get(honest.path).json["refusals"][0]["code"] == "statement-invalid"
    assert honest.api.get(honest.path).json["run"]["state"] == "initialized"
    assert count_rows(services) == rows | {"refused_stores": 1}


def test_r10_unknown_fields_are_ignored(honest: Job) -> None:
    bundle = honest.key.bundle(honest.payload(put("predicate", "fromTheFuture", value={"a": 1})))

    answer = honest.push(bundle)

    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize(
    ("lie", "path"),
    [
        (put("_type", value="https://in-toto.io/Statement/v0.1"), "/_type"),
        (put("_type", value="https://in-toto.io/Statement/v9"), "/_type"),
        (put("predicateType", value="https://slsa.dev/provenance/v1"), "/predicateType"),
    ],
)
def test_r9_another_kind_of_statement_is_refused(services: Services, honest: Job, lie: Lie, path: str) -> None:
    answer = honest.push(honest.key.bundle(honest.payload(lie)))

    assert answer.status_code == 422
    assert path in [finding["path"] for finding in answer.json["findings"]]
    assert honest.api.get(honest.path).json["run"]["state"] == "initialized"


def edited(bundle: bytes, change: Lie) -> bytes:
    """Return a bundle whose envelope was changed after signing."""
    document = json.loads(bundle)
    change(document)
    return json.dumps(document).encode()


def doubled(document: Document) -> None:
    signature = document["dsseEnvelope"]["signatures"][0]
    signature["sig"] = base64.b64encode(signature["sig"].encode()).decode()


@pytest.mark.parametrize(
    ("change", "path", "code"),
    [
        (
            put("mediaType", value="application/vnd.dev.sigstore.bundle+json;version=0.3"),
            "/mediaType",
            "media-type",
        ),
        (put("dsseEnvelope", "payloadType", value="text/plain"), "/dsseEnvelope/payloadType", "payload-type"),
        (
            lambda document: document["dsseEnvelope"]["signatures"].append(document["dsseEnvelope"]["signatures"][0]),
            "/dsseEnvelope/signatures",
            "signature-count",
        ),
        (put("dsseEnvelope", "signatures", value=[]), "/dsseEnvelope/signatures", "signature-count"),
        (doubled, "/dsseEnvelope/signatures/0/sig", "doubled-base64"),
        (put("dsseEnvelope", "payload", value="e30"), "/dsseEnvelope/payload", "base64"),
        (put("verificationMaterial", value={}), "/verificationMaterial", "verification-material"),
    ],
)
def test_r9_only_the_bundle_form_that_is_written_is_stored(
    services: Services, honest: Job, change: Lie, path: str, code: str
) -> None:
    bundle = edited(honest.key.bundle(honest.payload()), change)

    assert_refused(services, honest, bundle, path, code)


def test_r9_a_bare_envelope_is_not_stored(services: Services, honest: Job) -> None:
    envelope = json.loads(honest.key.bundle(honest.payload()))["dsseEnvelope"]

    assert_refused(services, honest, json.dumps(envelope).encode(), "/", "bare-envelope")


def test_r9_what_is_no_bundle_at_all_is_refused(services: Services, honest: Job) -> None:
    answer = honest.push(b"\x00\x01 not json")

    assert answer.status_code == 422
    assert honest.api.get(honest.path).json["refusals"][0]["code"] == "bundle-invalid"


def test_a_tampered_payload_is_refused(services: Services, honest: Job) -> None:
    payload = base64.b64encode(honest.payload(put("predicate", "metadata", "team", value="evil"))).decode()
    bundle = edited(honest.key.bundle(honest.payload()), put("dsseEnvelope", "payload", value=payload))

    answer = assert_refused(services, honest, bundle, "/dsseEnvelope/signatures/0/sig", "signature-invalid")

    assert "does not match the signed bytes" in answer.json["detail"]


def test_r4_an_unknown_key_is_refused_with_the_keys_that_count(services: Services, honest: Job) -> None:
    bundle = Key().bundle(honest.payload())

    answer = assert_refused(services, honest, bundle, "/dsseEnvelope/signatures/0/sig", "signer-unknown")

    assert honest.key.public.key_id in answer.json["detail"]


def test_r3_a_key_of_another_workflow_does_not_count(services: Services, honest: Job, api: Any, acme: Tenant) -> None:
    other = Key()
    register_key(api, acme, other, "deploy", workflows=["app/deploy"])

    bundle = other.bundle(honest.payload())

    assert_refused(services, honest, bundle, "/verificationMaterial/publicKey/hint", "key-out-of-scope")


def test_r3_a_key_of_another_organization_is_unknown(services: Services, honest: Job, api: Any, rival: Tenant) -> None:
    other = Key()
    register_key(api, rival, other, "theirs", organizationWide=True)

    bundle = other.bundle(honest.payload())

    assert_refused(services, honest, bundle, "/dsseEnvelope/signatures/0/sig", "signer-unknown")


@pytest.mark.parametrize(("end", "code"), [("retire", "key-retired"), ("revoke", "key-revoked")])
def test_r3_an_ended_key_does_not_count(
    services: Services, honest: Job, api: Any, acme: Tenant, end: str, code: str
) -> None:
    api(acme.token("admin")).post(f"/verification-keys/{honest.key.public.key_id}/{end}")

    bundle = honest.key.bundle(honest.payload())

    assert_refused(services, honest, bundle, "/verificationMaterial/publicKey/hint", code)


def test_r3_a_key_does_not_count_before_it_is_valid(services: Services, honest: Job, api: Any, acme: Tenant) -> None:
    later = Key()
    register_key(api, acme, later, "later", workflows=["app/build"], validFrom="2027-01-01T00:00:00Z")

    bundle = later.bundle(honest.payload())

    assert_refused(services, honest, bundle, "/verificationMaterial/publicKey/hint", "key-not-yet-valid")


@pytest.mark.parametrize("scope", [{"projects": ["app"]}, {"organizationWide": True}])
def test_r3_a_key_of_the_project_or_the_organization_counts(
    honest: Job, api: Any, acme: Tenant, scope: dict[str, object]
) -> None:
    wide = Key()
    register_key(api, acme, wide, "wide", **scope)

    answer = honest.push(wide.bundle(honest.payload()))

    assert answer.json["verified"] is True


def test_a_hint_does_not_decide_which_key_is_tried(honest: Job) -> None:
    named_otherwise = edited(
        honest.key.bundle(honest.payload()),
        put("verificationMaterial", "publicKey", "hint", value=base64.b64encode(b"\x00" * 32).decode()),
    )

    answer = honest.push(named_otherwise)

    assert answer.json["verified"] is True


@pytest.fixture
def lenient(honest: Job, api: Any, acme: Tenant) -> Job:
    """Return the honest job in an organization that accepts unsigned attestations."""
    api(acme.token("admin")).patch(f"/organizations/{acme.name}", json={"acceptUnsigned": True})
    return honest


@pytest.mark.parametrize("signed", [True, False])
def test_r4_where_unsigned_is_accepted_the_run_ends_as_unverified_error(lenient: Job, signed: bool) -> None:
    bundle = Key().bundle(lenient.payload())
    if not signed:
        bundle = edited(bundle, put("dsseEnvelope", "signatures", value=[]))

    answer = lenient.push(bundle)

    run = lenient.api.get(lenient.path).json["run"]
    assert answer.status_code == 201, answer.text
    assert answer.json["verified"] is False
    assert answer.json["verification"]["key"]["result"] == "not shown"
    assert (run["state"], run["reason"]) == ("error", "unverified")


def test_r4_a_lie_is_refused_where_unsigned_is_accepted_too(services: Services, lenient: Job) -> None:
    bundle = Key().bundle(lenient.payload(put(*META, "project", value="other")))

    assert_refused(services, lenient, bundle, "/predicate/metadata/project", "claim-differs")


def test_r4_a_revoked_key_is_refused_where_unsigned_is_accepted_too(
    services: Services, lenient: Job, api: Any, acme: Tenant
) -> None:
    api(acme.token("admin")).post(f"/verification-keys/{lenient.key.public.key_id}/revoke")

    bundle = lenient.key.bundle(lenient.payload())

    assert_refused(services, lenient, bundle, "/verificationMaterial/publicKey/hint", "key-revoked")


def test_r4_retiring_the_last_key_changes_nothing(services: Services, honest: Job, api: Any, acme: Tenant) -> None:
    api(acme.token("admin")).post(f"/verification-keys/{honest.key.public.key_id}/retire")
    bundle = edited(Key().bundle(honest.payload()), put("dsseEnvelope", "signatures", value=[]))

    assert_refused(services, honest, bundle, "/dsseEnvelope/signatures", "signature-count")


def test_a_push_for_a_run_of_another_workflow_is_refused_before_anything_is_read(
    services: Services, honest: Job, api: Any, acme: Tenant
) -> None:
    rows = count_rows(services)
    stranger = api(acme.token("attest", "workflow"))
    elsewhere = Job(api(acme.token("attest")), acme, honest.key, workflow="app/deploy", contract=b"", revision=1)
    elsewhere.begin(contractDigest=api(acme.token("read")).get("/contracts/app-deploy/revisions/1").json["digest"])

    elsewhere.api = stranger
    answer = elsewhere.push(b"{}")

    assert answer.status_code == 403
    assert count_rows(services) == rows | {"workflow_runs": rows["workflow_runs"] + 1}


def test_an_attestation_of_one_run_is_refused_by_another(services: Services, honest: Job) -> None:
    bundle = honest.key.bundle(honest.payload())
    other = Job(honest.api, honest.tenant, honest.key)
    other.begin()
    other.add_everything()

    assert_refused(services, other, bundle, "/predicate/metadata/workflowRunID", "claim-differs")


def test_a_run_goes_on_after_a_refused_push(services: Services, honest: Job) -> None:
    honest.push(honest.key.bundle(honest.payload(put(*META, "project", value="other"))))

    answer = honest.push()

    shown = honest.api.get(honest.path).json
    assert answer.status_code == 201, answer.text
    assert (shown["run"]["state"], shown["run"]["refusals"], len(shown["refusals"])) == ("success", 1, 1)


def test_an_oversized_bundle_is_refused_with_the_limit(services: Services, honest: Job) -> None:
    answer = honest.push(b" " * (8 * 1024 * 1024 + 1))

    assert answer.status_code == 413
    assert "8388608" in answer.json["detail"]
    assert honest.api.get(honest.path).json["run"]["refusals"] == 0


def test_a_push_that_broke_off_is_no_refusal(services: Services, honest: Job) -> None:
    bundle = honest.key.bundle(honest.payload())
    rows = count_rows(services)

    answer = honest.api.put(
        f"{honest.path}/attestation",
        input_stream=io.BytesIO(bundle[:-10]),
        headers={**honest.headers, "Content-Type": BUNDLE_MEDIA_TYPE},
        environ_overrides={"wsgi.input_terminated": True, "CONTENT_LENGTH": str(len(bundle))},
    )

    assert answer.status_code == 422
    assert "broke off" in answer.json["detail"]
    assert count_rows(services) == rows


def test_another_media_type_is_refused(honest: Job) -> None:
    answer = honest.api.put(
        f"{honest.path}/attestation", data=b"{}", headers={**honest.headers, "Content-Type": "application/json"}
    )

    assert answer.status_code == 415


def test_a_signature_over_another_payload_type_is_refused(services: Services, honest: Job) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256

    payload = honest.payload()
    signature = honest.key.private.sign(encode_pae("text/plain", payload), ec.ECDSA(SHA256()))
    bundle = edited(
        honest.key.bundle(payload),
        put("dsseEnvelope", "signatures", value=[{"sig": base64.b64encode(signature).decode()}]),
    )

    assert PAYLOAD_TYPE in bundle.decode()
    assert_refused(services, honest, bundle, "/dsseEnvelope/signatures/0/sig", "signature-invalid")


def test_only_the_first_refusals_of_a_run_are_kept_and_all_are_counted(honest: Job) -> None:
    for number in range(102):
        honest.push(b"{%d" % number)

    shown = honest.api.get(honest.path).json
    assert (shown["run"]["refusals"], len(shown["refusals"])) == (102, 100)


def test_policies_of_a_contract_are_shown_as_not_evaluated(api: Any, acme: Tenant, key: Key, clock: Clock) -> None:
    contract = (
        b"apiVersion: chainloop.dev/v1\nkind: Contract\nmetadata: {name: app-build}\n"
        b"spec:\n  policies:\n    attestation:\n      - ref: signed-commit\n"
    )
    put_contract(api, acme, contract)
    job = Job(api(acme.token("attest")), acme, key, contract=contract)
    job.begin()

    shown = job.api.get(job.path).json

    assert shown["policies"] == "not evaluated"
