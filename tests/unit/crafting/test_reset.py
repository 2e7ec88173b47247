from __future__ import annotations

import pytest

from chainloop_ci.crafting.reset import Reset
from chainloop_ci.errors import NotFoundError, RunEndedError, StateBrokenError, UnreachableError
from tests.unit.crafting.memory import RUN_ID, MemoryStore


@pytest.fixture
def reset(begun, plane, notes):
    plane.failures["cancel_run"] = []
    store = MemoryStore(begun())
    made = Reset(store=store, control_plane=lambda state: plane, report=notes)
    made.store = store
    return made


def test_reset_ends_the_run_and_forgets_it(reset, plane) -> None:
    plane.cancel_run = lambda run_id, handle, request: plane.calls.append(
        (run_id, handle, request.trigger, request.reason)
    )

    reset("cancellation", "stopped by hand")

    assert plane.calls == [(RUN_ID, "handle", "cancellation", "stopped by hand")]
    assert reset.store.state is None


@pytest.mark.parametrize("error", [NotFoundError("unknown"), RunEndedError("it was pushed")])
def test_a_run_that_is_unknown_or_ended_is_a_warning(reset, plane, notes, error) -> None:
    plane.failures["cancel_run"] = [error]

    reset("failure", "")

    assert len(notes.warnings) == 1
    assert reset.store.state is None


def test_the_state_stays_while_the_control_plane_does_not_answer(reset, plane) -> None:
    plane.failures["cancel_run"] = [UnreachableError("no answer")]

    with pytest.raises(UnreachableError):
        reset("failure", "")

    assert reset.store.state is not None


def test_a_dry_run_is_forgotten_without_asking_anybody(begun, plane, notes) -> None:
    store = MemoryStore(begun(dry_run=True))

    Reset(store=store, control_plane=lambda state: plane, report=notes)("failure", "")

    assert plane.calls == []
    assert store.state is None


def test_nothing_to_reset_is_a_warning(plane, notes) -> None:
    assert Reset(store=MemoryStore(), control_plane=lambda state: plane, report=notes)("failure", "") is None
    assert "nothing to reset" in notes.warnings[0]


def test_a_broken_state_is_removed_with_a_warning(begun, plane, notes) -> None:
    class Broken(MemoryStore):
        def find(self):
            raise StateBrokenError("cut off")

    store = Broken(begun())

    Reset(store=store, control_plane=lambda state: plane, report=notes)("failure", "")

    assert store.state is None
    assert "broken" in notes.warnings[0]
