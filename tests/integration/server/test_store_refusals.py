"""R9-R11 by a client that lies: one test each. The answer names the field, the run stays as it was, the refusal is
described, and nothing else changes."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from server.wiring import Services
from tests.integration.server.conftest import Clock, Tenant
from tests.integration.server.jobs import Job, Key, put_contract
from tests.integration.server.lies import (
    BINARY,
    IMAGE,
    MATERIALS,
    META,
    OTHER_DIGEST,
    OTHER_ID,
    SBOM,
    UNIT,
    VERSION,
    Document,
    Lie,
    assert_refused,
    count_rows,
    drop,
    put,
    without,
)
from tests.integration.server.lies import honest as honest

CI = ("predicate", "chainloopCi", "ci")


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
    assert count_rows(services) == rows | {name: rows[name] + 1 for name in ("workflow_runs", "events")}


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
