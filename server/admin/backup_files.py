"""Files of a backup on their way in and out: private, and on the disk when they are said to be there."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from chainloop_ci.digests import Digest, digest_of_hex
from server.cas.regular_file import open_regular
from server.errors import StoreFullError

_BLOCK_BYTES = 1024 * 1024


@contextmanager
def space_needed(folder: Path) -> Iterator[None]:
    """Say which disk is full when it is: two may take part in a backup.

    Raises:
        StoreFullError: names the folder.
    """
    try:
        yield
    except StoreFullError as error:
        raise _full(folder) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise _full(folder) from error
        raise


def _full(folder: Path) -> StoreFullError:
    return StoreFullError(f"the disk of {folder}", "free space there, or name a folder on another disk")


@contextmanager
def open_private(path: Path) -> Iterator[BinaryIO]:
    """Open a new file that only its owner may read; at the end of the block it is on the disk."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def copy_private(source: Path, target: Path, *, follow_links: bool = True) -> Digest:
    """Copy an ordinary file to a new private one and return the digest of what was copied."""
    found = hashlib.sha256()
    with open_regular(source, follow_links=follow_links) as read, open_private(target) as written:
        while block := read.read(_BLOCK_BYTES):
            found.update(block)
            written.write(block)
    return digest_of_hex(found.hexdigest())


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def empty_folder(folder: Path) -> None:
    """Remove everything in a folder."""
    for entry in folder.iterdir():
        remove(entry)


def remove(path: Path) -> None:
    """Remove a file or a whole folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
