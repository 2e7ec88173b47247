"""The state of an attestation that several jobs craft: what the options say of it, and the adapter that it makes."""

from __future__ import annotations

import re
from dataclasses import replace

from chainloop_ci.api.limits import UUID_PATTERN
from chainloop_ci.api.runs import RunState
from chainloop_ci.attestation.state import CraftingState
from chainloop_ci.cli.wiring import World
from chainloop_ci.client.sealing import seal_handle, unseal_handle
from chainloop_ci.client.shared_state import SharedState
from chainloop_ci.errors import UsageError

_UUID = re.compile(UUID_PATTERN)


def open_shared_state(world: World) -> SharedState:
    """Return the state that the control plane keeps.

    Raises:
        UsageError: the options do not say which, or also name a state file.
    """
    sharing = world.sharing
    if world.given.get("local_state_path"):
        raise UsageError(
            "the state is either in a file or on the control plane: --local-state-path was given beside "
            + ("--remote-state" if sharing.begins else "--attestation-id"),
            hint="leave one of the two out",
        )
    if not sharing.begins:
        _require_both(sharing.attestation_id, sharing.sealed_handle)

    def token() -> str:
        return world.control_plane().http.address.token

    return SharedState(
        world.control_plane,
        token,
        run_id=sharing.attestation_id,
        handle=lambda: unseal_handle(sharing.sealed_handle, token()) if sharing.sealed_handle else "",
        ci=world.ci if sharing.succeeds else None,
        say=world.output.warning,
        on_state=world.report.note_state if world.report else lambda state: None,
    )


def give_out(world: World, state: CraftingState) -> None:
    """Give id and sealed handle of an attestation that was begun here to the job's outputs (R14)."""
    sealed = seal_handle(world.shared_state().handle, world.control_plane().http.address.token)
    world.sharing = replace(world.sharing, attestation_id=state.pin.run_id, sealed_handle=sealed)
    if world.report:
        world.report.outputs |= {"attestation-id": state.pin.run_id, "sealed-handle": sealed}


def tell_of_end(world: World) -> None:
    """Say when the run of a shared state has ended: it is shown as it was then."""
    run_state = world.shared_state().run_state
    if run_state is not RunState.INITIALIZED:
        world.output.warning("the run of this attestation has ended", state=run_state.value)


def _require_both(attestation_id: str, sealed_handle: str) -> None:
    if not attestation_id:
        raise UsageError(
            "--sealed-handle (CHAINLOOP_SEALED_HANDLE) was given alone: it does not say which attestation is meant",
            hint="give --attestation-id (CHAINLOOP_ATTESTATION_ID) too, both as the job has put them out that ran "
            "`chainloop attestation init --remote-state`",
        )
    if not _UUID.search(attestation_id):
        raise UsageError(
            f"--attestation-id: expected the id of a workflow run, found {attestation_id[:80]!r}",
            hint="give the output attestation-id of the job that ran `chainloop attestation init --remote-state`",
        )
    if not sealed_handle:
        raise UsageError(
            "--sealed-handle (CHAINLOOP_SEALED_HANDLE) is missing: the attestation "
            f"{attestation_id} is shared by several jobs",
            hint="give the output sealed-handle of the job that ran `chainloop attestation init --remote-state`; "
            "without it nobody but that job may add or push (R14)",
        )
