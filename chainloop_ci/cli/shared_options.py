"""What the options say of where an attestation's state is; light, since every command of `attestation` asks it."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

from chainloop_ci.errors import StateMissingError
from chainloop_ci.records import record

_SUCCEEDING = ("add", "push")
"""Commands that go on with an ended run in a later attempt of its CI run (R16)."""


@record
class Sharing:
    """Where the state of the attestation is, when it is not in this job's file."""

    begins: bool = False
    """This command begins an attestation whose state the control plane keeps."""
    attestation_id: str = ""
    """The one to go on with."""
    sealed_handle: str = ""
    succeeds: bool = False
    """This command may open the successor of an ended run (R16)."""

    is_alone: bool = False
    """This job has no secrets (R35): whatever is said of other jobs, it checks its own materials."""

    @property
    def is_shared(self) -> bool:
        """Tell whether the control plane keeps the state."""
        return self.begins or bool(self.attestation_id or self.sealed_handle)

    def require_local(self, env: Mapping[str, str]) -> None:
        """Check that the state is meant to be in this job's file.

        Raises:
            StateMissingError: the jobs share one, and this command was not told which it is.
        """
        if self.is_unnamed(env):
            raise StateMissingError(
                "--attestation-id (CHAINLOOP_ATTESTATION_ID) is missing: the state is shared (CHAINLOOP_REMOTE_STATE)",
                hint="give the outputs attestation-id and sealed-handle of the job that ran `chainloop attestation "
                "init`, if it has begun one; or set CHAINLOOP_REMOTE_STATE for that step alone",
            )

    def is_unnamed(self, env: Mapping[str, str]) -> bool:
        """Tell whether the jobs share a state, and this one was not told which: perhaps none was begun."""
        return not (self.is_shared or self.is_alone) and _is_for_all(env)

    def is_wanted(self, env: Mapping[str, str]) -> bool:
        """Tell whether somebody asked for a shared state, for this command or for the whole job."""
        return self.is_shared or _is_for_all(env)


def _is_for_all(env: Mapping[str, str]) -> bool:
    return is_on(env.get("CHAINLOOP_REMOTE_STATE", "")) is True


def is_on(word: str) -> bool | None:
    """Return what the variable of a switch says, None when it says neither; the words are loaded when there is one."""
    if not word:
        return False
    from chainloop_ci.config import find_truth

    return find_truth(word)


def take_sharing(command: str | None, options: MutableMapping[str, Any]) -> Sharing:
    """Take the options that say where the state is out of those of a command, which itself need not know it."""
    return Sharing(
        begins=bool(options.pop("remote_state", False)),
        attestation_id=options.pop("attestation_id", None) or "",
        sealed_handle=options.pop("sealed_handle", None) or "",
        succeeds=command in _SUCCEEDING,
    )
