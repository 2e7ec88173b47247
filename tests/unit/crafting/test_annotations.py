from __future__ import annotations

import pytest

from chainloop_ci.contract.types import Annotation
from chainloop_ci.crafting.annotations import merge_annotations, parse_annotations, require_material_annotations
from chainloop_ci.errors import ContractNotMetError, UsageError


def test_annotations_are_repeated_or_separated_by_commas() -> None:
    assert parse_annotations(["a=1,b=2", "c=x=y"]) == {"a": "1", "b": "2", "c": "x=y"}


def test_a_comma_that_no_name_follows_belongs_to_the_value() -> None:
    assert parse_annotations(["names=one, two,three"]) == {"names": "one, two,three"}


def test_every_bad_annotation_is_named_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        parse_annotations(["alone", "empty=", "chainloop.material.size=1", "a=1", "a=2"])

    codes = [finding.code for finding in caught.value.findings]
    assert codes == ["annotation-form", "annotation-form", "annotation-reserved", "annotation-repeated"]


def test_a_value_of_the_contract_wins_over_a_given_one_and_that_over_a_kept_one() -> None:
    declared = (Annotation("tier", "gold"), Annotation("owner"))

    merged, overruled = merge_annotations(declared, {"owner": "old", "kept": "yes"}, {"owner": "new", "tier": "tin"})

    assert merged == {"owner": "new", "kept": "yes", "tier": "gold"}
    assert overruled == ["tier"]


def test_declared_annotations_without_a_value_are_all_named() -> None:
    with pytest.raises(ContractNotMetError, match="one, two"):
        require_material_annotations("sbom", (Annotation("one"), Annotation("two")), {})


@pytest.mark.parametrize("name", ["chainloop.x", "Chainloop.x"])
def test_a_reserved_name_is_refused_in_every_case(name) -> None:
    with pytest.raises(UsageError, match="reserved"):
        parse_annotations([f"{name}=1"])
