from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from chainloop_ci.api.limits import MAX_STATE_BYTES
from chainloop_ci.api.runs import KeptState, RunState, WorkflowRun
from chainloop_ci.attestation.state import CraftedMaterial, CraftingState
from chainloop_ci.client.control_plane import SealedState
from chainloop_ci.client.sealing import Purpose, seal, unseal
from chainloop_ci.client.shared_state import SharedState, Turns
from chainloop_ci.contract.types import Contract, ContractMaterial, MaterialType
from chainloop_ci.digests import Digest, sha256_digest
from chainloop_ci.errors import (
    ConflictError,
    LimitExceededError,
    NotAllowedError,
    PreconditionFailedError,
    RunEndedError,
    StateBrokenError,
    StateLockedError,
    StateMissingError,
)
from chainloop_ci.runners.types import CiIdentity
from tests.unit.attestation.states import minimal_state

if TYPE_CHECKING:
    from chainloop_ci.crafting.ports import StateStore as Port

TOKEN, HANDLE = "clp_the-token", "the-run-handle"
RUN, NEXT = "5f0c2f6e-2f0b-4c56-9a0e-6f1f3c0e7a11", "6f0c2f6e-2f0b-4c56-9a0e-6f1f3c0e7a12"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
CI = CiIdentity("github", server_url="https://github.com", repository="acme/app", run_id="77", run_attempt=1)
SECOND_TRY = replace(CI, run_attempt=2)


def material(name: str, content: str = "x") -> CraftedMaterial:
    return CraftedMaterial(name, MaterialType.STRING, sha256_digest(content.encode()), NOW, value=content)


def begun(**changes: Any) -> CraftingState:
    state = minimal_state()
    session = replace(state.session, run_handle=HANDLE, ci=CI, expires_at=NOW + timedelta(hours=6), shared=True)
    return replace(state, pin=replace(state.pin, run_id=RUN), session=session, **changes)


class Plane:
    """A control plane that keeps sealed states in memory; `others` write before the next of our writes."""

    def __init__(self) -> None:
        self.states: dict[str, bytes] = {}
        self.ended: dict[str, RunState] = {}
        self.successors: dict[str, str] = {}
        self.others: list[Callable[[], None]] = []
        self.calls: list[str] = []
        self.present: list[int] = []
        self.is_busy = False
        """One of `others` writes."""

    def newest(self, run_id: str) -> str:
        while run_id in self.successors:
            run_id = self.successors[run_id]
        return run_id

    def get_state(self, run_id: str, handle: str) -> SealedState:
        self.calls.append("get")
        assert handle == HANDLE
        newest = self.newest(run_id)
        sealed_for = newest if newest in self.states else RUN
        raw = self.states[sealed_for]
        run_state = self.ended.get(newest, RunState.INITIALIZED)
        return SealedState(raw, sha256_digest(raw), newest, run_state, NOW + timedelta(hours=6), sealed_for)

    def put_state(self, run_id: str, handle: str, raw: bytes, expected: Digest | None, *, present: int) -> KeptState:
        self.calls.append("put")
        self.present.append(present)
        if self.others and not self.is_busy:
            self.is_busy = True
            self.others.pop(0)()
            self.is_busy = False
        if run_id in self.ended:
            raise RunEndedError(f"{run_id} ended")
        known = self.states.get(run_id)
        if (None if known is None else sha256_digest(known)) != expected:
            raise PreconditionFailedError("changed meanwhile")
        self.states[run_id] = raw
        return KeptState(run_id, sha256_digest(raw), len(raw), NOW)

    def open_successor(self, run_id: str, handle: str, ci: CiIdentity) -> WorkflowRun:
        self.calls.append("successor")
        newest = self.newest(run_id)
        if newest in self.ended:
            self.successors[newest] = newest = NEXT
        return WorkflowRun(
            newest, 2, RunState.INITIALIZED, "w", "build", "app", "acme", "build", 1, 1, "GITHUB_ACTION", "",
            NOW, NOW + timedelta(hours=6), ci=ci, token_id="token-2", successor_of=run_id,
        )  # fmt: skip


