"""`--on-unreachable`: what a job does when the control plane does not answer (exit code 6)."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from chainloop_ci.cli.option import OnUnreachable
from chainloop_ci.cli.wiring import World
from chainloop_ci.errors import ChainloopError, UnreachableError
from chainloop_ci.queued import PendingContents

_FOLLOWS = ("state-missing", "contract-not-met")
"""What later commands of a job find when an earlier one got no answer: no attestation, or one without its materials."""
_MEANING = (
    "exit code 6 says that the control plane gave no answer, not that the contract is not met; repeating is safe; "
    "with --on-unreachable warn the job goes on"
)
_KEEPING = ", with --on-unreachable queue the signed attestation is kept for later"

_LET_GO = "The job goes on, as --on-unreachable warn asks: nothing is attested by this step."


def is_let_go(world: World, error: ChainloopError) -> bool:
    """Tell whether the job goes on after an error, as `--on-unreachable warn` asks, and show it as a warning then."""
    if world.on_unreachable is OnUnreachable.WARN and _is_of_no_answer(world, error):
        world.output.error(error, 0, level="WRN")
        world.output.warning("ended with 0, as --on-unreachable warn asks: nothing is attested by this step")
        if world.report:
            world.report.note_going_on(_LET_GO, tolerated=True)
        return True
    if _is_no_answer(error):
        # Who has asked for it has been told what it needs.
        meaning = _MEANING if world.on_unreachable is OnUnreachable.QUEUE else f"{_MEANING}{_KEEPING}"
        error.hint = f"{error.hint}; {meaning}" if error.hint else meaning
    return False


def may_queue(world: World) -> bool:
    """Tell whether what cannot be sent is kept for later; a state that jobs share lives where nobody answers."""
    return world.on_unreachable is OnUnreachable.QUEUE and not world.sharing.is_shared


def pending_contents(world: World) -> PendingContents:
    """Return where the contents are kept that could not be sent: beside this job's state file."""
    return PendingContents(world.local_state().path)


def clear_pending(world: World) -> None:
    """Forget those contents; they belong to the attestation in this job's file, and stay when another one is meant."""
    if not world.sharing.is_shared:
        pending_contents(world).clear()


def forget(world: World) -> None:
    """Forget that the control plane did not answer: it has now, and what is wrong from here on has other reasons."""
    with suppress(OSError, ChainloopError):
        _note(world).unlink(missing_ok=True)


def _is_of_no_answer(world: World, error: ChainloopError) -> bool:
    if _is_no_answer(error):
        _remember(world)
        return True
    # Where jobs share a state, the one that begins it has given out nothing when it got no answer.
    return error.code in _FOLLOWS and (_is_remembered(world) or world.sharing.is_unnamed(world.env))


def _is_no_answer(error: ChainloopError) -> bool:
    return isinstance(error, UnreachableError) and not error.of_registry


def _note(world: World) -> Path:
    """Return the file beside the state that tells the later commands of a job that there was no answer."""
    path = world.local_state().path
    return path.with_name(path.name + ".unanswered")


def _remember(world: World) -> None:
    # Where nothing can be written the later commands are red, and say why.
    with suppress(OSError, ChainloopError):
        note = _note(world)
        note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        note.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(note, flags, 0o600), "w", encoding="utf-8") as file:
            json.dump(world.ci().job_key, file)


def _is_remembered(world: World) -> bool:
    with suppress(OSError, ValueError, ChainloopError):
        return bool(json.loads(_note(world).read_bytes()) == list(world.ci().job_key))
    return False
