"""Where the state file of a job lies when nobody named a place (design decision 17)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from chainloop_ci.errors import StateUnwritableError
from chainloop_ci.runners.types import Runner

PATH_VARIABLE = "CHAINLOOP_LOCAL_STATE_PATH"
FILE_NAME = "attestation.json"


def find_state_path(*, env: Mapping[str, str], runner: Runner, git_dir: Path | None, cwd: Path) -> Path:
    """Return where the state file lies when nobody named one: the same answer for every command of the job.

    In order: the runner's scratch folder, the git folder, the user's state folder with the SHA-256 of `cwd`.

    Raises:
        StateUnwritableError: nothing of it is known.
    """
    scratch = [Path(env[name]) for name in runner.scratch_variables if env.get(name)]
    candidates = [folder for folder in scratch if folder.is_absolute()] + ([git_dir] if git_dir else [])
    for folder in candidates:
        if _is_writable(folder):
            return folder / "chainloop" / FILE_NAME
    return _user_state_folder(env, cwd) / FILE_NAME


def _is_writable(folder: Path) -> bool:
    """Tell whether `folder` can be written, or made: Jenkins names its scratch folder before it exists."""
    nearest = next((path for path in (folder, *folder.parents) if path.exists()), None)
    return nearest is not None and nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)


def _user_state_folder(env: Mapping[str, str], cwd: Path) -> Path:
    import hashlib

    base = env.get("XDG_STATE_HOME") or env.get("LOCALAPPDATA")
    home = env.get("HOME") or env.get("USERPROFILE")
    if base and Path(base).is_absolute():
        folder = Path(base)
    elif home:
        folder = Path(home) / ".local" / "state"
    else:
        raise StateUnwritableError(
            "there is no place for the state file: no CI scratch folder, no git folder, no home folder",
            hint=f"choose one with --local-state-path or {PATH_VARIABLE}",
        )
    return folder / "chainloop" / hashlib.sha256(os.fsencode(cwd.resolve())).hexdigest()
