"""Where the install keeps things, and how a folder that two jobs make at once becomes whole."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from log import InstallError

_COMPLETE = ".complete"
"""Written last: nothing without it is used."""
_MOST_BROKEN = 10


def scratch_folder(env: Mapping[str, str]) -> Path:
    """Return the folder that goes with the job."""
    temp = env.get("RUNNER_TEMP")
    if not temp:
        from tempfile import gettempdir  # on machines that are no runner's

        temp = gettempdir()
    return _make(Path(temp) / "chainloop")


def kept_folder(env: Mapping[str, str]) -> Path:
    """Return the folder that stays on the machine; that of the job where the machine keeps none."""
    cache = env.get("RUNNER_TOOL_CACHE")
    if cache:
        try:
            folder = _make(Path(cache) / "chainloop")
        except InstallError:
            return scratch_folder(env)
        if os.access(folder, os.W_OK):
            return folder
    return scratch_folder(env)


def provide(folder: Path, works: Callable[[Path], bool], fill: Callable[[Path], None]) -> Path:
    """Return `folder` as `fill` made it, now or in an earlier job.

    It is filled beside its place and then renamed: of two jobs that do so at the same time the first one wins, and
    nobody sees half of it. One that does not work any more stays, as a job may be running in it; the next name is used.

    Raises:
        InstallError: it cannot be written, or what `fill` says.
    """
    for number in range(_MOST_BROKEN):
        place = folder.with_name(f"{folder.name}-{number}") if number else folder
        if not place.exists():
            _fill(place, fill)
        if (place / _COMPLETE).is_file() and works(place):
            return place
    raise InstallError(f"{folder} and its {_MOST_BROKEN - 1} successors do not work: remove them from this machine")


def _fill(place: Path, fill: Callable[[Path], None]) -> None:
    import shutil  # here, not above: most steps find everything made

    made = place.with_name(f".{place.name}-{os.urandom(4).hex()}")
    try:
        made.mkdir()
        fill(made)
        (made / _COMPLETE).touch()
        made.rename(place)
    except OSError as error:
        if not (place / _COMPLETE).is_file():  # else another job was first
            raise InstallError(f"{place} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _make(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InstallError(f"the folder {folder} cannot be made: {error.strerror or error}") from error
    return folder
