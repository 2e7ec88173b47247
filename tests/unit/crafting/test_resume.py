"""Resume: the open run is completed, an unknown one begun late, an ended one followed by another (R15, R20)."""

from __future__ import annotations

import io
import json
from base64 import b64encode
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256

import pytest

from chainloop_ci.api.runs import RunState, Stored
from chainloop_ci.api.words import CancelTrigger
from chainloop_ci.attestation.bundle import read_bundle, render_bundle
from chainloop_ci.attestation.dsse import PAYLOAD_TYPE, encode_pae
from chainloop_ci.attestation.reader import read_statement
from chainloop_ci.attestation.state import CraftedMaterial, CraftingState
from chainloop_ci.attestation.statement import render_statement
from chainloop_ci.contract.types import MaterialType
from chainloop_ci.crafting.resume import Chance, Kept, Resume
from chainloop_ci.digests import sha256_digest
from chainloop_ci.errors import NotFoundError, RunEndedError, SignatureInvalidError, UnreachableError
from chainloop_ci.queued import QueuedContent
from tests.unit.crafting.memory import NOW, RUN_ID, FakeSigner, MemoryPlane, Notes

BUILD = b"the build"
CONTENT = QueuedContent(sha256_digest(BUILD), "app", len(BUILD))
SIGNER = FakeSigner(hint="b3RoZXI=")
NEW_ID = "00000000-0000-4000-8000-000000000001"


class Plane(MemoryPlane):
    """A control plane that knows in which state runs are."""

    state = RunState.INITIALIZED

    def find_run(self, run_id):
        found = super().find_run(run_id)
        state = self.state if run_id == RUN_ID else RunState.INITIALIZED
        return found and replace(found, run=replace(found.run, state=state, late=self.runs[run_id].late or False))


@pytest.fixture
def plane() -> Plane:
    return Plane()


@pytest.fixture
def kept(begun) -> Kept:
    return keep(begun().gone_offline())


def keep(state: CraftingState) -> Kept:
    """Return what is kept of an attestation that was signed while nobody answered."""
    state = replace(state, finished_at=NOW)
    statement = render_statement(state, finished_at=NOW, builder_id="chainloop.dev/cli/1")
    saved: list[bytes] = []

    @contextmanager
    def open_content(content):
        yield io.BytesIO(BUILD)

    return Kept(
        state,
        render_bundle(statement, SIGNER.sign(encode_pae(PAYLOAD_TYPE, statement)), SIGNER.hint),
        (CONTENT,),
        open_content,
        lambda state, bundle: saved.append(bundle),
    )


def resume(plane: Plane, notes: Notes, kept: Kept):
    use_case = Resume(
        control_plane=lambda: plane,
        load_signer=lambda: SIGNER,
        builder_id=lambda: "chainloop.dev/cli/1",
        chance=Chance(lambda: NEW_ID, lambda: "another handle"),
        client_version="1",
        report=notes,
    )
    return use_case(kept)


def begin(plane: Plane, kept: Kept, notes: Notes) -> None:
    """Let the control plane know the run, as `init` would have."""
    resume(plane, notes, kept)
    plane.runs[RUN_ID] = replace(plane.runs[RUN_ID], late=None)
    plane.calls.clear()
    plane.bundles.clear()


def test_r20_an_unknown_run_is_begun_late_before_anything_is_sent(plane, notes, kept) -> None:
    pushed = resume(plane, notes, kept)

    assert plane.runs[RUN_ID].late is True
    assert plane.names == ["find_run", "get_crafting_context", "put_run", "upload_stream", "store_attestation"]
    assert (pushed.bundle, plane.bundles) == (kept.bundle, [kept.bundle])
    assert plane.blobs == {CONTENT.digest: BUILD}


def test_an_open_run_is_completed(plane, notes, kept) -> None:
    begin(plane, kept, notes)

    resume(plane, notes, kept)

    assert [name for name in plane.names if name != "put_run"] == ["find_run", "upload_stream", "store_attestation"]
    assert plane.bundles == [kept.bundle]


@pytest.mark.parametrize("state", [RunState.EXPIRED, RunState.CANCELED, RunState.ERROR])
def test_r15_a_run_that_has_ended_takes_nothing_more(plane, notes, kept, state) -> None:
    begin(plane, kept, notes)
    plane.state = state

    pushed = resume(plane, notes, kept)

    said = read_statement(read_bundle(plane.bundles[0]).payload)
    assert said.run_id == pushed.state.pin.run_id == NEW_ID
    assert plane.runs[NEW_ID].late is True
    assert plane.runs[NEW_ID].handle_sha256 != plane.runs[RUN_ID].handle_sha256