class Bench:
    """One control plane, and any number of jobs."""

    def __init__(self) -> None:
        self.plane = Plane()
        self.pauses: list[float] = []
        self.said: list[str] = []
        self.seconds = 0.0
        first = self.job(run_id="")
        first.create(begun())
        first.update(lambda state: state)

    def job(self, run_id: str = RUN, ci: CiIdentity | None = None, token: str = TOKEN) -> SharedState:
        """Return the state as another job sees it."""
        return SharedState(
            lambda: self.plane,  # type: ignore[arg-type,return-value]
            lambda: token,
            run_id=run_id,
            handle=lambda: HANDLE,
            ci=(lambda: ci) if ci else None,
            say=lambda message, **facts: self.said.append(f"{message} {facts}"),
            turns=Turns(clock=self.clock, sleep=self.pauses.append, chance=lambda: 0.5),
        )

    def clock(self) -> float:
        self.seconds += 1.0
        return self.seconds

    def add(self, name: str, content: str = "x") -> None:
        """Add a material in a job of its own."""
        self.job().update(lambda state: state.with_material(material(name, content)))


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_it_is_what_the_use_cases_ask_for(bench) -> None:
    port: Port = bench.job()

    assert port.load().pin.run_id == RUN


def test_another_job_finds_the_state_with_its_own_handle(bench) -> None:
    found = bench.job().load()

    assert found == begun()
    assert HANDLE.encode() not in unseal(bench.plane.states[RUN], TOKEN, Purpose.STATE, RUN)


def test_nothing_of_the_state_can_be_read_on_the_control_plane(bench) -> None:
    bench.add("secret-name")

    assert b"secret-name" not in bench.plane.states[RUN]
    assert b"chainloopCi" not in bench.plane.states[RUN]


def test_how_many_required_materials_it_has_is_said_beside_it(bench) -> None:
    contract = Contract(
        materials=(ContractMaterial("version", MaterialType.STRING), ContractMaterial("binary", MaterialType.ARTIFACT))
    )
    bench.job().update(lambda state: replace(state, contract=contract))

    bench.add("binary")
    bench.add("not-asked-for")
    bench.add("version")

    assert bench.plane.present[-4:] == [0, 1, 1, 2]


def test_before_it_is_begun_there_is_nothing_and_nobody_is_asked(bench) -> None:
    new = bench.job(run_id="")
    bench.plane.calls.clear()

    assert new.find() is None
    with pytest.raises(StateMissingError, match="no shared attestation"):
        new.load()
    assert bench.plane.calls == []


def test_a_change_is_made_again_on_what_a_quicker_job_left(bench) -> None:
    job = bench.job()
    job.load()
    bench.plane.others = [lambda: bench.add("quick"), lambda: bench.add("quicker")]

    job.update(lambda state: state.with_material(material("slow")))

    assert set(bench.job().load().materials) == {"quick", "quicker", "slow"}
    assert bench.pauses == [0.025, 0.05]


def test_a_change_that_others_made_already_is_not_sent(bench) -> None:
    bench.add("version")
    bench.plane.calls.clear()

    bench.add("version")

    assert bench.plane.calls == ["get"]


def test_who_never_gets_a_turn_is_told_so(bench) -> None:
    job = bench.job()
    bench.plane.others = [lambda number=number: bench.add(f"m-{number}") for number in range(100)]

    with pytest.raises(StateLockedError, match="again and again"):
        job.update(lambda state: state.with_material(material("slow")))


def test_a_refusal_of_the_change_is_passed_on_and_nothing_is_sent(bench) -> None:
    def refuse(state: CraftingState) -> CraftingState:
        raise ConflictError("no")

    bench.plane.calls.clear()

    with pytest.raises(ConflictError):
        bench.job().update(refuse)
    assert bench.plane.calls == ["get"]


def test_an_ended_run_takes_no_change(bench) -> None:
    bench.plane.ended[RUN] = RunState.SUCCESS

    with pytest.raises(RunEndedError):
        bench.add("late")


def test_the_signed_bundle_is_found_by_another_job_until_a_material_changes(bench) -> None:
    job = bench.job()
    job.save_bundle(b"signed", signed=job.load())

    assert bench.job().load_bundle() == b"signed"
    bench.add("more")
    assert bench.job().load_bundle() is None


def test_a_bundle_is_refused_when_a_material_came_while_it_was_signed(bench) -> None:
    job = bench.job()
    signed = job.load()
    bench.plane.others = [lambda: bench.add("late")]

    with pytest.raises(ConflictError, match="another job changed the materials"):
        job.save_bundle(b"signed", signed=signed)
    assert bench.job().load_bundle() is None


def test_a_bundle_that_does_not_fit_is_left_out(bench) -> None:
    bench.job().save_bundle(b"x" * MAX_STATE_BYTES)

    assert bench.job().load_bundle() is None
    assert bench.job().load() == begun()


def test_a_state_that_does_not_fit_is_refused_with_its_limit(bench) -> None:
    large = replace(material("large"), type=MaterialType.ARTIFACT, value=None, inline=b"x" * MAX_STATE_BYTES)

    with pytest.raises(LimitExceededError, match=str(MAX_STATE_BYTES)):
        bench.job().update(lambda state: state.with_material(large))


