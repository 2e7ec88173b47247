from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from chainloop_ci.attestation.state import CraftedMaterial
from chainloop_ci.contract.types import MaterialType
from chainloop_ci.crafting.status import find_expiry, get_status, require_compliant
from chainloop_ci.digests import sha256_digest
from chainloop_ci.errors import ContractNotMetError
from tests.unit.crafting.memory import CONTRACT, NOW


def test_materials_stand_in_contract_order_and_the_others_after_them_by_name(begun) -> None:
    extras = [CraftedMaterial(name, MaterialType.STRING, sha256_digest(b"x"), NOW, value="x") for name in ("z", "a")]
    state = begun()
    for material in extras:
        state = state.with_material(material)

    status = get_status(state)

    assert [line.name for line in status.materials] == ["commit", "binary", "sbom", "a", "z"]


def test_the_status_names_everything_that_is_missing(begun) -> None:
    status = get_status(begun())

    assert [finding.code for finding in status.missing] == ["missing-material", "missing-material"]
    assert not status.compliant


def test_an_unmet_group_is_missing(begun) -> None:
    contract = CONTRACT + b"    - {type: SARIF, name: one, group: scan}\n    - {type: SARIF, name: two, group: scan}\n"

    codes = [finding.code for finding in get_status(begun(contract)).missing]

    assert "missing-group" in codes


def test_an_incomplete_attestation_is_refused_with_all_findings(begun) -> None:
    with pytest.raises(ContractNotMetError, match="2 things are missing") as caught:
        require_compliant(begun())

    assert len(caught.value.findings) == 2


def test_r37_a_contract_that_asks_for_nothing_is_neither_met_nor_unmet(begun) -> None:
    nothing = b"apiVersion: chainloop.dev/v1\nkind: Contract\nmetadata: {name: demo}\nspec: {}\n"

    assert get_status(begun(nothing)).compliant is None


def test_r15_a_run_is_expired_once_its_time_is_over(begun) -> None:
    state = begun()
    ends = find_expiry(state)

    assert ends == state.session.expires_at
    assert get_status(state, now=ends).expired
    assert not get_status(state, now=ends - timedelta(seconds=1)).expired
    assert not get_status(replace(state, dry_run=True), now=ends).expired


def test_r15_an_upload_begins_the_life_of_the_run_anew(begun) -> None:
    state = begun()
    later = state.initialized_at + timedelta(hours=5)
    uploaded = CraftedMaterial("binary", MaterialType.ARTIFACT, sha256_digest(b"x"), later, uploaded=True)

    assert find_expiry(state.with_material(uploaded)) == state.session.expires_at + timedelta(hours=5)
    assert find_expiry(state.with_material(replace(uploaded, uploaded=False))) == state.session.expires_at


def test_r15_of_a_shared_run_the_control_plane_says_when_it_expires(begun) -> None:
    later = begun().initialized_at + timedelta(hours=5)
    material = CraftedMaterial("binary", MaterialType.ARTIFACT, sha256_digest(b"x"), later, uploaded=True)
    state = begun().with_material(material)

    shared = replace(state, session=replace(state.session, shared=True))

    assert find_expiry(shared) == state.session.expires_at != find_expiry(state)
