"""What is missing, all at once, in contract order."""

from __future__ import annotations

from chainloop_ci.contract.compliance import check_compliance, count_present, count_required
from chainloop_ci.contract.types import Annotation, Contract, ContractMaterial, ContractSchema, MaterialType

SBOM = ContractMaterial(
    "sbom", MaterialType.SBOM_CYCLONEDX_JSON, annotations=(Annotation("team"), Annotation("kind", "full"))
)
IMAGE = ContractMaterial("image", MaterialType.CONTAINER_IMAGE)
SCAN = ContractMaterial("scan", MaterialType.SARIF, optional=True)
JUNIT = ContractMaterial("junit", MaterialType.JUNIT_XML, group="tests")
OTHER = ContractMaterial("other", MaterialType.EVIDENCE, group="tests")


def codes(findings):
    return [finding.code for finding in findings]


def test_a_contract_that_is_met_has_no_findings():
    contract = Contract(
        materials=(SBOM, IMAGE, SCAN, JUNIT, OTHER), annotations=(Annotation("ticket"), Annotation("a", "b"))
    )
    present = {"sbom": SBOM.type, "image": IMAGE.type, "other": OTHER.type, "extra": MaterialType.STRING}

    findings = check_compliance(
        contract, present, annotations={"ticket": "T-1"}, material_annotations={"sbom": {"team": "core"}}
    )

    assert findings == ()


def test_everything_missing_comes_at_once_in_contract_order():
    contract = Contract(materials=(JUNIT, SBOM, OTHER, SCAN, IMAGE), annotations=(Annotation("ticket"),))

    findings = check_compliance(contract, {"image": MaterialType.STRING})

    assert codes(findings) == ["missing-group", "missing-material", "wrong-material-type", "missing-annotation"]
    assert [finding.path for finding in findings] == [
        "/spec/materials/0/group",
        "/spec/materials/1",
        "/spec/materials/4/type",
        "/spec/annotations/0",
    ]


def test_a_missing_material_names_the_command_to_type():
    findings = check_compliance(Contract(materials=(SBOM, IMAGE)), {})

    assert [finding.hint for finding in findings] == [
        "chainloop attestation add --name sbom --value <file> --annotation team=<value>",
        "chainloop attestation add --name image --value <image:tag>",
    ]


def test_a_material_of_the_wrong_type_names_both_types():
    (finding,) = check_compliance(Contract(materials=(IMAGE,)), {"image": MaterialType.ARTIFACT})

    assert finding.code == "wrong-material-type"
    assert "CONTAINER_IMAGE" in finding.message
    assert "ARTIFACT" in finding.message


def test_an_optional_material_of_the_wrong_type_is_wrong_too():
    assert codes(check_compliance(Contract(materials=(SCAN,)), {"scan": MaterialType.STRING})) == [
        "wrong-material-type"
    ]


def test_one_member_satisfies_its_group():
    assert check_compliance(Contract(materials=(JUNIT, OTHER)), {"other": MaterialType.EVIDENCE}) == ()


def test_a_group_is_required_even_when_its_members_are_optional():
    optional = ContractMaterial("a", MaterialType.STRING, optional=True, group="g")

    (finding,) = check_compliance(Contract(materials=(optional,)), {})

    assert finding.message == 'at least one material from group "g" is required: a (STRING)'


def test_an_empty_annotation_value_is_missing():
    contract = Contract(materials=(SBOM,), annotations=(Annotation("ticket"),))

    findings = check_compliance(
        contract, {"sbom": SBOM.type}, annotations={"ticket": ""}, material_annotations={"sbom": {"team": ""}}
    )

    assert codes(findings) == ["missing-annotation", "missing-annotation"]
    assert "chainloop attestation push --annotation ticket=<value>" in [finding.hint for finding in findings]


def test_paths_of_a_v1_contract_have_no_spec():
    (finding,) = check_compliance(Contract(schema=ContractSchema.V1, materials=(IMAGE,)), {})

    assert finding.path == "/materials/0"


def test_a_group_counts_as_one_and_what_is_optional_not_at_all():
    contract = Contract(materials=(SBOM, IMAGE, SCAN, JUNIT, OTHER))

    assert count_required(contract) == 3
    assert [
        count_present(contract, names) for names in ((), {"scan"}, {"junit", "other"}, {"sbom", "image", "other"})
    ] == [
        0,
        0,
        1,
        3,
    ]