def test_the_digest_is_that_of_what_was_written_last(bench) -> None:
    job = bench.job()

    job.update(lambda state: state.with_material(material("version")))

    assert job.shared_digest() == sha256_digest(bench.plane.states[RUN])


def test_another_token_opens_nothing(bench) -> None:
    with pytest.raises(NotAllowedError, match="does not open with this token"):
        bench.job(token="clp_another").load()


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"state": {}}', json.dumps({"state": {}, "bundle": "?"}).encode()])
def test_a_state_of_another_form_is_refused(bench, raw) -> None:
    bench.plane.states[RUN] = seal(raw, TOKEN, Purpose.STATE, RUN)

    with pytest.raises(StateBrokenError):
        bench.job().load()


def test_r16_a_later_attempt_goes_on_in_the_successor_with_what_was_added(bench) -> None:
    bench.add("binary", "first")
    bench.plane.ended[RUN] = RunState.ERROR

    state = bench.job(ci=SECOND_TRY).update(lambda state: state.with_material(material("version")))

    assert (state.pin.run_id, state.session.ci, state.auth_id) == (NEXT, SECOND_TRY, "token-2")
    assert set(bench.job().load().materials) == {"binary", "version"}
    assert state.carried == {"binary"}
    assert any(NEXT in line for line in bench.said)


def test_r16_two_jobs_that_open_the_successor_at_once_lose_nothing(bench) -> None:
    bench.add("binary")
    bench.plane.ended[RUN] = RunState.ERROR
    slow, quick = bench.job(ci=SECOND_TRY), bench.job(ci=SECOND_TRY)
    slow.load()
    quick.update(lambda state: state.with_material(material("quick")))

    slow.update(lambda state: state.with_material(material("slow")))

    assert set(bench.job().load().materials) == {"binary", "quick", "slow"}


def test_r16_the_signed_bundle_of_the_predecessor_is_not_sent_again(bench) -> None:
    bench.job().save_bundle(b"signed")
    bench.plane.ended[RUN] = RunState.SUCCESS
    again, later = bench.job(ci=CI), bench.job(ci=SECOND_TRY)

    assert (again.load().pin.run_id, again.load_bundle()) == (RUN, b"signed")
    assert (later.load().pin.run_id, later.load_bundle()) == (NEXT, None)


def test_r16_who_only_looks_opens_no_successor(bench) -> None:
    bench.plane.ended[RUN] = RunState.ERROR
    looking = bench.job()

    assert looking.load().pin.run_id == RUN
    assert looking.run_state is RunState.ERROR
    assert "successor" not in bench.plane.calls


def test_r16_a_run_that_is_open_yet_goes_on_and_its_materials_may_be_replaced(bench) -> None:
    bench.add("binary", "first")

    state = bench.job(ci=SECOND_TRY).update(lambda state: state.with_material(material("version")))

    assert (state.pin.run_id, state.carried, state.session.attempt) == (RUN, {"binary"}, 2)
    assert bench.job(ci=SECOND_TRY).load().carried == {"binary"}
    assert "successor" not in bench.plane.calls


def test_r16_within_the_attempt_that_ended_the_run_nothing_goes_on(bench) -> None:
    bench.job(ci=SECOND_TRY).update(lambda state: state.with_material(material("version")))
    bench.plane.ended[RUN] = RunState.SUCCESS

    assert bench.job(ci=SECOND_TRY).load().pin.run_id == RUN
    assert "successor" not in bench.plane.calls


def test_r16_who_begins_the_state_of_an_open_successor_replaces_nothing(bench) -> None:
    bench.plane.ended[RUN] = RunState.ERROR
    bench.plane.successors[RUN] = NEXT
    looking = bench.job()

    assert looking.load().pin.run_id == RUN
    assert looking.shared_digest() is None


def test_r16_who_finds_that_another_job_has_opened_the_successor_and_added_goes_on_with_that(bench) -> None:
    bench.add("binary")
    bench.plane.ended[RUN] = RunState.ERROR
    opened, slow = bench.plane.open_successor, bench.job(ci=SECOND_TRY)

    def be_late(run_id: str, handle: str, ci: CiIdentity) -> WorkflowRun:
        bench.plane.open_successor = opened
        bench.job(ci=SECOND_TRY).update(lambda state: state.with_material(material("quick")))
        return opened(run_id, handle, ci)

    bench.plane.open_successor = be_late

    assert set(slow.load().materials) == {"binary", "quick"}
    assert len(bench.said) == 1
