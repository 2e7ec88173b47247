"""The crafting state that the jobs of a run share: the adapter for `crafting.ports.StateStore` over the control plane.

Every change is made on the newest state and sent with the digest of what it was made of; when another job was quicker,
it is made again on what that job left. Uploads happen outside of this: only the change of the state is repeated. What
is sent is sealed under the token, and without the run handle, which every job brings along.
"""

from __future__ import annotations

import json
import random
import time
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from chainloop_ci.api.limits import MAX_STATE_BYTES
from chainloop_ci.api.runs import RunState
from chainloop_ci.attestation.state import CraftingState
from chainloop_ci.attestation.state_document import from_document, to_document
from chainloop_ci.client.sealing import Purpose, seal, unseal
from chainloop_ci.contract.compliance import count_present
from chainloop_ci.digests import Digest
from chainloop_ci.errors import (
    ConflictError,
    LimitExceededError,
    PreconditionFailedError,
    StateBrokenError,
    StateLockedError,
    StateMissingError,
)
from chainloop_ci.records import record
from chainloop_ci.runners.types import CiIdentity

if TYPE_CHECKING:
    from chainloop_ci.client.control_plane import ControlPlane, SealedState

PATIENCE_SECONDS = 60.0
"""How long a change is tried again; each turn of another job takes milliseconds."""
_LONGEST_PAUSE_SECONDS = 1.0

Say = Callable[..., None]
"""Called with a message and facts by name."""


@dataclass(frozen=True, slots=True)
class Turns:
    """How writers that meet give each other way."""

    patience_seconds: float = PATIENCE_SECONDS
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = field(default=random.random)

    def pause(self, turn: int) -> None:
        """Wait a random while that grows with the turns: two who met must not meet again."""
        self.sleep(self.chance() * min(_LONGEST_PAUSE_SECONDS, 0.05 * 2.0**turn))


@record
class _Copy:
    """A state as it was read last, or as it is to be written."""

    state: CraftingState
    bundle: bytes | None = field(default=None, repr=False)
    digest: Digest | None = None
    """Of the sealed bytes; None: the run has none of its own yet."""