def test_an_id_that_somebody_else_took_before_is_given_up(plane, notes, kept, monkeypatch) -> None:
    # Who may read the file knows the id, and another organization may begin a run of that id.
    taken = plane.put_run

    def put_run(run_id, request):
        if run_id == RUN_ID:
            raise NotFoundError(f"there is no workflow run {run_id}")
        return taken(run_id, request)

    monkeypatch.setattr(plane, "put_run", put_run)

    pushed = resume(plane, notes, kept)

    assert read_statement(read_bundle(plane.bundles[0]).payload).run_id == pushed.state.pin.run_id == NEW_ID
    assert plane.runs[NEW_ID].late is True
    assert any("taken" in warning for warning in notes.warnings)


@pytest.mark.parametrize("is_there", [True, False])
def test_a_late_run_refers_to_what_was_sent_for_the_run_before_it(plane, notes, begun, is_there) -> None:
    sent = CraftedMaterial("log", MaterialType.ARTIFACT, sha256_digest(b"sent"), NOW, filename="log", uploaded=True)
    text = CraftedMaterial("text", MaterialType.STRING, sha256_digest(b"text"), NOW, value="text")
    kept = keep(begun().with_material(sent).with_material(text))
    plane.blobs |= {sent.digest: b"sent"} if is_there else {}
    begin(plane, kept, notes)
    plane.state = RunState.EXPIRED

    resume(plane, notes, kept)

    assert [what for name, what in plane.calls if name == "reference_artifact"] == [sent.digest]
    assert any("not there any more" in warning for warning in notes.warnings) is not is_there


def test_a_late_run_does_not_refer_to_what_is_sent_with_it(plane, notes, begun) -> None:
    app = CraftedMaterial("app", MaterialType.ARTIFACT, CONTENT.digest, NOW, filename="app", uploaded=True)

    resume(plane, notes, keep(begun().with_material(app)))

    assert "reference_artifact" not in plane.names
    assert notes.warnings == []


def test_a_late_run_that_was_begun_already_refers_again_to_what_was_sent(plane, notes, begun) -> None:
    sent = CraftedMaterial("log", MaterialType.ARTIFACT, sha256_digest(b"sent"), NOW, filename="log", uploaded=True)
    kept = keep(begun().with_material(sent))
    plane.blobs[sent.digest] = b"sent"
    plane.failures["reference_artifact"] = [UnreachableError("down")]
    with pytest.raises(UnreachableError):
        resume(plane, notes, kept)

    resume(plane, notes, kept)

    assert [what for name, what in plane.calls if name == "reference_artifact"] == [sent.digest, sent.digest]


def test_what_is_signed_again_is_kept_before_it_is_sent(plane, notes, kept) -> None:
    begin(plane, kept, notes)
    plane.state = RunState.EXPIRED
    saved: list[tuple[str, bytes]] = []
    plane.failures["get_crafting_context"] = [UnreachableError("down")]

    with pytest.raises(UnreachableError):
        resume(plane, notes, replace(kept, save=lambda state, bundle: saved.append((state.pin.run_id, bundle))))

    [(run_id, bundle)] = saved
    assert run_id == NEW_ID
    assert read_statement(read_bundle(bundle).payload).run_id == NEW_ID


def edit_state(kept: Kept) -> Kept:
    return replace(kept, state=replace(kept.state, annotations={"reviewed-by": "somebody"}))


def sign_as_another(kept: Kept) -> Kept:
    """Return the edited attestation with a bundle to it, as who has no key makes it."""
    edited = edit_state(kept)
    statement = render_statement(edited.state, finished_at=NOW, builder_id="chainloop.dev/cli/1")
    signature = FakeSigner(hint="other").sign(encode_pae(PAYLOAD_TYPE, statement))
    return replace(edited, bundle=render_bundle(statement, signature, SIGNER.hint))


