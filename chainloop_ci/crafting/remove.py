"""The use case `remove`: take a material out again, for example one that was added under a misspelt name."""

from __future__ import annotations

from chainloop_ci.attestation.state import CraftedMaterial, CraftingState
from chainloop_ci.crafting.ports import Reporter, StateStore
from chainloop_ci.errors import NotFoundError


class Remove:
    """Takes materials out of the attestation of this job; nobody needs to be asked."""

    def __init__(self, *, store: StateStore, report: Reporter) -> None:
        self._store = store
        self._report = report

    def __call__(self, name: str) -> CraftedMaterial:
        """Take the material out and return what it was.

        R17 stays: other bytes under the same name are a replacement, whether the first ones were taken out or not.
        What was uploaded stays on the control plane until it collects what no attestation refers to (R8).

        Raises:
            NotFoundError: there is no such material; the hint has the names that there are.
        """
        removed: list[CraftedMaterial] = []

        def take_out(state: CraftingState) -> CraftingState:
            if removed and name not in state.materials:
                # Made again on a newer state, and the answer to the first time was lost.
                return state
            removed.append(_get(state, name))
            return state.without_material(name)

        self._store.update(take_out)
        material = removed[-1]
        self._report.info("material removed from attestation", name=name, type=material.type, digest=material.digest)
        return material


def _get(state: CraftingState, name: str) -> CraftedMaterial:
    if name in state.materials:
        return state.materials[name]
    names = ", ".join(sorted(state.materials)) or "none"
    raise NotFoundError(f"no material {name!r} was added to this attestation", hint=f"added are: {names}")
