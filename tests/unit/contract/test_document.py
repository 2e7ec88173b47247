"""The normalised document and its way back."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from chainloop_ci.contract.document import from_document, to_document
from chainloop_ci.contract.types import (
    Annotation,
    Contract,
    ContractMaterial,
    ContractSchema,
    MaterialType,
    RunnerType,
)
from chainloop_ci.errors import ContractInvalidError


def test_defaults_are_left_out_and_the_order_is_fixed():
    material = ContractMaterial(
        "sbom", MaterialType.SBOM_SPDX_JSON, skip_upload=True, group="g", annotations=(Annotation("a"),)
    )
    contract = Contract(name="demo", materials=(material,), runner=RunnerType.JENKINS_JOB)

    text = json.dumps(to_document(contract))

    assert text == (
        '{"apiVersion": "chainloop.dev/v1", "kind": "Contract", "metadata": {"name": "demo"}, "spec": {"materials": '
        '[{"type": "SBOM_SPDX_JSON", "name": "sbom", "annotations": [{"name": "a"}], "skipUpload": true, "group": "g"}'
        '], "runner": {"type": "JENKINS_JOB"}}}'
    )


def test_v1_stays_v1():
    assert to_document(Contract(schema=ContractSchema.V1)) == {"schemaVersion": "v1"}


def test_an_empty_v2_contract_keeps_its_spec():
    assert to_document(Contract(name="a"))["spec"] == {}


@pytest.mark.parametrize(
    ("file", "field", "names"),
    [
        ("go-product/crafting-state.json", "schemaV2", ["sbom", "sarif", "junit", "bin"]),
        (
            "statement/attestation.source.json",
            "inputSchema",
            ["skynet-control-plane", "rootfs", "dockerfile", "build-ref", "skynet-sbom"],
        ),
    ],
)
def test_states_of_the_go_product_are_read_and_written_back(corpus, file, field, names):
    document = json.loads((corpus / file).read_bytes())[field]

    contract = from_document(document)

    assert [entry.name for entry in contract.materials] == names
    assert to_document(contract) == document


def test_unknown_fields_are_ignored():
    assert from_document(
        {"schemaVersion": "v1", "new": 1, "materials": [{"name": "a", "type": "STRING", "new": {}}]}
    ).materials


def test_the_runner_is_read_as_statements_of_2022_wrote_it():
    assert from_document({"runner": {"type": "RUNNER_TYPE_GITHUB_ACTION"}}).runner is RunnerType.GITHUB_ACTION
    assert from_document({"runner": {"type": "RUNNER_TYPE_UNSPECIFIED"}}).runner is None


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ([], None),
        ({"spec": []}, "/spec"),
        ({"materials": {}}, "/materials"),
        ({"materials": [1]}, "/materials/0"),
        ({"materials": [{"name": "a", "type": "FUTURE"}]}, "/materials/0/type"),
        ({"materials": [{"name": 1, "type": "STRING"}]}, "/materials/0/name"),
        ({"runner": {"type": "FUTURE"}}, "/runner/type"),
        ({"envAllowList": [1]}, "/envAllowList"),
        ({"annotations": ["a"]}, "/annotations"),
        ({"policyGroups": [1]}, "/policyGroups"),
    ],
)
def test_a_document_of_another_shape_is_refused_with_its_path(document, path):
    with pytest.raises(ContractInvalidError) as caught:
        from_document(document)

    assert (caught.value.findings[0].path or None) == path


def test_reading_a_state_loads_no_heavy_library():
    script = "import sys, chainloop_ci.contract.document, chainloop_ci.contract.compliance; print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()

    assert not {"yaml", "jsonschema", "jsonschema_rs", "difflib"} & set(loaded)
