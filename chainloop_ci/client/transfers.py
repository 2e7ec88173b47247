"""Files of any size, in both directions, in constant memory: the bytes that are hashed are the bytes that travel."""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import IO, BinaryIO

from chainloop_ci.digests import Digest, digest_of_hex
from chainloop_ci.errors import DigestMismatchError, FileUnreadableError
from chainloop_ci.records import record

BLOCK_BYTES = 1024 * 1024
_PIECE_BYTES = 256 * 1024
"""What goes into the socket at once: small enough for a slow line's send timeout."""
_BLOCKS_AHEAD = 4

Progress = Callable[[int], None]
"""Called with the number of bytes that were just sent or received."""


class HashedUpload:
    """One pass over a file: a thread reads and hashes ahead while the caller sends.

    `begin` starts from where the source stood at first, so that a lost connection can be tried again.
    """

    def __init__(self, source: BinaryIO, name: str, size_bytes: int | None, progress: Progress | None = None) -> None:
        self._source = source
        self._name = name
        self._expected = size_bytes
        self._progress = progress or (lambda count: None)
        self.repeatable = source.seekable()
        self._start = source.tell() if self.repeatable else 0
        self._begun = False
        self._digest: Digest | None = None

    @property
    def digest(self) -> Digest:
        """Return the digest of what was sent; only after the last piece."""
        if self._digest is None:
            raise FileUnreadableError(f"{self._name} was not sent to its end")
        return self._digest

    def begin(self) -> Iterator[memoryview]:
        """Yield the pieces to send.

        Raises:
            FileUnreadableError: reading failed, or the file changed its size meanwhile.
        """
        if self._begun:
            self._source.seek(self._start)
        self._begun = True
        hasher = hashlib.sha256()
        sent = 0
        for block in _read_ahead(self._source, hasher.update, self._name):
            sent += len(block)
            if self._expected is not None and sent > self._expected:
                raise self._changed(f"at least {sent}")
            for piece in _pieces(block):
                yield piece
                self._progress(len(piece))
        if self._expected is not None and sent < self._expected:
            raise self._changed(str(sent))
        self._digest = digest_of_hex(hasher.hexdigest())

    def _changed(self, found: str) -> FileUnreadableError:
        return FileUnreadableError(
            f"{self._name} changed while it was read: it had {self._expected} bytes, then {found}",
            hint="add it after the step that writes it has ended",
        )


def _pieces(block: bytes) -> Iterator[memoryview]:
    view = memoryview(block)
    for begin in range(0, len(view), _PIECE_BYTES):
        yield view[begin : begin + _PIECE_BYTES]


def _read_ahead(source: BinaryIO, hash_block: Callable[[bytes], None], name: str) -> Iterator[bytes]:
    """Yield the blocks of `source` that a thread reads and hashes, a few ahead of the caller."""
    ready: queue.Queue[bytes | BaseException] = queue.Queue(_BLOCKS_AHEAD)
    stop = threading.Event()
    thread = threading.Thread(target=_fill, args=(source, hash_block, ready, stop), daemon=True)
    thread.start()
    try:
        while block := ready.get():
            if isinstance(block, BaseException):
                raise FileUnreadableError(f"{name} cannot be read: {block}") from block
            yield block
    finally:
        stop.set()
        while thread.is_alive():
            # The thread may wait for room in the queue.
            while not ready.empty():
                ready.get_nowait()
            thread.join(0.01)


def _fill(
    source: BinaryIO,
    hash_block: Callable[[bytes], None],
    ready: queue.Queue[bytes | BaseException],
    stop: threading.Event,
) -> None:
    try:
        while not stop.is_set() and (block := source.read(BLOCK_BYTES)):
            hash_block(block)
            ready.put(block)
        ready.put(b"")
    except (OSError, ValueError) as error:
        ready.put(error)


@record
class Received:
    """What was downloaded."""

    digest: Digest
    size_bytes: int


def receive(blocks: Iterable[bytes], sink: IO[bytes], expected: Digest, progress: Progress | None = None) -> Received:
    """Write `blocks` to `sink` and compare their digest; the caller throws the sink away when this raises.

    Raises:
        DigestMismatchError: other bytes came than were asked for.
    """
    hasher = hashlib.sha256()
    size = 0
    for block in blocks:
        hasher.update(block)
        sink.write(block)
        size += len(block)
        if progress is not None:
            progress(len(block))
    found = digest_of_hex(hasher.hexdigest())
    if found != expected:
        raise DigestMismatchError(expected, found, "nothing of it was kept")
    return Received(found, size)


def file_name(headers: Mapping[str, str], digest: Digest) -> str:
    """Return the name that an answer suggests for a file, made harmless: no folder, no hidden file, no control byte."""
    from email.message import Message

    message = Message()
    message["Content-Disposition"] = next(
        (value for name, value in headers.items() if name.lower() == "content-disposition"), ""
    )
    named = (message.get_filename() or "").replace("\\", "/").rpartition("/")[2]
    clean = "".join(character for character in named if character.isprintable()).strip().lstrip(".")
    while len(clean.encode("utf-8", "replace")) > _LONGEST_NAME:
        clean = clean[:-1]
    return clean or digest.replace(":", "-")


_LONGEST_NAME = 200
"""In bytes; file systems take 255."""
