"""Writes the files of a new key pair: both whole or none, and never over what is there."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from chainloop_ci.errors import ChainloopError, FileUnwritableError, ServerFaultError, UnreachableError
from chainloop_ci.records import record

_UNCERTAIN = (UnreachableError, ServerFaultError)
"""After these nobody knows whether the control plane registered the key."""


@record
class NewFile:
    """A file that is not there yet."""

    path: Path
    text: str
    mode: int
    option: str
    """The option that names another place."""


@contextmanager
def new_files(files: Sequence[NewFile], register_again: str) -> Iterator[None]:
    """Write `files` before the block, which registers the key; take them away when it was refused.

    Without a clear answer the key may be registered all the same: then its private half must not get lost, and
    `register_again` is the command that registers what was kept.

    Raises:
        FileUnwritableError: one is there already, or cannot be written; then none is.
    """
    _write(files)
    try:
        yield
    except ChainloopError as error:
        if isinstance(error, _UNCERTAIN):
            error.hint = _joined(error.hint, f"both files are kept: once it works again, run `{register_again}`")
        else:
            _remove(files)
            error.hint = _joined(error.hint, "both files were taken away again, so the same command can be repeated")
        raise


def _write(files: Sequence[NewFile]) -> None:
    done: list[NewFile] = []
    try:
        for file in files:
            _write_one(file)
            done.append(file)
    except BaseException:
        _remove(done)
        raise


def _write_one(file: NewFile) -> None:
    """Write beside the place, then give it its name: a full disk or a lost machine leaves no half of a key."""
    part = file.path.with_name(f".{file.path.name}.{secrets.token_hex(4)}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, file.mode), "w", encoding="ascii") as sink:
            sink.write(file.text)
            sink.flush()
            os.fsync(sink.fileno())
        _name(part, file.path)
    except FileExistsError as error:
        raise FileUnwritableError(
            f"{file.path} is already there and is not overwritten",
            hint=f"choose another place with {file.option}; a key that is there already is registered with "
            "`chainloop organization key add`",
        ) from error
    except OSError as error:
        raise FileUnwritableError(
            f"{file.path} cannot be written: {error.strerror or error}", hint=_advice(error, file)
        ) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _name(part: Path, path: Path) -> None:
    """Give a file its name unless somebody has it. A link never replaces; some file systems have no links."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        part.replace(path)


def _advice(error: OSError, file: NewFile) -> str:
    elsewhere = f"choose another place with {file.option}"
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return f"free some space, or {elsewhere}; no key was made"
    if error.errno == errno.ENOENT:
        return f"make the folder {file.path.parent} first, or {elsewhere}; no key was made"
    return f"{elsewhere}; no key was made"


def _remove(files: Sequence[NewFile]) -> None:
    for file in files:
        with suppress(OSError):
            file.path.unlink(missing_ok=True)


def _joined(hint: str | None, more: str) -> str:
    return f"{hint}; {more}" if hint else more
