from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from chainloop_ci.attestation.state import CraftingState, Session
from chainloop_ci.runners.types import CiIdentity
from tests.unit.attestation.states import FINISHED, material, minimal_state

CI = CiIdentity("github", run_id="77", run_attempt=1)
LATER = datetime(2026, 11, 21, tzinfo=UTC)


def of_first_attempt() -> CraftingState:
    materials = {"a": material("a"), "b": material("b")}
    return minimal_state(session=Session(ci=CI, shared=True), materials=materials).without_material("b")


def test_r16_a_later_attempt_may_replace_what_an_earlier_one_added_or_took_out() -> None:
    state = of_first_attempt().in_attempt(2)

    assert (state.carried, state.session.attempt) == ({"a", "b"}, 2)


def test_r16_what_an_attempt_added_itself_is_no_longer_of_an_earlier_one() -> None:
    state = of_first_attempt().in_attempt(2).with_material(material("a"))

    assert state.carried == {"b"}
    assert state.in_attempt(2) == state


def test_r16_the_attempt_that_began_it_carries_nothing() -> None:
    assert of_first_attempt().in_attempt(1).carried == frozenset()


def test_r16_a_successor_has_materials_and_pin_and_an_identity_of_its_own() -> None:
    ended = replace(of_first_attempt(), finished_at=FINISHED)
    second = replace(CI, run_attempt=2)

    state = ended.taken_over("run-2", second, token_id="token-2", expires_at=LATER, view_url="https://cp.test/runs/2")

    assert (state.pin.run_id, state.session.ci, state.session.expires_at) == ("run-2", second, LATER)
    assert state.session.view_url == "https://cp.test/runs/2"
    assert (state.auth_id, state.finished_at, state.carried) == ("token-2", None, {"a", "b"})
    assert state.materials == ended.materials
    assert replace(state.pin, run_id=ended.pin.run_id) == ended.pin
