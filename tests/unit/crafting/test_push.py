from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from chainloop_ci.attestation.bundle import MAX_BUNDLE_BYTES, read_bundle
from chainloop_ci.attestation.state import CraftedMaterial, CraftingState
from chainloop_ci.contract.types import MaterialType
from chainloop_ci.crafting.push import Push
from chainloop_ci.digests import Digest, sha256_digest
from chainloop_ci.errors import (
    AttestationRefusedError,
    ConflictError,
    ContractNotMetError,
    FileUnwritableError,
    LimitExceededError,
    PreconditionFailedError,
    ServerFaultError,
    SigningKeyMissingError,
    StateMissingError,
    UnreachableError,
)
from tests.unit.crafting.memory import CONTRACT, NOW, FakeSigner, MemoryPlane, MemoryStore, Notes


def complete(state: CraftingState) -> CraftingState:
    commit = CraftedMaterial("commit", MaterialType.STRING, sha256_digest(b"x"), NOW, value="x")
    binary = CraftedMaterial("binary", MaterialType.ARTIFACT, sha256_digest(b"y"), NOW, filename="app", output=True)
    return state.with_material(commit).with_material(binary)


class MemoryBundleFile:
    """A file for the bundle that is in memory; `check` and `write` end with what stands in `failures`."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.failures: dict[str, Exception] = {}

    def check(self) -> None:
        if "check" in self.failures:
            raise self.failures["check"]

    def write(self, raw: bytes) -> None:
        if "write" in self.failures:
            raise self.failures["write"]
        self.written.append(raw)


class Bench:
    """Everything that a `push` needs."""

    def __init__(self, state: CraftingState, plane: MemoryPlane, notes: Notes) -> None:
        self.store = MemoryStore(state)
        self.plane = plane
        self.notes = notes
        self.signer: FakeSigner | None = FakeSigner()
        self.bundle_file = MemoryBundleFile()

    @property
    def push(self) -> Push:
        return Push(
            store=self.store,
            control_plane=lambda state: self.plane,
            load_signer=self._signer,
            builder_id=lambda: "chainloop.dev/cli/1.0.0",
            now=lambda: NOW,
            report=self.notes,
            bundle_file=self.bundle_file,
        )

    def _signer(self) -> FakeSigner:
        if self.signer is None:
            raise SigningKeyMissingError("there is no key to sign with")
        return self.signer


@pytest.fixture
def bench(begun: Callable[..., CraftingState], plane: MemoryPlane, notes: Notes) -> Bench:
    return Bench(complete(begun()), plane, notes)


def test_push_stores_what_it_signed(bench) -> None:
    pushed = bench.push({})

    assert bench.plane.bundles == [pushed.bundle] == bench.bundle_file.written
    assert pushed.digest == sha256_digest(pushed.bundle)


def test_a_push_whose_result_was_not_told_can_be_repeated(bench) -> None:
    first = bench.push({})

    again = bench.push({})

    assert again.bundle == first.bundle
    assert bench.plane.bundles == [first.bundle, first.bundle]


def test_a_push_whose_result_was_told_is_forgotten(bench) -> None:
    bench.push.forget(bench.push({}))

    assert bench.store.state is None


def test_the_signed_statement_has_the_time_and_the_annotations_of_the_push(bench) -> None:
    pushed = bench.push({"ticket": "42"})

    predicate = json.loads(read_bundle(pushed.bundle).payload)["predicate"]
    assert predicate["metadata"]["finishedAt"] == "2026-11-20T12:00:00Z"
    assert predicate["annotations"] == {"ticket": "42"}


def test_everything_that_is_missing_is_said_at_once_and_nothing_is_signed(begun, plane, notes) -> None:
    contract = CONTRACT + b"  annotations: [{name: ticket}]\n"
    bench = Bench(begun(contract), plane, notes)

    with pytest.raises(ContractNotMetError) as caught:
        bench.push({})

    assert [finding.code for finding in caught.value.findings] == ["missing-material"] * 2 + ["missing-annotation"]
    assert bench.store.bundle is None
    assert plane.calls == []


def test_r5_without_a_key_nothing_is_rendered_kept_or_sent(bench) -> None:
    bench.signer = None

    with pytest.raises(SigningKeyMissingError):
        bench.push({})

    assert bench.store.saves == 0
    assert bench.plane.calls == []


def test_after_a_lost_answer_the_same_bytes_are_sent_again(bench) -> None:
    bench.plane.failures["store_attestation"] = [UnreachableError("no answer")]
    with pytest.raises(UnreachableError):
        bench.push({})

    pushed = bench.push({})

    assert bench.plane.bundles == [pushed.bundle, pushed.bundle]


def test_what_is_signed_already_needs_no_key(bench) -> None:
    bench.plane.failures["store_attestation"] = [UnreachableError("no answer")]
    with pytest.raises(UnreachableError):
        bench.push({})
    bench.signer = None

    pushed = bench.push({})

    assert bench.plane.bundles == [pushed.bundle, pushed.bundle]
    assert any("--key" in info and FakeSigner.hint in info for info in bench.notes.infos)


def test_with_another_key_the_attestation_is_signed_again(bench) -> None:
    bench.plane.failures["store_attestation"] = [AttestationRefusedError("this key is not registered")]
    with pytest.raises(AttestationRefusedError):
        bench.push({})
    bench.signer = FakeSigner(hint="a2V5LTI=")

    pushed = bench.push({})

    assert read_bundle(pushed.bundle).hint == "a2V5LTI="


def test_annotations_that_come_after_the_signature_are_not_used_with_a_warning(bench) -> None:
    bench.plane.failures["store_attestation"] = [UnreachableError("no answer")]
    with pytest.raises(UnreachableError):
        bench.push({})

    bench.push({"ticket": "42"})

    assert any("signed without the annotations" in warning for warning in bench.notes.warnings)


@pytest.mark.parametrize("error", [AttestationRefusedError("no"), UnreachableError("no answer")])
def test_only_what_is_stored_is_written_to_the_bundle_s_file(bench, error) -> None:
    bench.plane.failures["store_attestation"] = [error]

    with pytest.raises(type(error)):
        bench.push({})

    assert bench.bundle_file.written == []


def test_a_place_that_takes_no_bundle_is_found_out_before_anything_is_signed(bench) -> None:
    bench.bundle_file.failures["check"] = FileUnwritableError("there is no such folder")

    with pytest.raises(FileUnwritableError):
        bench.push({})

    assert bench.store.bundle is None
    assert bench.plane.calls == []


def test_a_bundle_that_cannot_be_written_after_the_store_is_written_by_the_next_push(bench) -> None:
    bench.bundle_file.failures["write"] = FileUnwritableError("the disk is full")
    with pytest.raises(FileUnwritableError):
        bench.push({})
    bench.bundle_file.failures.clear()

    pushed = bench.push({})

    assert bench.plane.bundles == [pushed.bundle, pushed.bundle]
    assert bench.bundle_file.written == [pushed.bundle]


def test_a_refused_attestation_keeps_state_and_bundle(bench) -> None:
    bench.plane.failures["store_attestation"] = [AttestationRefusedError("no")]

    with pytest.raises(AttestationRefusedError):
        bench.push({})

    assert bench.store.state is not None
    assert bench.store.bundle == bench.plane.bundles[0]


def test_a_control_plane_that_stored_other_bytes_is_not_believed(bench) -> None:
    class Liar(MemoryPlane):
        def store_attestation(self, run_id, handle, bundle, state_digest=None):
            stored = super().store_attestation(run_id, handle, bundle, state_digest)
            return replace(stored, digest=Digest("sha256:" + "0" * 64))

    bench.plane = Liar()

    with pytest.raises(ServerFaultError, match="sent was"):
        bench.push({})

    assert bench.store.state is not None


def test_annotations_of_the_contract_win(begun, plane, notes) -> None:
    contract = CONTRACT + b"  annotations: [{name: tier, value: gold}]\n"
    bench = Bench(complete(begun(contract)), plane, notes)

    pushed = bench.push({"tier": "tin"})

    assert pushed.state.annotations == {"tier": "gold"}
    assert len(notes.warnings) == 1


def test_a_dry_run_renders_the_statement_and_changes_nothing(begun, plane, notes) -> None:
    bench = Bench(begun(dry_run=True), plane, notes)
    bench.signer = None

    dry = bench.push.dry({"ticket": "42"})

    assert json.loads(dry.statement)["predicate"]["annotations"] == {"ticket": "42"}
    assert bench.store.saves == 0
    assert plane.calls == []


def test_nothing_is_pushed_before_init_was_answered(bench) -> None:
    state = bench.store.state
    bench.store.state = replace(state, session=replace(state.session, expires_at=None))

    with pytest.raises(StateMissingError, match="never answered to init"):
        bench.push({})


def test_a_bundle_that_the_control_plane_would_not_take_is_neither_kept_nor_sent(begun, plane, notes) -> None:
    large = CraftedMaterial(
        "large", MaterialType.ARTIFACT, sha256_digest(b"z"), NOW, filename="z", inline=b"z" * MAX_BUNDLE_BYTES
    )
    bench = Bench(complete(begun(cas="inline")).with_material(large), plane, notes)

    with pytest.raises(LimitExceededError, match=f"at most {MAX_BUNDLE_BYTES} are stored"):
        bench.push({})

    assert bench.store.load_bundle() is None
    assert "store_attestation" not in plane.names


def test_a_state_that_another_job_changed_meanwhile_is_not_pushed(bench) -> None:
    bench.plane.failures["store_attestation"] = [PreconditionFailedError("changed")]

    with pytest.raises(ConflictError, match="another job changed the attestation"):
        bench.push({})
    assert bench.store.state is not None
