from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chainloop_ci.attestation.state import CraftingState, Session
from chainloop_ci.attestation.state_document import from_document, to_document
from chainloop_ci.contract.types import Contract, ContractSchema, MaterialType, RunnerType
from chainloop_ci.contract.upcoming import Upcoming
from chainloop_ci.digests import sha256_digest
from chainloop_ci.errors import StateBrokenError
from chainloop_ci.runners.types import CiIdentity
from tests.unit.attestation.states import FINISHED, full_state, material, minimal_state

CI = CiIdentity("github", run_id="77", run_attempt=1)


def through_json(state: CraftingState) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(json.dumps(to_document(state)))
    return parsed


@pytest.mark.parametrize(
    "state",
    [
        minimal_state(),
        full_state(),
        replace(full_state(), finished_at=FINISHED, dry_run=True),
        minimal_state(contract=Contract(schema=ContractSchema.V1)),
        minimal_state(env={"A": "1"}, materials={"a": material("a", size_bytes=0, inline=b"")}),
        minimal_state(materials={"a": material("a"), "b": material("b")}).without_material("a"),
        minimal_state(session=Session(shared=True, attempt=2, ci=CI), carried=frozenset({"a", "b"})),
        minimal_state(upcoming=(Upcoming(8, FINISHED, Contract(env_allow_list=("REGION",))),)),
    ],
    ids=["minimal", "full", "finished", "v1", "empty-values", "removed", "shared", "upcoming"],
)
def test_a_state_comes_back_as_it_was_saved(state: CraftingState) -> None:
    assert from_document(through_json(state)) == state


@pytest.mark.parametrize(
    "broken", [{"contract": {"spec": {"materials": [{"name": "a", "type": "NEW"}]}}}, {"revision": None}]
)
def test_r38_a_newer_revision_that_cannot_be_read_is_no_reason_to_stop(broken: dict[str, object]) -> None:
    state = minimal_state(upcoming=(Upcoming(8, FINISHED, Contract()), Upcoming(9, FINISHED, Contract())))
    document = through_json(state)
    document["chainloopCi"]["upcoming"][0].update(broken)

    assert [item.revision for item in from_document(document).upcoming] == [9]


def test_the_document_has_the_shape_of_the_reference() -> None:
    document = through_json(full_state())

    assert list(document) == ["schemaV2", "attestation", "uiDashboardUrl", "chainloopCi"]
    assert document["attestation"]["workflow"]["schemaRevision"] == "3"
    assert document["attestation"]["materials"]["sbom"] == {
        "id": "sbom",
        "materialType": "SBOM_CYCLONEDX_JSON",
        "addedAt": "2026-11-20T14:53:33.321683Z",
        "sbomArtifact": {
            "artifact": {"id": "sbom", "name": "sbom.bin", "digest": sha256_digest(b"sbom")},
            "mainComponent": {"name": "app", "version": "1.2", "kind": "container"},
        },
        "annotations": {
            "chainloop.material.tool.name": "syft",
            "team": "core",
            "chainloop.material.size": "374735",
        },
        "required": True,
        "uploadedToCas": True,
    }


def test_a_state_of_the_go_product_is_read(corpus: Path) -> None:
    state = from_document(json.loads((corpus / "go-product" / "crafting-state.json").read_text()))

    assert (state.pin.name, state.pin.contract_revision, state.pin.organization) == ("build", 1, "bench")
    assert state.initialized_at == datetime(2026, 11, 20, 14, 53, 33, 321683, tzinfo=UTC)
    assert state.runner.type is RunnerType.GENERIC
    assert state.contract.find_material("sbom") is not None
    assert state.materials["word"].value == "hello"
    assert state.materials["bin"].size_bytes == 1048576
    assert state.materials["sarif"].size_bytes is None
    assert state.materials["sbom"].required
    assert state.session.ci.provider == "none"
    assert (state.pin.contract_digest, state.session.run_handle) == ("", "")


def test_an_older_state_of_the_go_product_is_read(corpus: Path) -> None:
    state = from_document(json.loads((corpus / "statement" / "attestation.source.json").read_text()))

    assert state.contract.schema is ContractSchema.V1
    assert state.runner.type is RunnerType.GITHUB_ACTION
    assert state.pin.project_version == "v0.150.0"
    assert state.pin.project_version_prerelease
    assert state.materials["build-ref"].digest == sha256_digest(b"a-string")
    assert state.materials["skynet-control-plane"].output
    assert state.dry_run


