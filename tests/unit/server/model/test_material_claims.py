from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from chainloop_ci.api.limits import MAX_INLINE_BYTES, MAX_MATERIALS
from chainloop_ci.api.runs import ContentPlace
from chainloop_ci.attestation.view import MaterialView
from chainloop_ci.contract.types import Annotation, Contract, ContractMaterial, MaterialType
from chainloop_ci.digests import Digest, sha256_digest
from chainloop_ci.errors import Finding
from server.model.material_claims import MAX_MATERIAL_NAME, PlacedMaterial, check_materials, place_materials
from tests.unit.server.model.statements import BINARY, CONTENT, CONTRACT, DIGEST, VIEW, WORD, codes

PATH = "/predicate/materials/0"
STORED = {DIGEST: len(CONTENT)}


def place(
    material: MaterialView, contract: Contract = CONTRACT, stored: Mapping[Digest, int] = STORED
) -> tuple[PlacedMaterial, tuple[Finding, ...]]:
    (placed,), findings = place_materials(replace(VIEW, materials=(material,)), contract, stored)
    return placed, findings


def inlined(content: bytes) -> MaterialView:
    return replace(
        BINARY,
        digest=sha256_digest(content),
        content=content,
        uploaded=False,
        inline=True,
        size_bytes=len(content),
    )


def many(count: int) -> tuple[MaterialView, ...]:
    return tuple(replace(BINARY, name=f"binary-{number}") for number in range(count))


def test_r11_the_materials_of_the_contract_have_no_findings() -> None:
    assert check_materials(VIEW, CONTRACT) == ()


def test_r11_a_missing_material_is_named() -> None:
    findings = check_materials(replace(VIEW, materials=()), CONTRACT)

    assert [finding.code for finding in findings] == ["missing-material"]


def test_as_many_materials_as_the_limit_are_accepted_and_one_more_is_not() -> None:
    at_limit = check_materials(replace(VIEW, materials=many(MAX_MATERIALS)), Contract())
    over = check_materials(replace(VIEW, materials=many(MAX_MATERIALS + 1)), Contract())

    assert MAX_MATERIALS == 1000
    assert at_limit == ()
    assert codes(over) == [("too-many-materials", "/predicate/materials")]


def test_materials_over_the_limit_are_not_looked_into() -> None:
    placed, _ = place_materials(replace(VIEW, materials=many(MAX_MATERIALS + 1)), Contract(), STORED)

    assert len(placed) == MAX_MATERIALS


@pytest.mark.parametrize("name", ["", "Binary", "a b", "binary\n", "a" * (MAX_MATERIAL_NAME + 1)])
def test_a_material_is_named_by_the_rules(name: str) -> None:
    findings = check_materials(replace(VIEW, materials=(replace(BINARY, name=name),)), Contract())

    assert codes(findings) == [("material-name", f"{PATH}/annotations/chainloop.material.name")]


def test_a_name_may_be_as_long_as_the_limit() -> None:
    longest = replace(BINARY, name="a" * MAX_MATERIAL_NAME)

    assert check_materials(replace(VIEW, materials=(longest,)), Contract()) == ()


def test_a_type_of_a_newer_writer_is_refused() -> None:
    findings = check_materials(replace(VIEW, materials=(replace(BINARY, type="HOLOGRAM"),)), Contract())

    assert codes(findings) == [("material-type", f"{PATH}/annotations/chainloop.material.type")]


def test_a_material_without_digest_is_refused() -> None:
    findings = check_materials(replace(VIEW, materials=(replace(BINARY, digest=None),)), Contract())

    assert codes(findings) == [("digest-missing", f"{PATH}/digest/sha256")]


def test_r11_an_annotation_that_the_contract_fixes_for_a_material_is_compared() -> None:
    fixed = ContractMaterial("binary", MaterialType.ARTIFACT, annotations=(Annotation("arch", "arm64"),))
    view = replace(VIEW, materials=(replace(BINARY, annotations={"arch": "amd64"}),))

    findings = check_materials(view, Contract(materials=(fixed,)))

    assert codes(findings) == [("annotation-differs", f"{PATH}/annotations/arch")]


