"""CAS back end `filesystem`: a content-addressed folder on the server's disk.

A blob is `<folder>/ab/cd/abcd…`. It is written under `<folder>/incoming`, hashed on the way, brought to the disk
(fsync) and then renamed to its name in one step, so that a name never stands for half a blob, whatever fails when.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from chainloop_ci.api.limits import MAX_BLOB_BYTES
from chainloop_ci.api.words import CasBackend
from chainloop_ci.digests import Digest, digest_of_hex, hex_of
from server.cas.blobs import BLOCK_BYTES, BackEnd, Incoming, KeptBlob, UnfinishedUpload
from server.cas.regular_file import NotRegularFileError, open_regular
from server.errors import BlobCorruptError, StoreFullError, StoreUnusableError
from server.model.sweeps import ABANDONED

ARRIVING_SECONDS = 120
"""An upload to which nothing was written for this long has broken off; the server waits less for the next byte."""

_NAME = re.compile(r"[0-9a-f]{64}\Z")
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_UNUSABLE = frozenset({errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE, errno.EACCES, errno.EPERM, errno.ENOMEM})
_NO_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS})
"""Why a second name for the same bytes cannot be given: another disk, or a file system without links."""


class FilesystemBlobs:
    """Blobs in a folder. Safe for any number of threads and processes on one machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._incoming = folder / "incoming"

    def prepare(self) -> None:
        """Make the folders and sweep what an earlier process left half-written."""
        for folder in (self._folder, self._incoming):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sweep()

    @contextmanager
    def receive(self, owner: str = "") -> Iterator[Incoming]:
        """Open a blob to be written for `owner`; what is not kept at the end of the block leaves no trace."""
        path = self._incoming / f"{_mark(owner)}{uuid.uuid4().hex}"
        with _translated(), open(path, "xb", buffering=0, opener=_private) as file:
            try:
                yield _IncomingFile(file, path, self._path)
            finally:
                # On a disk that takes no changes it stays, and is swept later; the first error is the one to tell.
                with suppress(OSError):
                    path.unlink(missing_ok=True)

    def count_arriving(self, owner: str) -> int:
        """Return how many bytes are on their way in for `owner`, soon without what a dead process left."""
        oldest, mark = time.time() - ARRIVING_SECONDS, _mark(owner)
        found = (item for item in self.list_unfinished() if item.name.startswith(mark))
        return sum(item.size_bytes for item in found if item.written_at.timestamp() > oldest)

    def read(self, digest: Digest) -> Iterator[bytes]:
        """Return the blocks of a blob; the last one only when the whole hashes to `digest`.

        Raises:
            BlobCorruptError: the content is gone, or is no longer what its name says.
        """
        try:
            with _translated():
                file = open_regular(self._path(digest))
        except FileNotFoundError as error:
            raise _corrupt(digest, "is missing in the store") from error
        except NotRegularFileError as error:
            raise _corrupt(digest, "is no ordinary file in the store") from error
        return _checked(file, digest)

    def link_from(self, other: FilesystemBlobs, digest: Digest) -> bool:
        """Take a blob of another folder: on the same disk as a second name of the same bytes, else as a checked copy.

        Return whether it is a second name.

        Kept bytes are never written again, so a second name is as good as a copy. It is not brought to the disk:
        the caller does that once for all.

        Raises:
            BlobCorruptError: it is missing there or, when it was copied, is no longer what its name says.
            StoreFullError: there is no space for a copy.
        """
        target = self._path(digest)
        try:
            with _translated():
                _make_folders(target.parent, sync=False)
                linked = _link(other._path(digest), target)
        except FileNotFoundError as error:
            raise _corrupt(digest, "is missing in the store") from error
        if not linked:
            self.copy_from(other, digest)
        return linked

    def copy_from(self, other: FilesystemBlobs, digest: Digest) -> None:
        """Take a checked copy of a blob of another folder.

        Raises:
            BlobCorruptError: it is missing there, or is no longer what its name says.
            StoreFullError: there is no space.
        """
        with self.receive() as incoming:
            for block in other.read(digest):
                incoming.write(block)
            incoming.keep()

    def list_unfinished(self) -> Iterator[UnfinishedUpload]:
        """Return the temporary files of uploads that go on, or that a dead process left."""
        if not self._incoming.is_dir():
            return
        for path in self._incoming.iterdir():
            with suppress(FileNotFoundError):
                facts = path.stat()
                yield UnfinishedUpload(path.name, facts.st_size, datetime.fromtimestamp(facts.st_mtime, UTC))

    def remove_unfinished(self, upload: UnfinishedUpload) -> None:
        """Remove a temporary file that nobody goes on with; one that is gone already is no fault."""
        (self._incoming / upload.name).unlink(missing_ok=True)

    def list_kept(self) -> Iterator[KeptBlob]:
        """Return every blob, in no order; those that come and go meanwhile may be missing."""
        for path in self._folder.glob("??/??/*"):
            with suppress(FileNotFoundError):
                facts = path.stat()
                if _NAME.match(path.name):
                    written_at = datetime.fromtimestamp(facts.st_mtime, UTC)
                    yield KeptBlob(digest_of_hex(path.name), facts.st_size, written_at)

    def remove(self, digest: Digest) -> None:
        """Remove a blob; one that is gone already is no fault. Whether anybody needs it is decided before."""
        self._path(digest).unlink(missing_ok=True)

    def _path(self, digest: Digest) -> Path:
        name = hex_of(digest)
        return self._folder / name[:2] / name[2:4] / name

    def _sweep(self) -> None:
        # A temporary file that nobody wrote to for so long belongs to a process that is gone.
        oldest = time.time() - ABANDONED.total_seconds()
        for path in self._incoming.iterdir():
            # Another worker that starts at the same moment may be the faster one.
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < oldest:
                    path.unlink()