@pytest.mark.parametrize("name", ["go-product/crafting-state.json", "statement/attestation.source.json"])
def test_a_state_of_the_go_product_comes_back_after_we_saved_it(corpus: Path, name: str) -> None:
    state = from_document(json.loads((corpus / name).read_text()))

    assert from_document(through_json(state)) == state


def test_unknown_fields_are_ignored() -> None:
    document = through_json(full_state())
    document["newer"] = {"a": 1}
    document["attestation"]["newer"] = []
    document["attestation"]["materials"]["bin"]["newer"] = 1
    document["chainloopCi"]["newer"] = 1

    assert from_document(document) == full_state()


def test_a_variable_that_runner_and_contract_both_name_stays_with_both() -> None:
    state = full_state()
    shared = replace(state, env={**state.env, "GITHUB_REF": "refs/heads/main"})

    assert from_document(through_json(shared)) == shared


def broken(**change: object) -> list[tuple[str, str | None]]:
    document = through_json(full_state())
    for path, value in change.items():
        *parents, last = path.split("__")
        holder = document
        for name in parents:
            holder = holder[name]
        holder[last] = value
    with pytest.raises(StateBrokenError) as caught:
        from_document(document)
    assert "attestation reset" in (caught.value.hint or "")
    return [(finding.code, finding.path) for finding in caught.value.findings]


def test_everything_that_is_broken_is_named_at_once() -> None:
    found = broken(
        attestation__initializedAt="yesterday",
        attestation__workflow__name="",
        attestation__materials__bin__materialType="NOTHING",
        attestation__materials__word__string__digest="md5:1",
        attestation__head="abc",
    )

    assert ("invalid-field", "/attestation/initializedAt") in found
    assert ("missing-field", "/attestation/workflow/name") in found
    assert ("invalid-field", "/attestation/materials/bin/materialType") in found
    assert ("invalid-field", "/attestation/materials/word/string/digest") in found
    assert ("invalid-field", "/attestation/head") in found


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"schemaV2": None}, "/schemaV2"),
        ({"schemaV2": []}, "/schemaV2"),
        ({"attestation": None}, "/attestation/initializedAt"),
        ({"attestation": []}, "/attestation"),
        ({"attestation__materials": []}, "/attestation/materials"),
        ({"attestation__materials__bin": None}, "/attestation/materials/bin"),
        ({"attestation__materials__bin__addedAt": None}, "/attestation/materials/bin/addedAt"),
        ({"attestation__materials__bin__artifact": {}}, "/attestation/materials/bin/artifact"),
        ({"attestation__materials__inline__artifact__content": "!"}, "/attestation/materials/inline/artifact/content"),
        ({"attestation__runnerType": "TOASTER"}, "/attestation/runnerType"),
        ({"attestation__envVars": {"A": 1}}, "/attestation/envVars/A"),
        ({"attestation__workflow__schemaRevision": "x"}, "/attestation/workflow/schemaRevision"),
        ({"chainloopCi__runHandle": 1}, "/chainloopCi/runHandle"),
        ({"chainloopCi__skipUpload": "bin"}, "/chainloopCi/skipUpload"),
        ({"attestation__auth": 7}, "/attestation/auth"),
        ({"dryRun": "yes"}, "/dryRun"),
    ],
)
def test_a_broken_field_is_named(change: dict[str, object], path: str) -> None:
    assert path in [where for _, where in broken(**change)]


def test_a_runner_type_of_2022_is_read() -> None:
    document = through_json(minimal_state())
    document["attestation"]["runnerType"] = "RUNNER_TYPE_GITHUB_ACTION"

    assert from_document(document).runner.type is RunnerType.GITHUB_ACTION


def test_materials_keep_their_type() -> None:
    state = from_document(through_json(full_state()))

    assert state.materials["app-image"].type is MaterialType.CONTAINER_IMAGE
    assert state.materials["digest-only"].skip_upload


def test_a_digest_of_a_removed_material_that_is_none_breaks_the_state() -> None:
    found = broken(chainloopCi__removed={"gone": "sha256:0"})

    assert found == [("invalid-field", "/chainloopCi/removed/gone")]