def test_uploaded_content_is_in_the_store() -> None:
    placed, findings = place(BINARY)

    assert (placed.place, placed.size_bytes, findings) == (ContentPlace.CAS, len(CONTENT), ())


def test_r11_content_that_this_run_did_not_upload_is_missing() -> None:
    placed, findings = place(BINARY, stored={})

    assert placed.place is ContentPlace.NOT_STORED
    assert codes(findings) == [("content-missing", f"{PATH}/digest/sha256")]


@pytest.mark.parametrize("contract", [CONTRACT, Contract()], ids=["known", "unknown"])
def test_r11_content_is_wanted_whether_or_not_the_contract_knows_the_material(contract: Contract) -> None:
    _, findings = place(replace(BINARY, uploaded=False), contract)

    assert codes(findings) == [("content-missing", f"{PATH}/annotations/chainloop.material.cas")]


def test_where_the_contract_skips_the_upload_the_digest_is_enough() -> None:
    placed, findings = place(MaterialView("log", "EVIDENCE", DIGEST))

    assert (placed.place, findings) == (ContentPlace.NOT_STORED, ())


def test_content_in_the_statement_is_there() -> None:
    placed, findings = place(inlined(b"small"))

    assert (placed.place, placed.size_bytes, findings) == (ContentPlace.INLINE, 5, ())


@pytest.mark.parametrize(
    "material",
    [replace(inlined(b"small"), inline=False, uploaded=True), replace(inlined(b"small"), content=None)],
    ids=["content without the mark", "mark without content"],
)
def test_r11_the_mark_of_content_in_the_statement_goes_with_the_content(material: MaterialView) -> None:
    _, findings = place(material, stored={sha256_digest(b"small"): 5})

    assert codes(findings) == [("content-missing", f"{PATH}/content")]


def test_r11_content_in_the_statement_hashes_to_its_digest() -> None:
    _, findings = place(replace(inlined(b"small"), content=b"other"))

    assert codes(findings) == [("content-differs", f"{PATH}/content")]


def test_content_in_the_statement_may_be_as_large_as_the_limit_and_no_larger() -> None:
    _, at_limit = place(inlined(bytes(MAX_INLINE_BYTES)))
    _, over = place(inlined(bytes(MAX_INLINE_BYTES + 1)))

    assert at_limit == ()
    assert codes(over) == [("content-too-large", f"{PATH}/content")]


def test_r11_a_size_that_the_content_does_not_have_is_refused() -> None:
    _, findings = place(replace(BINARY, size_bytes=1))

    assert codes(findings) == [("size-differs", f"{PATH}/annotations/chainloop.material.size")]


def test_r7_the_size_of_content_that_the_run_only_refers_to_is_not_told() -> None:
    view = replace(VIEW, materials=(replace(BINARY, size_bytes=1),))

    (placed,), (finding,) = place_materials(view, CONTRACT, STORED, referenced=frozenset({DIGEST}))

    assert placed.is_hidden
    assert finding.message == f"material {BINARY.name} says it has 1 bytes, its content has another size"


def test_a_text_is_in_the_statement() -> None:
    placed, findings = place(WORD)

    assert (placed.place, findings) == (ContentPlace.INLINE, ())


def test_r11_a_text_without_its_content_is_missing() -> None:
    _, findings = place(replace(WORD, content=None))

    assert codes(findings) == [("content-missing", f"{PATH}/content")]


def test_r11_a_text_is_never_uploaded() -> None:
    _, findings = place(replace(WORD, uploaded=True))

    assert codes(findings) == [("claim-differs", PATH)]


@pytest.mark.parametrize("claim", [{"uploaded": True}, {"inline": True}])
def test_r11_an_image_is_never_stored(claim: dict[str, bool]) -> None:
    image = MaterialView("image", "CONTAINER_IMAGE", DIGEST, **claim)  # type: ignore[arg-type]

    _, findings = place(image)

    assert codes(findings) == [("claim-differs", PATH)]
