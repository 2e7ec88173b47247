"""The use case `reset`: end the run that will not be pushed, and forget it."""

from __future__ import annotations

from collections.abc import Callable

from chainloop_ci.attestation.state import CraftingState
from chainloop_ci.crafting.ports import ControlPlane, Reporter, StateStore
from chainloop_ci.errors import ConflictError, NotFoundError, RunEndedError, StateBrokenError


class Reset:
    """Ends the attestation of this job. Source: reference section 1.3, «reset»."""

    def __init__(
        self, *, store: StateStore, control_plane: Callable[[CraftingState], ControlPlane], report: Reporter
    ) -> None:
        self._store = store
        self._control_plane = control_plane
        self._report = report

    def __call__(self, trigger: str, reason: str) -> CraftingState | None:
        """End the run for `trigger` (`failure`, `cancellation`), remove the state and return what it was.

        A control plane that does not answer keeps the state, so that the same command can be repeated.
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
        if not state.dry_run and state.pin.run_id:
            end_run(state, self._control_plane(state), trigger, reason, self._report)
        self._store.clear()
        return state


def end_run(state: CraftingState, control_plane: ControlPlane, trigger: str, reason: str, report: Reporter) -> None:
    """End the run of `state` on the control plane; one that is unknown or has ended is a warning."""
    from chainloop_ci.api.runs import CancelRequest

    run_id = state.pin.run_id
    try:
        control_plane.cancel_run(run_id, state.session.run_handle, CancelRequest(trigger, reason))
    except NotFoundError:
        report.warning("the control plane does not know the run", run=run_id)
    except (RunEndedError, ConflictError) as error:
        report.warning("the run had ended already", run=run_id, reason=error.message)