class _IncomingFile:
    """A blob that is being written to its temporary file."""

    def __init__(self, file: BinaryIO, path: Path, place: Callable[[Digest], Path]) -> None:
        self._file = file
        self._path = path
        self._place = place
        self._hash = hashlib.sha256()
        self._size = 0

    @property
    def digest(self) -> Digest:
        return digest_of_hex(self._hash.hexdigest())

    @property
    def size_bytes(self) -> int:
        return self._size

    def write(self, block: bytes) -> None:
        rest = memoryview(block)
        while rest:
            written = self._file.write(rest)
            rest = rest[written:]
        self._hash.update(block)
        self._size += len(block)

    def sync(self) -> None:
        os.fsync(self._file.fileno())

    def keep(self) -> Digest:
        digest = self.digest
        target = self._place(digest)
        self.sync()
        _make_folders(target.parent)
        self._path.replace(target)
        _sync_folder(target.parent)
        return digest


def _open(folder: Path) -> FilesystemBlobs:
    blobs = FilesystemBlobs(folder)
    blobs.prepare()
    return blobs


FILESYSTEM = BackEnd(
    name=CasBackend.FILESYSTEM,
    title="a folder on the server's disk",
    open=_open,
    look=FilesystemBlobs,
    max_bytes=MAX_BLOB_BYTES,
)


def _checked(file: BinaryIO | FileIO, digest: Digest) -> Iterator[bytes]:
    """Yield the blocks of `file`, each one step late, so that the last one waits for the verdict."""
    found = hashlib.sha256()
    held = b""
    with file:
        while block := file.read(BLOCK_BYTES):
            found.update(block)
            if held:
                yield held
            held = block
    if found.hexdigest() != hex_of(digest):
        raise _corrupt(digest, f"now hashes to sha256:{found.hexdigest()}")
    yield held


def _mark(owner: str) -> str:
    """Return how the names of an owner's temporary files begin."""
    return f"{hashlib.sha256(owner.encode()).hexdigest()[:32]}-"


def _private(path: str, flags: int) -> int:
    """Open a file for its owner only, whatever the process's mask says."""
    return os.open(path, flags, 0o600)


def _corrupt(digest: Digest, what: str) -> BlobCorruptError:
    return BlobCorruptError(
        f"the stored content of {digest} {what}; it is not handed out",
        hint="upload the file again, which replaces the stored copy, and check the server's disk",
    )


def _make_folders(folder: Path, *, sync: bool = True) -> None:
    """Make the two levels above a blob so that, with `sync`, they survive power loss too."""
    for level in (folder.parent, folder):
        try:
            level.mkdir(mode=0o700)
        except FileExistsError:
            continue
        if sync:
            _sync_folder(level.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _link(source: Path, target: Path) -> bool:
    """Give the bytes of `source` a second name, which may be there already; tell whether the disks allow that."""
    try:
        os.link(source, target)
    except FileExistsError:
        return True
    except OSError as error:
        if error.errno in _NO_LINK:
            return False
        raise
    return True


@contextmanager
def _translated() -> Iterator[None]:
    """Say what a refusal of the disk or the system means for our users (R8); any other is a defect of ours."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise StoreFullError from error
        if error.errno in _UNUSABLE:
            raise StoreUnusableError(error.strerror or str(error)) from error
        raise