def sign_as_something_else(kept: Kept) -> Kept:
    """Return the same bytes, signed by the same key as something that is no statement."""
    document = json.loads(kept.bundle)
    signature = SIGNER.sign(encode_pae("text/plain", read_bundle(kept.bundle).payload))
    document["dsseEnvelope"] |= {"payloadType": "text/plain", "signatures": [{"sig": b64encode(signature).decode()}]}
    return replace(kept, bundle=json.dumps(document).encode())


@pytest.mark.parametrize("forge", [edit_state, sign_as_another, sign_as_something_else])
def test_t19_what_this_key_has_not_signed_is_never_signed_again(plane, notes, kept, forge) -> None:
    begin(plane, kept, notes)
    plane.state = RunState.CANCELED

    with pytest.raises(SignatureInvalidError, match="not what this key has signed"):
        resume(plane, notes, forge(kept))

    assert [name for name in plane.names if name != "put_run"] == ["find_run"]
    assert plane.bundles == []


def test_another_contract_than_the_job_was_held_to_is_a_warning(plane, notes, kept) -> None:
    other = replace(kept, state=replace(kept.state, pin=replace(kept.state.pin, contract_digest=sha256_digest(b"?"))))

    resume(plane, notes, other)

    assert any("judged by the newest revision" in warning for warning in notes.warnings)
    assert CancelTrigger.FAILURE not in plane.names


def store(plane: Plane, bundle: bytes, stored: Stored) -> None:
    """Let the control plane have the bundle of the run already."""
    digest = sha256_digest(bundle)

    def find_run(run_id):
        found = Plane.find_run(plane, run_id)
        run = replace(found.run, state=stored.state, attestation_digest=digest)
        return replace(found, run=run, verified=stored.verified, verification=stored.verification)

    plane.find_run = find_run


@pytest.mark.parametrize("handle", ["a handle", ""])
def test_what_was_stored_before_gets_the_same_answer_and_nothing_is_sent(plane, notes, kept, handle) -> None:
    first = resume(plane, notes, kept)
    plane.calls.clear()
    store(plane, kept.bundle, first.stored)

    again = resume(plane, notes, with_handle(kept, handle))

    assert (again.stored, again.digest) == (first.stored, first.digest)
    assert [name for name in plane.names if name != "put_run"] == ["find_run"]


def test_what_another_process_has_resumed_meanwhile_gets_the_same_answer(plane, notes, kept) -> None:
    first = resume(plane, notes, kept)
    plane.calls.clear()

    def end_run(*asked: object, **more: object) -> Stored:
        store(plane, kept.bundle, first.stored)
        raise RunEndedError("the run ended as success")

    plane.store_attestation = end_run

    assert resume(plane, notes, kept).stored == first.stored


def test_a_run_that_ends_otherwise_meanwhile_is_told(plane, notes, kept) -> None:
    def end_run(*asked: object, **more: object) -> Stored:
        raise RunEndedError("the run ended as canceled")

    plane.store_attestation = end_run

    with pytest.raises(RunEndedError, match="canceled"):
        resume(plane, notes, kept)


def with_handle(kept: Kept, handle: str) -> Kept:
    """Return what was kept as a token reads it under which the handle opens, or does not."""
    return replace(kept, state=replace(kept.state, session=replace(kept.state.session, run_handle=handle)))


def test_r14_without_its_handle_an_unknown_run_gets_another_one_which_is_kept_first(plane, notes, kept) -> None:
    saved: list[tuple[str, bytes]] = []
    plane.failures["get_crafting_context"] = [UnreachableError("down")]
    unopened = replace(
        with_handle(kept, ""), save=lambda state, bundle: saved.append((state.session.run_handle, bundle))
    )

    with pytest.raises(UnreachableError):
        resume(plane, notes, unopened)
    pushed = resume(plane, notes, unopened)

    assert saved[0] == ("another handle", kept.bundle)
    assert (pushed.state.pin.run_id, pushed.bundle) == (RUN_ID, kept.bundle)
    assert plane.runs[RUN_ID].handle_sha256 == sha256(b"another handle").hexdigest()


def test_r14_without_its_handle_an_open_run_is_left_alone_and_a_late_one_is_signed(plane, notes, kept) -> None:
    begin(plane, kept, notes)

    pushed = resume(plane, notes, with_handle(kept, ""))

    assert pushed.state.pin.run_id == NEW_ID
    assert (plane.runs[NEW_ID].late, plane.runs[RUN_ID].late) == (True, None)
    assert plane.cancellations == []
    assert any("sealed under another token" in warning for warning in notes.warnings)
