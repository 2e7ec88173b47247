"""Where the install keeps things, and how a folder that two jobs make at once becomes whole.

What was made once is run by later jobs without being read again. So it has to be our own user's, and nobody else's to
change: what is not is left alone, and another folder is used.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
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
    return _own_folder(Path(temp))


def kept_folder(env: Mapping[str, str]) -> Path:
    """Return the folder that stays on the machine; that of the job where the machine keeps none."""
    cache = env.get("RUNNER_TOOL_CACHE")
    if cache:
        try:
            folder = _own_folder(Path(cache))
        except InstallError:
            return scratch_folder(env)
        if os.access(folder, os.W_OK):
            return folder
    return scratch_folder(env)


def provide(folder: Path, works: Callable[[Path], bool], fill: Callable[[Path], None]) -> Path:
    """Return `folder` as `fill` made it, now or in an earlier job.

    It is filled beside its place and then renamed: of two jobs that do so at the same time the first one wins, and
    nobody sees half of it. One that does not work any more stays, as a job may be running in it; the next name is used.
    So it is with one that another user owns or may change.

    Raises:
        InstallError: it cannot be written, or what `fill` says.
    """
    for place in _names(folder):
        if not os.path.lexists(place):
            _fill(place, fill)
        if is_ours(place) and is_ours(place / _COMPLETE) and works(place):
            return place
    raise InstallError(f"{folder} and its {_MOST_BROKEN - 1} successors do not work: remove them from this machine")


# Copied into Jenkins' install.py by tests/family/jenkins_render.py.
# begin ours
def is_ours(path: Path) -> bool:
    """Tell whether a file or folder is our own user's, and no other user but root may write to it; no link is.

    Windows says neither by a mode: there everything that exists is.
    """
    try:
        facts = path.lstat()
    except OSError:
        return False
    if sys.platform == "win32":
        return True
    else:  # noqa: RET505 - mypy leaves the other system's branch out, and would find lines after it unreachable
        others = stat.S_IWGRP | stat.S_IWOTH
        return not stat.S_ISLNK(facts.st_mode) and facts.st_uid == os.geteuid() and not facts.st_mode & others


# end ours


def _names(folder: Path) -> Iterator[Path]:
    yield folder
    yield from (folder.with_name(f"{folder.name}-{number}") for number in range(1, _MOST_BROKEN))


def _fill(place: Path, fill: Callable[[Path], None]) -> None:
    import shutil  # here, not above: most steps find everything made

    made = place.with_name(f".{place.name}-{os.urandom(4).hex()}")
    try:
        with _nobody_else_writes():
            made.mkdir()
            fill(made)
            (made / _COMPLETE).touch()
        made.rename(place)
    except OSError as error:
        if not (place / _COMPLETE).is_file():  # else another job was first
            raise InstallError(f"{place} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextmanager
def _nobody_else_writes() -> Iterator[None]:
    """Take the right to write from the group and others in all that is made, as some machines give it."""
    before = os.umask(0o077)
    os.umask(before | 0o022)
    try:
        yield
    finally:
        os.umask(before)


def _own_folder(parent: Path) -> Path:
    """Return our folder in `parent`: the first that is ours of `chainloop`, `chainloop-1` and so on."""
    try:
        for folder in _names(parent / "chainloop"):
            with _nobody_else_writes(), suppress(FileExistsError):  # a file, or a link to nowhere: not ours
                folder.mkdir(parents=True, exist_ok=True)
            if is_ours(folder) and folder.is_dir():
                return folder
    except OSError as error:
        raise InstallError(f"the folder {folder} cannot be made: {error.strerror or error}") from error
    raise InstallError(f"{folder} and those before it belong to another user, or others may write to them: remove them")