class SharedState:
    """The state of one run on the control plane. Not for several threads."""

    def __init__(
        self,
        plane: Callable[[], ControlPlane],
        token: Callable[[], str],
        *,
        run_id: str = "",
        handle: Callable[[], str] = lambda: "",
        ci: Callable[[], CiIdentity] | None = None,
        say: Say = lambda message, **facts: None,
        on_state: Callable[[CraftingState], None] = lambda state: None,
        turns: Turns | None = None,
    ) -> None:
        """`run_id` and its handle name what is there; without them the state is one that is yet to be begun.

        `ci` says who asks: with it an ended run is gone on with by its successor, in a later attempt (R16).
        `on_state` is called with each state that was read or written.
        """
        self._plane = plane
        self._token = token
        self._run_id = run_id
        self._read_handle = handle
        self._ci = ci
        self._say = say
        self._on_state = on_state
        self._turns = turns or Turns()
        self._copy: _Copy | None = None
        self._handle = ""
        self.run_state = RunState.INITIALIZED
        """Of the run, when it was read last."""

    @property
    def handle(self) -> str:
        """Return the run handle; empty before the run was begun."""
        self._handle = self._handle or self._read_handle()
        return self._handle

    # --- the port ----------------------------------------------------------------------------------------------------

    def find(self) -> CraftingState | None:
        """Return the state; None when it is yet to be begun."""
        return self.load() if self._run_id else None

    def load(self) -> CraftingState:
        """Return the newest state.

        Raises:
            StateMissingError: nothing was begun.
            NotFoundError: the control plane knows no such run, or keeps its state no more.
            NotAllowedError: the handle is another run's, or the state was sealed under another token.
            RunEndedError: the run ended while its successor was being opened.
        """
        if not self._run_id:
            raise StateMissingError(
                "no shared attestation was begun here", hint="begin it with `chainloop attestation init --remote-state`"
            )
        return self._read().state

    def create(self, state: CraftingState, *, replace: bool = False) -> CraftingState | None:
        """Keep a new state in memory until its run exists: the first `update` sends it."""
        self._run_id, self._handle = state.pin.run_id, state.session.run_handle
        self._take(_Copy(state))
        return None

    def update(self, change: Callable[[CraftingState], CraftingState]) -> CraftingState:
        """Send what `change` makes of the newest state and return it; a change of materials drops the signed bundle.

        Raises:
            StateLockedError: other jobs were quicker, again and again.
            LimitExceededError: the state is too large to be shared.
            RunEndedError: the run has ended.
        """

        def apply(copy: _Copy) -> _Copy:
            after = change(copy.state)
            return replace(copy, state=after, bundle=copy.bundle if after.materials == copy.state.materials else None)

        return self._write(apply).state

    def clear(self) -> None:
        """Forget what was to be begun; what the control plane keeps is its successor's, for a while."""
        self._copy = None

    def finish(self, run_id: str, digest: Digest) -> None:
        """Forget nothing: the control plane has ended the run, and a later attempt goes on with its state."""

    def save_bundle(self, raw: bytes, *, signed: CraftingState | None = None) -> None:
        """Keep the signed bundle with the state, so that a push that is repeated elsewhere sends the same bytes.

        Raises:
            ConflictError: a material was added while the attestation was being signed.
        """

        def apply(copy: _Copy) -> _Copy:
            if signed is not None and copy.state.materials != signed.materials:
                raise ConflictError(
                    "another job changed the materials while the attestation was being signed; nothing was sent",
                    hint="let the job that pushes wait for all jobs that add (needs), then run "
                    "`chainloop attestation push` again",
                )
            return replace(copy, bundle=raw)

        self._write(apply)

    def load_bundle(self) -> bytes | None:
        """Return the bundle that was signed from this state; None when there is none."""
        return (self._copy or self._read()).bundle

    def shared_digest(self) -> Digest | None:
        """Return the digest of the state that was read or written last."""
        return self._copy.digest if self._copy else None

    def owns(self, path: Path) -> bool:
        """Tell that no file on this machine belongs to the state."""
        return False

    # --- reading -----------------------------------------------------------------------------------------------------

    def _read(self) -> _Copy:
        """Return the newest state, or what its successor begins with when that is to be opened."""
        kept = self._plane().get_state(self._run_id, self.handle)
        self.run_state = kept.run_state
        copy = self._open(kept)
        if self._ci is None:
            return self._take(copy)
        ci = self._ci()
        is_later = _is_later(copy.state, ci)
        if kept.sealed_for != kept.run_id or (kept.run_state is not RunState.INITIALIZED and is_later):
            copy = self._succeed(kept, copy, ci)
        elif is_later and ci.run_attempt is not None:
            copy = replace(copy, state=copy.state.in_attempt(ci.run_attempt))
        return self._take(copy)

    def _take(self, copy: _Copy) -> _Copy:
        self._copy = copy
        self._on_state(copy.state)
        return copy

    def _open(self, kept: SealedState) -> _Copy:
        raw = unseal(kept.raw, self._token(), Purpose.STATE, kept.sealed_for)
        try:
            document = json.loads(raw)
            state = from_document(document["state"])
            bundle = b64decode(document["bundle"], validate=True) if "bundle" in document else None
        except (ValueError, KeyError, TypeError) as error:
            raise StateBrokenError(
                f"the shared state of run {kept.sealed_for} cannot be read: {error}",
                hint="jobs of one attestation need the same version of chainloop",
            ) from error
        session = replace(state.session, run_handle=self.handle, expires_at=kept.expires_at)
        state = replace(state, session=session)
        return _Copy(state, bundle, kept.digest if kept.sealed_for == kept.run_id else None)

    def _succeed(self, kept: SealedState, copy: _Copy, ci: CiIdentity) -> _Copy:
        """Open the successor of an ended run, or find the one that another job of this attempt has opened (R16)."""
        run = self._plane().open_successor(kept.run_id, self.handle, ci)
        self.run_state = run.state
        if run.id != kept.run_id:
            again = self._plane().get_state(run.id, self.handle)
            if again.sealed_for == again.run_id:
                return self._open(again)
        state = copy.state.taken_over(
            run.id,
            run.ci or copy.state.session.ci,
            token_id=run.token_id,
            expires_at=run.expires_at,
            view_url=run.view_url,
        )
        self._say(
            "the run of an earlier attempt has ended; its successor goes on with its materials",
            run=run.successor_of or kept.sealed_for,
            successor=run.id,
        )
        return _Copy(state)

    # --- writing -----------------------------------------------------------------------------------------------------

    def _write(self, apply: Callable[[_Copy], _Copy]) -> _Copy:
        """Send what `apply` makes of the state, on the newest one, in as many turns as it takes."""
        before = self._copy or self._read()
        end = self._turns.clock() + self._turns.patience_seconds
        turn = 0
        while True:
            after = apply(before)
            if after == before and before.digest is not None:
                return before
            try:
                return self._take(self._send(after))
            except PreconditionFailedError as error:
                if self._turns.clock() >= end:
                    raise StateLockedError(
                        f"other jobs changed the shared state again and again for {self._turns.patience_seconds:g} s",
                        hint="run the same command again",
                    ) from error
            self._turns.pause(turn)
            turn += 1
            before = self._read()

    def _send(self, copy: _Copy) -> _Copy:
        run_id = copy.state.pin.run_id
        sealed = self._seal(copy, run_id)
        if len(sealed) > MAX_STATE_BYTES and copy.bundle:
            # Without it a push that is repeated on another machine is refused instead of answered again: no harm.
            copy = replace(copy, bundle=None)
            sealed = self._seal(copy, run_id)
        if len(sealed) > MAX_STATE_BYTES:
            raise LimitExceededError(
                f"the shared state has {len(sealed)} bytes, at most {MAX_STATE_BYTES} are kept",
                hint="content kept inside it makes it large: let the contract set skipUpload for the largest "
                "materials, or ask the operator for a store that keeps content apart",
            )
        present = count_present(copy.state.contract, copy.state.materials)
        kept = self._plane().put_state(run_id, self.handle, sealed, copy.digest, present=present)
        return replace(copy, digest=kept.digest)

    def _seal(self, copy: _Copy, run_id: str) -> bytes:
        state = replace(copy.state, session=replace(copy.state.session, run_handle=""))
        document: dict[str, object] = {"state": to_document(state)}
        if copy.bundle is not None:
            document["bundle"] = b64encode(copy.bundle).decode("ascii")
        # surrogatepass: as in the state's file.
        raw = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        return seal(raw, self._token(), Purpose.STATE, run_id)


def _is_later(state: CraftingState, ci: CiIdentity) -> bool:
    """Tell whether a later attempt asks than the last one that worked on the state."""
    begun = state.session.ci
    return ci.is_later_attempt_of(replace(begun, run_attempt=state.session.attempt or begun.run_attempt))
