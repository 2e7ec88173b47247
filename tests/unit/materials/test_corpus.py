"""Real documents get the verdict that the corpus says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chainloop_ci.contract.types import MaterialType
from chainloop_ci.materials.kinds.evidence import EVIDENCE

CORPUS = Path(__file__).resolve().parents[3].parent / "shared" / "corpus"

# Invalid documents that a plain JSON Schema check accepts, or that the reference tolerates; they are refused here.
BEYOND_A_PLAIN_SCHEMA_CHECK = {
    "invalid-metadata-timestamp-1.4.json": "a date without time: only `format` says so, and a plain check ignores it",
    "invalid-metadata-timestamp-1.6.json": "the same",
    "invalid-component-ref-1.4.json": "twins (`uniqueItems`, which the reference tolerates) that share their bom-ref",
}


def files(*folders: str) -> list[object]:
    paths = [path for folder in folders for path in sorted((CORPUS / folder).glob("*"))]
    return [pytest.param(path, id=path.name) for path in paths]


@pytest.mark.usefixtures("corpus")
@pytest.mark.parametrize("path", files("cyclonedx-1.4", "cyclonedx-1.6"))
def test_a_cyclonedx_document_gets_the_verdict_of_its_name(path, check, refuse):
    verdict = check if path.name.startswith("valid-") else refuse

    outcome = verdict(MaterialType.SBOM_CYCLONEDX_JSON, path.read_bytes())

    assert not getattr(outcome, "warnings", ())


@pytest.mark.parametrize("name", sorted(BEYOND_A_PLAIN_SCHEMA_CHECK))
def test_what_a_plain_schema_check_lets_through_is_refused(name, corpus, refuse):
    [path] = corpus.glob(f"cyclonedx-*/{name}")

    error = refuse(MaterialType.SBOM_CYCLONEDX_JSON, path.read_bytes())

    assert error.findings[0].path in ("/metadata/timestamp", "/components")


@pytest.mark.usefixtures("corpus")
@pytest.mark.parametrize("path", files("spdx-2"))
def test_an_spdx_2_document_is_accepted(path, check):
    assert check(MaterialType.SBOM_SPDX_JSON, path.read_bytes()).warnings == ()


@pytest.mark.usefixtures("corpus")
@pytest.mark.parametrize("path", files("spdx-3"))
def test_an_spdx_3_document_is_refused_as_such(path, refuse):
    assert "an SPDX 3 document" in refuse(MaterialType.SBOM_SPDX_JSON, path.read_bytes()).message


@pytest.mark.usefixtures("corpus")
@pytest.mark.parametrize("path", files("sarif"))
def test_a_sarif_log_is_accepted(path, check):
    assert check(MaterialType.SARIF, path.read_bytes()).annotations["chainloop.material.tool.name"]


def without_our_part(annotations: dict[str, object]) -> dict[str, object]:
    """Leave out what the crafting use case, the statement and the user set."""
    others = {"chainloop.material.cas", "chainloop.material.name", "chainloop.material.size", "chainloop.material.type"}
    return {key: value for key, value in annotations.items() if key not in others and key.startswith("chainloop.")}


@pytest.mark.parametrize(
    ("material", "file", "material_type"),
    [
        ("sbom", "sbom.cyclonedx-1.5.json", MaterialType.SBOM_CYCLONEDX_JSON),
        ("sarif", "report.sarif", MaterialType.SARIF),
        ("junit", "junit.xml", MaterialType.JUNIT_XML),
    ],
)
def test_annotations_are_those_of_the_go_product(material, file, material_type, corpus, check):
    statement = json.loads((corpus / "go-product/statement.json").read_text())
    [theirs] = [
        entry["annotations"]
        for entry in statement["predicate"]["materials"]
        if entry["annotations"]["chainloop.material.name"] == material
    ]

    ours = check(material_type, (corpus / "materials" / file).read_bytes()).annotations

    assert ours == without_our_part(theirs)


@pytest.mark.parametrize(
    ("file", "material_type", "annotations"),
    [
        ("tests.zip", MaterialType.JUNIT_XML, {}),
        (
            "checkmarx.sarif",
            MaterialType.SARIF,
            {"tool.name": "Checkmarx One", "tool.version": "1.0", "scan.types": "iac,sast,sca"},
        ),
        (
            "sbom-spdx-container.json",
            MaterialType.SBOM_SPDX_JSON,
            {
                "sbom.main_component.name": "ghcr.io/chainloop-dev/chainloop/control-plane",
                "sbom.main_component.type": "container",
                "sbom.main_component.version": "sha256:abcdef1234567890",
                "tool.name": "trivy",
                "tool.version": "0.50.0",
                "tools": '["trivy@0.50.0"]',
            },
        ),
    ],
)
def test_other_real_materials_are_described_as_the_reference_says(file, material_type, annotations, corpus, check):
    checked = check(material_type, (corpus / "materials" / file).read_bytes())

    assert checked.annotations == {f"chainloop.material.{key}": value for key, value in annotations.items()}


def test_real_evidence_says_what_it_is(corpus):
    assert EVIDENCE.describe_small is not None
    raw = (corpus / "materials/evidence-with-id-data-schema.json").read_bytes()

    assert EVIDENCE.describe_small(raw) == {
        "chainloop.material.evidence.id": "custom-evidence-123",
        "chainloop.material.evidence.schema": "https://example.com/schema/v1",
    }
