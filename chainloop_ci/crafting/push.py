"""The use case `push`: check, render once, sign, keep, store. Source: design section 3.

Whatever fails after the signature leaves state and bundle where they are; pushing again sends the same bytes, and the
same bytes get the same answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from chainloop_ci.attestation.bundle import MAX_BUNDLE_BYTES, read_bundle, render_bundle
from chainloop_ci.attestation.dsse import PAYLOAD_TYPE, encode_pae
from chainloop_ci.attestation.state import CraftingState
from chainloop_ci.attestation.statement import render_statement
from chainloop_ci.attestation.verification import key_id_of_hint
from chainloop_ci.crafting.annotations import merge_annotations
from chainloop_ci.crafting.ports import BundleFile, ControlPlane, Reporter, Signer, StateStore
from chainloop_ci.crafting.status import require_begun, require_compliant
from chainloop_ci.digests import Digest, sha256_digest
from chainloop_ci.errors import (
    ConflictError,
    LimitExceededError,
    PreconditionFailedError,
    ServerFaultError,
    SigningKeyMissingError,
    UnreachableError,
)
from chainloop_ci.records import record

if TYPE_CHECKING:
    from chainloop_ci.api.runs import Stored


@record
class Pushed:
    """A stored attestation."""

    state: CraftingState
    bundle: bytes = field(repr=False)
    digest: Digest
    stored: Stored


@record
class QueuedPush:
    """A signed attestation that the control plane could not be given (R20)."""

    state: CraftingState
    bundle: bytes = field(repr=False)


@record
class DryPush:
    """What would be signed; nothing is stored and nothing is signed (design decision 19)."""

    state: CraftingState
    statement: bytes = field(repr=False)


class Push:
    """Finishes the attestation of this job."""

    def __init__(
        self,
        *,
        store: StateStore,
        control_plane: Callable[[CraftingState], ControlPlane],
        load_signer: Callable[[], Signer],
        builder_id: Callable[[], str],
        now: Callable[[], datetime],
        report: Reporter,
        bundle_file: BundleFile | None = None,
        may_queue: bool = False,
    ) -> None:
        """`may_queue`: what the control plane does not take is returned to be kept (`--on-unreachable queue`)."""
        self._may_queue = may_queue
        self._store = store
        self._control_plane = control_plane
        self._load_signer = load_signer
        self._builder_id = builder_id
        self._now = now
        self._report = report
        self._bundle_file = bundle_file

    def dry(self, annotations: Mapping[str, str]) -> DryPush:
        """Return the statement that would be signed now; the state stays as it is."""
        state = self._annotated(self._store.load(), annotations)
        return DryPush(state, self._render(replace(state, finished_at=self._now())))

    def __call__(self, annotations: Mapping[str, str]) -> Pushed | QueuedPush:
        """Store the attestation and return it; `forget` ends it here.

        Of an attestation that is kept for later return what was signed: nothing was sent.

        Raises:
            ContractNotMetError: with everything that is missing; nothing was signed.
            SigningKeyMissingError, SigningKeyInvalidError: R5; nothing was rendered.
            FileUnwritableError: there is no place for the bundle; found out before anything was signed, or state and
                bundle stay and pushing again tries again.
            LimitExceededError: more than the control plane takes; nothing was sent.
            ConflictError: another job has changed the shared state meanwhile; nothing was stored.
            AttestationRefusedError, RunEndedError: the control plane refused it; state and bundle stay.
        """
        state, bundle = self._require_signed(annotations)
        if state.session.offline:
            return QueuedPush(state, bundle)
        try:
            return self._deliver(state, bundle)
        except UnreachableError as error:
            if not self._may_queue:
                raise
            self._report.warning("the control plane does not answer", reason=error.message)
            return QueuedPush(state, bundle)

    def _require_signed(self, annotations: Mapping[str, str]) -> tuple[CraftingState, bytes]:
        """Return the bundle that is to be sent: what an earlier push has signed, or signed now."""
        state = self._store.load()
        require_begun(state)
        if self._bundle_file:
            self._bundle_file.check()
        bundle = self._find_signed()
        if bundle is None:
            state, bundle = self._sign(annotations)
        else:
            self._report.info(
                "sending the attestation that was signed before; with --key it is signed anew",
                signed_with=_signer_of(bundle),
            )
            if any(state.annotations.get(name) != value for name, value in annotations.items()):
                self._report.warning("it was signed without the annotations given now; they are not used")
        return state, bundle

    def _deliver(self, state: CraftingState, bundle: bytes) -> Pushed:
        digest = sha256_digest(bundle)
        stored = self._send(state, bundle)
        if stored.digest != digest:
            raise ServerFaultError(
                f"the control plane stored {stored.digest}, sent was {digest}",
                hint="something between here and the control plane changes what is sent",
            )
        if self._bundle_file:
            # Only what is stored leaves the state's folder: a refused bundle in the workspace looks like a pushed one.
            self._bundle_file.write(bundle)
        return Pushed(state, bundle, digest, stored)

    def forget(self, pushed: Pushed) -> None:
        """Remove what is here of a stored attestation, once its result was told.

        Until then a process that is killed leaves everything as it was, and pushing again gives the same result.
        """
        self._store.finish(pushed.state.pin.run_id, pushed.digest)

    def _send(self, state: CraftingState, bundle: bytes) -> Stored:
        plane, digest = self._control_plane(state), self._store.shared_digest()
        try:
            return plane.store_attestation(state.pin.run_id, state.session.run_handle, bundle, digest)
        except PreconditionFailedError as error:
            raise ConflictError(
                "another job changed the attestation while it was being pushed; nothing was stored",
                hint="let the job that pushes wait for all jobs that add (needs), then run "
                "`chainloop attestation push` again",
            ) from error

    def _find_signed(self) -> bytes | None:
        """Return the bundle of an earlier push, unless the user has taken another key since."""
        bundle = self._store.load_bundle()
        if bundle is None:
            return None
        try:
            hint = self._load_signer().hint
        except SigningKeyMissingError:
            # What is signed already needs no key.
            return bundle
        if read_bundle(bundle).hint == hint:
            return bundle
        self._report.info("the attestation was signed with another key before; it is signed again")
        return None

    def _sign(self, annotations: Mapping[str, str]) -> tuple[CraftingState, bytes]:
        require_compliant(self._annotated(self._store.load(), annotations))
        signer = self._load_signer()
        for warning in signer.warnings:
            self._report.warning(warning)
        finished_at = self._now()
        state = self._store.update(
            lambda current: replace(self._annotated(current, annotations, quiet=True), finished_at=finished_at)
        )
        statement = self._render(state)
        bundle = render_bundle(statement, signer.sign(encode_pae(PAYLOAD_TYPE, statement)), signer.hint)
        _require_size(bundle)
        self._store.save_bundle(bundle, signed=state)
        return state, bundle

    def _render(self, state: CraftingState) -> bytes:
        return render_statement(state, finished_at=state.finished_at or self._now(), builder_id=self._builder_id())

    def _annotated(self, state: CraftingState, annotations: Mapping[str, str], *, quiet: bool = False) -> CraftingState:
        merged, overruled = merge_annotations(state.contract.annotations, state.annotations, annotations)
        for name in () if quiet else overruled:
            self._report.warning("the contract sets this annotation; the other value is not used", annotation=name)
        return replace(state, annotations=merged)


def _signer_of(bundle: bytes) -> str:
    hint = read_bundle(bundle).hint
    return key_id_of_hint(hint) or hint or ""


def _require_size(bundle: bytes) -> None:
    if len(bundle) > MAX_BUNDLE_BYTES:
        raise LimitExceededError(
            f"the signed attestation has {len(bundle)} bytes, at most {MAX_BUNDLE_BYTES} are stored",
            hint="content kept inside it makes it large: let the contract set skipUpload for the largest materials, or "
            "ask the operator for a store that keeps content apart",
        )
