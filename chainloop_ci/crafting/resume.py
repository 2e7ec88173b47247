"""The use case `push --resume`: give the control plane what was signed while it did not answer (R20).

Where the run was begun and is still open, it is completed. Else a *late* run is begun, which the control plane judges
by its newest contract revision. A run that ended meanwhile takes nothing more (R15), and one whose handle was sealed
under another token takes nothing from here (R14): the attestation is then signed again, about a late run of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, BinaryIO, Protocol

from chainloop_ci.attestation.bundle import pae, read_bundle, render_bundle
from chainloop_ci.attestation.dsse import PAYLOAD_TYPE, encode_pae
from chainloop_ci.attestation.reader import read_statement
from chainloop_ci.attestation.state import CraftingState
from chainloop_ci.attestation.statement import render_statement
from chainloop_ci.crafting.ports import ControlPlane, Reporter, Signer
from chainloop_ci.crafting.push import Pushed
from chainloop_ci.digests import Digest, sha256_digest
from chainloop_ci.errors import NotFoundError, RunEndedError, SignatureInvalidError
from chainloop_ci.records import record

if TYPE_CHECKING:
    from chainloop_ci.api.runs import CraftingContext, RunDetail, WorkflowRun


class KeptContent(Protocol):
    """The content of a material that was not sent yet."""

    @property
    def digest(self) -> Digest:
        """Return its digest."""
        ...

    @property
    def filename(self) -> str:
        """Return the name that it is stored under."""
        ...

    @property
    def size_bytes(self) -> int:
        """Return its size."""
        ...


@record
class Kept:
    """An attestation that was kept."""

    state: CraftingState
    """Without a run handle when it cannot be opened with the token of now."""
    bundle: bytes
    contents: tuple[KeptContent, ...]
    open_content: Callable[[KeptContent], AbstractContextManager[BinaryIO]]
    save: Callable[[CraftingState, bytes], None]
    """Keeps another state and bundle in the place of these."""


@record
class Chance:
    """What a late run is made of that nobody can foresee."""

    new_id: Callable[[], str]
    new_handle: Callable[[], str]


class Resume:
    """Completes an attestation that was kept."""

    def __init__(
        self,
        *,
        control_plane: Callable[[], ControlPlane],
        load_signer: Callable[[], Signer],
        builder_id: Callable[[], str],
        chance: Chance,
        client_version: str,
        report: Reporter,
    ) -> None:
        self._control_plane = control_plane
        self._load_signer = load_signer
        self._builder_id = builder_id
        self._chance = chance
        self._client_version = client_version
        self._report = report

    def __call__(self, kept: Kept) -> Pushed:
        """Send the contents, then the attestation, and return what was stored.

        Raises:
            UnreachableError: still no answer; what is kept stays, and the same command can be repeated.
            FileUnwritableError: a new handle, or what was signed again, cannot be kept; nothing was sent.
            SigningKeyMissingError: the run takes nothing more, so that the attestation has to be signed again.
            SignatureInvalidError: it has to be signed again, and is not what this key has signed.
            AttestationRefusedError: it does not meet the contract's newest revision, or its signer is not accepted.
            FileUnreadableError: a content is not there any more.
        """
        plane = self._control_plane()
        found = plane.find_run(kept.state.pin.run_id)
        if found is not None and (pushed := _pushed_before(found, kept)):
            # Asking needs no handle: the answer is the same whichever token repeats the command.
            return pushed
        if found is not None and (why := _why_another_run(found.run, kept.state)):
            kept, found = self._sign_again(kept, why, state=found.run.state), None
        elif found is None and not kept.state.session.run_handle:
            kept = self._with_new_handle(kept)
        if found is None:
            kept = self._begin_late(plane, kept)
        try:
            return self._send(plane, kept, is_late=found is None or found.run.late)
        except RunEndedError:
            # The same file may be resumed twice at once.
            found = plane.find_run(kept.state.pin.run_id)
            if found is not None and (pushed := _pushed_before(found, kept)):
                return pushed
            raise

    def _send(self, plane: ControlPlane, kept: Kept, *, is_late: bool) -> Pushed:
        if is_late:
            self._refer_to_sent(plane, kept)
        self._send_contents(plane, kept)
        stored = plane.store_attestation(kept.state.pin.run_id, kept.state.session.run_handle, kept.bundle)
        return Pushed(kept.state, kept.bundle, sha256_digest(kept.bundle), stored)

    def _with_new_handle(self, kept: Kept) -> Kept:
        """Return what is kept with a handle of its own, kept before it is sent; no run was begun with the old one."""
        session = replace(kept.state.session, run_handle=self._chance.new_handle())
        state = replace(kept.state, session=session)
        kept.save(state, kept.bundle)
        return replace(kept, state=state)

    def _begin_late(self, plane: ControlPlane, kept: Kept) -> Kept:
        """Begin a late run, of another id where the one of the file is taken.

        Ids are the same for all organizations, and everybody who may read the file knows this one.
        """
        context = plane.get_crafting_context(kept.state.pin.name, kept.state.pin.project, None)
        if context.contract.digest != kept.state.pin.contract_digest:
            self._report.warning(
                "the contract is another one than the job was held to: the late run is judged by the newest revision",
                revision=context.contract.revision,
            )
        try:
            self._put_late(plane, kept.state, context)
        except NotFoundError:
            kept = self._sign_again(kept, "the id of the run is taken by another organization")
            self._put_late(plane, kept.state, context)
        return kept

    def _put_late(self, plane: ControlPlane, state: CraftingState, context: CraftingContext) -> None:
        from chainloop_ci.api.runs import RunRequest

        request = RunRequest(
            workflow_id=context.workflow.id,
            contract_revision=context.contract.revision,
            contract_digest=context.contract.digest,
            runner_type=state.runner.type.value,
            handle_sha256=sha256(state.session.run_handle.encode()).hexdigest(),
            ci=state.session.ci,
            runner_url=state.runner.url,
            runner_environment=state.runner.environment,
            project_version=state.pin.project_version,
            client_version=self._client_version,
            late=True,
        )
        plane.put_run(state.pin.run_id, request)
        self._report.info("a late run was begun", run=state.pin.run_id)

    def _refer_to_sent(self, plane: ControlPlane, kept: Kept) -> None:
        """Refer a late run to what was sent for the run before it (R7), and is nowhere else any more."""
        run_id, handle = kept.state.pin.run_id, kept.state.session.run_handle
        here = {content.digest for content in kept.contents}
        for material in kept.state.materials.values():
            if not material.uploaded or material.digest in here:
                continue
            filename = material.filename or material.name
            if not plane.reference_artifact(run_id, handle, material.digest, filename):
                self._report.warning(
                    "a content that was sent for the earlier run is not there any more",
                    material=material.name,
                    digest=material.digest,
                )

    def _send_contents(self, plane: ControlPlane, kept: Kept) -> None:
        run_id, handle = kept.state.pin.run_id, kept.state.session.run_handle
        for content in kept.contents:
            meter = self._report.upload(content.filename, content.size_bytes)
            with kept.open_content(content) as source:
                plane.upload_stream(
                    source,
                    content.filename,
                    run_id=run_id,
                    handle=handle,
                    size_bytes=content.size_bytes,
                    progress=meter.advance,
                )
            meter.done(content.digest)

    def _sign_again(self, kept: Kept, why: str, **facts: object) -> Kept:
        """Return the attestation, signed anew about a run that does not exist yet; it is kept before it is sent."""
        self._report.warning(
            f"{why}: the attestation is signed again, about a late run", run=kept.state.pin.run_id, **facts
        )
        signer = self._load_signer()
        finished_at = _require_signed(kept, signer)
        state = replace(
            kept.state,
            pin=replace(kept.state.pin, run_id=self._chance.new_id()),
            session=replace(kept.state.session, run_handle=self._chance.new_handle()),
        )
        statement = render_statement(state, finished_at=finished_at, builder_id=self._builder_id())
        bundle = render_bundle(statement, signer.sign(encode_pae(PAYLOAD_TYPE, statement)), signer.hint)
        kept.save(state, bundle)
        return replace(kept, state=state, bundle=bundle)


def _why_another_run(run: WorkflowRun, state: CraftingState) -> str:
    """Say why a run does not take the attestation; empty: it does."""
    if run.state.value != "initialized":
        return "the run has ended meanwhile"
    if not state.session.run_handle:
        return (
            "the handle of the open run was sealed under another token, with which that run could be completed without "
            "a key; it is left to expire"
        )
    return ""


def _pushed_before(found: RunDetail, kept: Kept) -> Pushed | None:
    """Return what the control plane answered when it stored this attestation; None: the run has not got it."""
    from chainloop_ci.api.runs import Stored

    run, digest = found.run, sha256_digest(kept.bundle)
    if run.attestation_digest != digest or found.verification is None:
        return None
    stored = Stored(digest, run.id, run.state, found.verified, found.verification, run.view_url)
    return Pushed(kept.state, kept.bundle, digest, stored)


def _require_signed(kept: Kept, signer: Signer) -> datetime:
    """Return when the attestation ended that `signer` has signed; whoever may write the file gets no signature (T19).

    Raises:
        SignatureInvalidError: another key signed it, or the state is not what was signed.
    """
    bundle = read_bundle(kept.bundle)
    said, finished_at = read_statement(bundle.payload), kept.state.finished_at
    is_ours = any(signer.has_signed(signature.value, pae(bundle)) for signature in bundle.signatures)
    if (
        finished_at
        and is_ours
        and bundle.payload_type == PAYLOAD_TYPE
        and bundle.payload == render_statement(kept.state, finished_at=finished_at, builder_id=said.builder_id)
    ):
        return finished_at
    raise SignatureInvalidError(
        "what was kept is not what this key has signed: it is not signed again, and nothing was sent",
        hint="give the key and the version of chainloop of the job that kept it, or attest again in a new job",
    )
