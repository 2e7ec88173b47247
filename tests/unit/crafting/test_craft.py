"""Craft: what is wrong is told all at once and ends the run; a dry run ends nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from chainloop_ci.api.words import CancelTrigger
from chainloop_ci.attestation.state import CraftingState
from chainloop_ci.crafting.add import AddRequest
from chainloop_ci.crafting.craft import Craft, CraftRequest
from chainloop_ci.crafting.gather import Gathered
from chainloop_ci.crafting.init import InitRequest
from chainloop_ci.crafting.push import DryPush, Push
from chainloop_ci.crafting.terms import Wanted
from chainloop_ci.errors import (
    ChainloopError,
    ContractNotMetError,
    FileUnreadableError,
    Finding,
    ImageUnresolvedError,
    LimitExceededError,
    MaterialConflictError,
    MaterialRejectedError,
    PathRefusedError,
    SigningKeyMissingError,
    UnreachableError,
    UsageError,
)
from tests.unit.crafting.memory import NOW, FakeSigner, MemoryPlane, MemoryStore, Notes

OF_A_MATERIAL = [
    error("it is none")
    for error in (
        ContractNotMetError,
        FileUnreadableError,
        ImageUnresolvedError,
        LimitExceededError,
        MaterialConflictError,
        MaterialRejectedError,
        PathRefusedError,
        UsageError,
    )
]


class Bench:
    """Everything that `craft` needs: what is `found` is added unless it is `wrong`; `ended` has how the run ended."""

    def __init__(self, state: CraftingState, plane: MemoryPlane, notes: Notes) -> None:
        self.state = state
        self.plane = plane
        self.notes = notes
        self.begun = 0
        self.found = Gathered()
        self.ended: list[tuple[CancelTrigger, str, list[str]]] = []
        self.added: list[str | None] = []
        self.wrong: dict[str | None, ChainloopError] = {}
        self.load_signer: Callable[[], FakeSigner] = FakeSigner

    def craft(self) -> object:
        push = Push(
            store=MemoryStore(self.state),
            control_plane=lambda state: self.plane,
            load_signer=lambda: self.load_signer(),
            builder_id=lambda: "chainloop.dev/cli/1.0.0",
            now=lambda: NOW,
            report=self.notes,
        )
        use_case = Craft(
            init=self.begin,
            gather=lambda contract, files: self.found,  # type: ignore[arg-type]  # a function does for it
            add=self.add,  # type: ignore[arg-type]
            add_listed=self.add,  # type: ignore[arg-type]
            push=push,
            end=self.end,
            load_signer=lambda: self.load_signer(),
            report=self.notes,
        )
        return use_case(CraftRequest(InitRequest(Wanted(), dry_run=self.state.dry_run)))

    def begin(self, request: InitRequest) -> CraftingState:
        self.begun += 1
        return self.state

    def add(self, request: AddRequest) -> None:
        self.added.append(request.name)
        if error := self.wrong.get(request.name):
            raise error

    def refuse_key(self) -> FakeSigner:
        raise SigningKeyMissingError("no key")

    def end(self, trigger: CancelTrigger, reason: str, unmet: Sequence[Finding]) -> None:
        self.ended.append((trigger, reason, [finding.code for finding in unmet]))


@pytest.fixture
def bench(begun, plane, notes) -> Bench:
    return Bench(begun(), plane, notes)


def test_a_contract_that_is_not_met_ends_the_run_with_the_reason(bench) -> None:
    with pytest.raises(ContractNotMetError) as caught:
        bench.craft()

    codes = [finding.code for finding in caught.value.findings]
    assert bench.ended == [(CancelTrigger.FAILURE, caught.value.message, codes)]
    assert "missing-material" in codes
    assert caught.value.hint == "mend what is listed and run the job again; it begins a new attestation"


def test_a_dry_run_with_a_material_that_was_refused_ends_nothing(begun, plane, notes) -> None:
    bench = Bench(begun(dry_run=True), plane, notes)
    bench.found = Gathered(refused={"binary": FileUnreadableError("there is no file app")})

    with pytest.raises(ContractNotMetError) as caught:
        bench.craft()

    refused, missing = caught.value.findings
    assert refused.message == "the material binary: there is no file app"
    assert missing.message.startswith("the material commit (STRING) is required")
    assert (bench.ended, plane.calls) == ([], [])


def test_a_dry_run_needs_no_key(begun, plane, notes) -> None:
    bench = Bench(begun(dry_run=True), plane, notes)
    bench.load_signer = bench.refuse_key

    assert isinstance(bench.craft(), DryPush)


@pytest.mark.parametrize("refused", OF_A_MATERIAL, ids=lambda error: error.code)
def test_what_is_wrong_with_one_material_stops_no_other(bench, refused) -> None:
    bench.found = Gathered(typed=(AddRequest("app", "binary"), AddRequest("1", "commit")))
    bench.wrong = {"binary": refused}

    with pytest.raises(ContractNotMetError) as caught:
        bench.craft()

    assert bench.added == ["binary", "commit"]
    assert caught.value.findings[0].message.startswith("the material binary: ")


def test_what_is_wrong_beside_the_materials_stops_the_first_one(bench) -> None:
    bench.found = Gathered(typed=(AddRequest("app", "binary"), AddRequest("1", "commit")))
    bench.wrong = {"binary": UnreachableError("no answer")}

    with pytest.raises(UnreachableError):
        bench.craft()

    assert (bench.added, bench.ended) == (["binary"], [])


def test_what_is_wrong_with_a_list_is_told_with_everything_else(bench) -> None:
    bench.found = Gathered(findings=(Finding("digest-mismatch", "sums line 3: app: expected another digest"),))

    with pytest.raises(ContractNotMetError) as caught:
        bench.craft()

    assert caught.value.findings[0].code == "digest-mismatch"


@pytest.mark.parametrize(("own", "shown"), [(None, "what the error says"), ("what the finding says", None)])
def test_a_finding_without_a_hint_has_that_of_its_error(bench, own, shown) -> None:
    finding = Finding("json", "line 1:1: expecting a value", hint=own)
    bench.found = Gathered(
        refused={"binary": MaterialRejectedError("no SBOM", hint="what the error says", findings=[finding])}
    )

    with pytest.raises(ContractNotMetError) as caught:
        bench.craft()

    assert caught.value.findings[0].hint == (shown or own)


def test_a_run_that_cannot_be_ended_hides_no_reason(bench) -> None:
    def fail(trigger: CancelTrigger, reason: str, unmet: Sequence[Finding]) -> None:
        raise UnreachableError("no answer")

    bench.end = fail

    with pytest.raises(ContractNotMetError):
        bench.craft()

    assert "the run could not be ended" in bench.notes.warnings[0]


def test_r5_without_a_key_nothing_is_begun(bench) -> None:
    bench.load_signer = bench.refuse_key

    with pytest.raises(SigningKeyMissingError):
        bench.craft()

    assert bench.begun == 0
