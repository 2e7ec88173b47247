"""What a CAS back end is: blobs by the digest of their content, streamed and checked both ways (design decision 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from chainloop_ci.api.words import CasBackend
from chainloop_ci.digests import Digest

BLOCK_BYTES = 1024 * 1024
"""How much of a blob is in memory at once."""


class Incoming(Protocol):
    """A blob on its way in. It exists for nobody until it is kept."""

    @property
    def digest(self) -> Digest:
        """Return the digest of what was written so far."""

    @property
    def size_bytes(self) -> int:
        """Return how much was written so far."""

    def write(self, block: bytes) -> None:
        """Take the next block.

        Raises:
            StoreFullError: there is no space; nothing of the blob remains.
        """

    def sync(self) -> None:
        """Bring what was written to the disk, so that `keep` has little left to wait for.

        Raises:
            StoreFullError: there is no space; nothing of the blob remains.
        """

    def keep(self) -> Digest:
        """Make what was written a blob that survives power loss, and return its digest.

        The bytes replace those of an earlier blob of that digest, so that it costs the same whether there was one (R7).

        Raises:
            StoreFullError: there is no space; nothing of the blob remains.
        """


@dataclass(frozen=True, slots=True)
class KeptBlob:
    """A blob that is in a back end."""

    digest: Digest
    size_bytes: int
    written_at: datetime


@dataclass(frozen=True, slots=True)
class UnfinishedUpload:
    """A temporary file of a blob on its way in."""

    name: str
    size_bytes: int
    written_at: datetime
    """When a byte of it came last."""


class Blobs(Protocol):
    """A back end that is open. It knows no organizations: who may read a digest is decided before it is asked."""

    def receive(self, owner: str = "") -> AbstractContextManager[Incoming]:
        """Open a blob to be written for `owner`; what is not kept at the end of the block leaves no trace."""

    def count_arriving(self, owner: str) -> int:
        """Return how many bytes of blobs are on their way in for `owner`, into any process of this machine."""

    def read(self, digest: Digest) -> Iterator[bytes]:
        """Return the blocks of a blob.

        The last block is handed out only when the whole hashes to `digest`: nobody gets a broken blob to its end.

        Raises:
            BlobCorruptError: the content is gone, or is no longer what its name says.
        """

    def list_kept(self) -> Iterator[KeptBlob]:
        """Return every blob, in no order; those that come and go meanwhile may be missing."""

    def list_unfinished(self) -> Iterator[UnfinishedUpload]:
        """Return the uploads that go on, or that a dead process left."""

    def remove_unfinished(self, upload: UnfinishedUpload) -> None:
        """Remove the temporary file of an upload that nobody goes on with; one that is gone already is no fault."""

    def remove(self, digest: Digest) -> None:
        """Remove a blob; one that is gone already is no fault. Whether anybody needs it is decided before."""


@dataclass(frozen=True, slots=True)
class BackEnd:
    """One kind of CAS. Each name has exactly one entry in `registry.BACK_ENDS`."""

    name: CasBackend
    """As organizations choose it and rows record it."""
    title: str
    """For people."""
    open: Callable[[Path], Blobs] | None
    """Opens the back end in the server's blob folder; None: it has no store of its own."""
    look: Callable[[Path], Blobs] | None
    """Opens it for reading: nothing is made and nothing swept."""
    max_bytes: int
    """Largest blob by default."""
