"""The files of an OCI image layout, in a folder or in a tar. Source: OCI image format 1.1, image-layout.md.

Nothing is unpacked, so names of entries lead nowhere; links in a tar are not followed.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, Protocol

from chainloop_ci.errors import ImageUnresolvedError, LimitExceededError
from chainloop_ci.oci.login import OpenFile

MAX_ENTRIES = 20_000
"""Of a tar; an image has at most some hundred layers."""
CHUNK_BYTES = 1024 * 1024
"""Largest read at once."""


class Blobs(Protocol):
    """The files of one layout, by their names in it."""

    def open(self, name: str) -> IO[bytes] | None:
        """Return a file to read from its start, None when there is none."""


class FolderBlobs:
    """A layout that lies in a folder."""

    def __init__(self, folder: Path, open_file: OpenFile) -> None:
        self._folder = folder
        self._open = open_file

    def open(self, name: str) -> IO[bytes] | None:
        """Return a file to read from its start, None when there is none."""
        path = self._folder / name
        return self._open(path) if path.exists() else None


class TarBlobs:
    """A layout inside an uncompressed tar, as `--output type=oci,dest=image.tar` writes it."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self._members: dict[str, tarfile.TarInfo] = {}
        for count, member in enumerate(tar):
            if count >= MAX_ENTRIES:
                raise LimitExceededError(f"an image archive has at most {MAX_ENTRIES} entries, this one has more")
            # A sparse member has any size that its header claims, without bytes in the archive (T27).
            if member.isreg() and not member.issparse():
                self._members[member.name.removeprefix("./")] = member

    @property
    def names(self) -> frozenset[str]:
        """Return the names of its ordinary files."""
        return frozenset(self._members)

    def open(self, name: str) -> IO[bytes] | None:
        """Return a file to read from its start, None when there is none."""
        member = self._members.get(name)
        return self._tar.extractfile(member) if member else None


@contextmanager
def open_tar(file: BinaryIO, place: str) -> Iterator[TarBlobs]:
    """Give the files of a tar.

    Raises:
        ImageUnresolvedError: it is broken.
        LimitExceededError: it has too many entries.
    """
    try:
        bounded: Any = _Bounded(file)
        with tarfile.open(fileobj=bounded, mode="r:") as tar:
            yield TarBlobs(tar)
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise ImageUnresolvedError(
            f"the archive {place} cannot be read: {str(error)[:200]}", hint="check the step that writes it"
        ) from error


class _Bounded:
    """A file whose reads are small: the header of an entry may claim any size, and is read at once (T27)."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= CHUNK_BYTES:
            raise ValueError(f"an entry's header claims {size} bytes")
        return self._file.read(size)
