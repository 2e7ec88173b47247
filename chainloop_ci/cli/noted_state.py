"""The state file of a job whose CI system hears of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from chainloop_ci.attestation.state import CraftingState
from chainloop_ci.state import LocalState


class NotedState(LocalState):
    """Says what the attestation is like whenever it is loaded or saved; what `find` finds may be another job's."""

    def __init__(self, path: Path, note: Callable[[CraftingState], None]) -> None:
        super().__init__(path)
        self._note = note

    def load(self) -> CraftingState:
        """Return the state, as `LocalState` does."""
        state = super().load()
        self._note(state)
        return state

    def create(self, state: CraftingState, *, replace: bool = False) -> CraftingState | None:
        """Save a new state, as `LocalState` does."""
        previous = super().create(state, replace=replace)
        self._note(state)
        return previous

    def update(self, change: Callable[[CraftingState], CraftingState]) -> CraftingState:
        """Change the state, as `LocalState` does."""
        state = super().update(change)
        self._note(state)
        return state
