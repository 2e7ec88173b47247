"""The use case `reset`: end the run that will not be pushed, and forget it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from chainloop_ci.api.words import CancelTrigger
from chainloop_ci.attestation.state import CraftingState
from chainloop_ci.crafting.ports import ControlPlane, Reporter, StateStore
from chainloop_ci.errors import (
    ChainloopError,
    ConflictError,
    ContractNotMetError,
    Finding,
    NotFoundError,
    RunEndedError,
    StateBrokenError,
)
from chainloop_ci.escaping import printable
from chainloop_ci.records import record

if TYPE_CHECKING:
    from chainloop_ci.api.runs import UnmetRequirement


@record
class Forgotten:
    """An attestation that was ended without being pushed."""

    state: CraftingState
    run_state: str = ""
    """What the control plane made of its run; empty when there is none, or it was not told."""


class Reset:
    """Ends the attestation of this job. Source: reference section 1.3, «reset»."""

    def __init__(
        self, *, store: StateStore, control_plane: Callable[[CraftingState], ControlPlane], report: Reporter
    ) -> None:
        self._store = store
        self._control_plane = control_plane
        self._report = report

    def __call__(
        self, trigger: CancelTrigger, reason: str, unmet: Sequence[Finding] = (), *, force: bool = False
    ) -> Forgotten | None:
        """End the run for `trigger`, remove the state and return what it was.

        A control plane that refuses or does not answer keeps the state, so that the same command can be repeated;
        with `force` the state goes all the same, and the run ends by itself.
        """
        try:
            state = self._store.find()
        except StateBrokenError as error:
            self._report.warning(
                "the state file was broken and is removed; its run ends by itself", reason=error.message
            )
            self._store.clear()
            return None
        if state is None:
            self._report.warning("nothing to reset: no attestation is being crafted here")
            return None
        run_state = self._end(state, trigger, reason, unmet, force)
        self._store.clear()
        return Forgotten(state, run_state)

    def _end(
        self, state: CraftingState, trigger: CancelTrigger, reason: str, unmet: Sequence[Finding], force: bool
    ) -> str:
        if state.dry_run or not state.pin.run_id:
            return ""
        if state.session.offline:
            if state.session.expires_at is not None:
                self._report.warning(
                    "nothing is sent of it: its run ends by itself when it expires", run=state.pin.run_id
                )
            return ""
        try:
            return end_run(state, lambda: self._control_plane(state), trigger, reason, self._report, unmet)
        except ChainloopError as error:
            if not force:
                raise
            self._report.warning(
                "the control plane was not told; the run ends by itself when it expires",
                run=state.pin.run_id,
                reason=error.message,
            )
            return ""


AGAIN = "mend what is listed and run the job again"
_IN_A_NEW_ONE = f"{AGAIN}; it begins a new attestation"


EndRun = Callable[[CancelTrigger, str, Sequence[Finding]], object]


def end_unmet(error: ChainloopError, end: EndRun, report: Reporter) -> None:
    """End the run of a job in its last step, whose attestation the contract or the control plane does not take.

    Nobody could mend it any more, and nobody should wait for its expiry. `end` ends the run for a trigger, a reason
    and what of the contract is not met: the control plane never saw it, and its status is to say what is missing.
    """
    error.hint = _IN_A_NEW_ONE
    try:
        # What the control plane itself refused it knows already.
        end(CancelTrigger.FAILURE, error.message, error.findings if isinstance(error, ContractNotMetError) else ())
    except ChainloopError as untold:
        # The reason why the job fails is told, whatever becomes of the run.
        report.warning("the run could not be ended; it ends by itself when it expires", reason=untold.message)


def end_run(
    state: CraftingState,
    control_plane: Callable[[], ControlPlane],
    trigger: CancelTrigger,
    reason: str,
    report: Reporter,
    unmet: Sequence[Finding] = (),
) -> str:
    """End the run of `state` on the control plane and return the state that the run has then.

    One that is unknown or has ended is a warning, and the answer empty.

    Raises:
        ChainloopError: the control plane refuses or does not answer; the hint has the way out.
    """
    from chainloop_ci.api.runs import CancelRequest

    run_id = state.pin.run_id
    try:
        request = CancelRequest(trigger, reason, _requirements(unmet) or None)
        return control_plane().cancel_run(run_id, state.session.run_handle, request).state.value
    except NotFoundError:
        report.warning("the control plane does not know the run", run=run_id)
    except (RunEndedError, ConflictError) as error:
        report.warning("the run had ended already", run=run_id, reason=error.message)
    except ChainloopError as error:
        error.hint = f"{error.hint}; {_WAY_OUT}" if error.hint else _WAY_OUT
        raise
    return ""


def _requirements(unmet: Sequence[Finding]) -> tuple[UnmetRequirement, ...]:
    """Return what is not met as the control plane takes it: no length of it may keep the run from being ended."""
    from chainloop_ci.api.runs import MAX_UNMET, MAX_UNMET_CODE, MAX_UNMET_MESSAGE, UnmetRequirement

    return tuple(
        UnmetRequirement(printable(one.code)[:MAX_UNMET_CODE], printable(one.message)[:MAX_UNMET_MESSAGE])
        for one in unmet[:MAX_UNMET]
    )


_WAY_OUT = (
    "or forget the attestation here with `chainloop attestation reset --force`: its run ends by itself when it expires"
)
