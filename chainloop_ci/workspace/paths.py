"""Which files may be read, and how one is opened so that the file that was checked is the file that is read (R22)."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from chainloop_ci.errors import FileUnreadableError, PathRefusedError
from chainloop_ci.small_files import MACHINE_FOLDERS, READ_FLAGS

SYSTEM_FOLDERS = (*MACHINE_FOLDERS, "/dev")
"""Nothing in them is a file of a build: their content is the machine's, or another process's environment."""

# Windows has none of these.
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
# O_PATH needs no right to list the folder, as an ordinary open of a file in it.
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)


def resolve_inside(root: Path, path: str | Path, shown: str = "") -> Path:
    """Return the real path of `path`, taken from `root`, which may not lead out of it.

    The file need not exist. Absolute paths are accepted when they lie inside. `shown` is how a person wrote it.

    Raises:
        PathRefusedError: it leads out, by `..`, by a symbolic link or by itself, or into a system folder.
    """
    real_root = _real(root)
    real = _real(real_root / path)
    if not real.is_relative_to(real_root):
        raise PathRefusedError(
            f"{shown or path} leads out of the workspace {root}",
            hint="move the file into the workspace, or type its path yourself (--material, --value)",
        )
    _refuse_system_folders(shown or path, real_root / path, real)
    return real


def resolve_typed(path: Path, shown: str = "") -> Path:
    """Return the real path of a path that a person typed as `shown`; it need not exist, and may lie anywhere else.

    Raises:
        PathRefusedError: it leads into a system folder.
    """
    real = _real(path)
    _refuse_system_folders(shown or path, path, real)
    return real


def open_material(path: str | Path, *, root: Path | None = None) -> BinaryIO:
    """Open a regular file for reading, once; what was checked is what is read, even if the path changes meanwhile.

    `root` is the workspace for a path that a file names (`.chainloop.yml`, a checksums file); None for a path that a
    person typed, which may lie anywhere and is taken from the current folder.

    Raises:
        PathRefusedError: it leads out of `root`, or is a device, a pipe, a socket or inside `/proc`, `/sys`, `/dev`.
        FileUnreadableError: it is missing, a folder, or may not be read.
    """
    real = resolve_typed(Path(path)) if root is None else resolve_inside(root, path)
    try:
        descriptor = _open_real(real)
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        _require_regular(descriptor, path)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _real(path: Path) -> Path:
    try:
        return Path(os.path.realpath(path))
    except (OSError, ValueError) as error:  # ValueError: a NUL character
        raise PathRefusedError(f"{str(path)!r} is no path: {error}") from error


def _refuse_system_folders(typed: str | Path, unresolved: Path, real: Path) -> None:
    # Both: /dev/stdin may lead to an ordinary file, and an ordinary name to /proc/self/environ.
    for candidate in (Path(os.path.abspath(unresolved)), real):  # noqa: PTH100 - resolve() would follow the links
        if any(candidate.is_relative_to(folder) for folder in SYSTEM_FOLDERS):
            raise PathRefusedError(
                f"{typed} is in a system folder ({', '.join(SYSTEM_FOLDERS)}): nothing is read from there",
                hint="write the content to a file first",
            )


def _open_real(real: Path) -> int:
    """Open a resolved path; a link that somebody puts into it after the check makes this fail."""
    if os.open not in os.supports_dir_fd:
        return _open_and_compare(real)
    folder = os.open(real.anchor, _FOLDER)
    try:
        for part in real.parts[1:-1]:
            inner = os.open(part, _FOLDER | _NO_FOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(real.name or ".", READ_FLAGS | _NO_FOLLOW, dir_fd=folder)
    finally:
        os.close(folder)


def _open_and_compare(real: Path) -> int:
    descriptor = os.open(real, READ_FLAGS)
    if not os.path.samestat(os.fstat(descriptor), os.lstat(real)):
        os.close(descriptor)
        raise OSError(f"{real} changed while it was opened")
    return descriptor


def _require_regular(descriptor: int, path: str | Path) -> None:
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISDIR(mode):
        raise FileUnreadableError(
            f"expected a file, found a folder: {path}",
            hint="pack the folder (tar, zip) and add the archive; `attestation craft` packs JUnit reports by itself, "
            "when they are named by a pattern like reports/**/*.xml",
        )
    if not stat.S_ISREG(mode):
        raise PathRefusedError(
            f"{path} is a device, a pipe or a socket: only ordinary files are read",
            hint="write the content to a file first",
        )


def _unreadable(path: str | Path, error: OSError) -> FileUnreadableError:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return FileUnreadableError(
            f"there is no file {path}", hint="check the path; it is taken from the current folder"
        )
    if isinstance(error, PermissionError):
        return FileUnreadableError(f"{path} may not be read by this user", hint="change its permissions")
    if isinstance(error, IsADirectoryError):
        return FileUnreadableError(f"expected a file, found a folder: {path}")
    return FileUnreadableError(f"{path} cannot be read: {error.strerror or error}")
