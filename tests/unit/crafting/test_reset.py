from __future__ import annotations

import pytest

from chainloop_ci.api.runs import RunRequest
from chainloop_ci.contract.types import RunnerType
from chainloop_ci.crafting.reset import Reset
from chainloop_ci.digests import sha256_digest
from chainloop_ci.errors import (
    Finding,
    NotAuthenticatedError,
    NotFoundError,
    RunEndedError,
    StateBrokenError,
    StateForeignError,
    UnreachableError,
    UsageError,
)
from chainloop_ci.runners.types import CiIdentity
from tests.unit.crafting.memory import RUN_ID, WORKFLOW_ID, MemoryStore

REFUSALS = [NotAuthenticatedError("the token was revoked", hint="get another one"), UnreachableError("no answer")]


@pytest.fixture
def reset(begun, plane, notes):
    plane.failures["cancel_run"] = []
    store = MemoryStore(begun())
    plane.runs[RUN_ID] = RunRequest(
        WORKFLOW_ID, 1, sha256_digest(b"contract"), RunnerType.GENERIC, "0" * 64, CiIdentity(provider="none")
    )
    made = Reset(store=store, control_plane=lambda state: plane, report=notes)
    made.store = store
    return made


@pytest.mark.parametrize(("trigger", "became"), [("cancellation", "canceled"), ("failure", "error")])
def test_reset_ends_the_run_forgets_it_and_says_what_became_of_it(reset, plane, trigger, became) -> None:
    ended = reset(trigger, "stopped by hand")

    assert plane.cancellations == [(RUN_ID, "handle", trigger, "stopped by hand")]
    assert ended.run_state == became
    assert reset.store.state is None


def test_what_is_not_met_is_told_however_long_it_is_and_whatever_stands_in_it(reset, plane) -> None:
    long = Finding("missing-material", "\x1b[31m" + "x" * 2000)

    reset("failure", "the contract is not met", [long] * 300)

    assert len(plane.unmet) == 100
    code, message = plane.unmet[0]
    assert (code, len(message)) == ("missing-material", 500)
    assert message.startswith("\\x1b[31mxxx")


@pytest.mark.parametrize("error", [NotFoundError("unknown"), RunEndedError("it was pushed")])
def test_a_run_that_is_unknown_or_ended_is_a_warning(reset, plane, notes, error) -> None:
    plane.failures["cancel_run"] = [error]

    reset("failure", "")

    assert len(notes.warnings) == 1
    assert reset.store.state is None


@pytest.mark.parametrize("error", REFUSALS)
def test_a_control_plane_that_refuses_keeps_the_state_and_the_way_out_is_named(reset, plane, error) -> None:
    plane.failures["cancel_run"] = [error]

    with pytest.raises(type(error)) as caught:
        reset("failure", "")

    assert reset.store.state is not None
    assert "reset --force" in str(caught.value.hint)


@pytest.mark.parametrize("error", REFUSALS)
def test_with_force_the_state_goes_whatever_the_control_plane_says(reset, plane, notes, error) -> None:
    plane.failures["cancel_run"] = [error]

    ended = reset("failure", "", force=True)

    assert ended.run_state == ""
    assert reset.store.state is None
    assert "the control plane was not told" in notes.warnings[0]


def test_with_force_the_state_goes_without_any_address(begun, notes) -> None:
    def nowhere(state):
        raise UsageError("the address of the control plane is not known")

    store = MemoryStore(begun())

    Reset(store=store, control_plane=nowhere, report=notes)("failure", "", force=True)

    assert store.state is None


def test_a_file_of_somebody_else_is_never_removed(begun, plane, notes) -> None:
    class Foreign(MemoryStore):
        def find(self):
            raise StateForeignError("a file that chainloop did not write")

    store = Foreign(begun())

    with pytest.raises(StateForeignError):
        Reset(store=store, control_plane=lambda state: plane, report=notes)("failure", "", force=True)

    assert store.state is not None


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
