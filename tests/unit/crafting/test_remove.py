from __future__ import annotations

import pytest

from chainloop_ci.attestation.state import CraftedMaterial
from chainloop_ci.contract.types import MaterialType
from chainloop_ci.crafting.remove import Remove
from chainloop_ci.digests import sha256_digest
from chainloop_ci.errors import NotFoundError, StateMissingError
from tests.unit.crafting.memory import NOW, ContestedStore, MemoryStore

MISSPELT = CraftedMaterial("comit", MaterialType.STRING, sha256_digest(b"x"), NOW, value="x")


def test_a_material_is_taken_out_and_the_signed_bundle_with_it(begun, notes) -> None:
    store = MemoryStore(begun().with_material(MISSPELT))
    store.bundle = b"signed"

    removed = Remove(store=store, report=notes)("comit")

    assert removed == MISSPELT
    assert (store.state.materials, store.bundle) == ({}, None)
    assert "material removed" in notes.infos[0]


def test_a_material_that_is_not_there_is_refused_with_those_that_are(begun, notes) -> None:
    store = MemoryStore(begun().with_material(MISSPELT))

    with pytest.raises(NotFoundError) as caught:
        Remove(store=store, report=notes)("commit")

    assert "comit" in str(caught.value.hint)
    assert "comit" in store.state.materials


def test_without_an_attestation_nothing_is_removed(notes) -> None:
    with pytest.raises(StateMissingError):
        Remove(store=MemoryStore(), report=notes)("commit")


def test_a_material_is_taken_out_once_when_the_change_has_to_be_made_again(begun, notes) -> None:
    store = ContestedStore(begun().with_material(MISSPELT))

    assert Remove(store=store, report=notes)("comit") == MISSPELT
    assert (store.state.materials, dict(store.state.removed)) == ({}, {"comit": MISSPELT.digest})
