from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Mapping
from typing import Any

import pytest

from chainloop_ci.client.transfers import BLOCK_BYTES, HashedUpload, file_name, receive
from chainloop_ci.digests import Digest, sha256_digest
from chainloop_ci.errors import DigestMismatchError, FileUnreadableError

CONTENT = bytes(range(256)) * 10_000
DIGEST = sha256_digest(CONTENT)


class Unseekable(io.BytesIO):
    """A pipe."""

    def seekable(self) -> bool:
        return False


class Broken(io.BytesIO):
    """A disk that fails after the first block."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell():
            raise OSError("input/output error")
        return super().read(10)


class Endless(io.RawIOBase):
    """A source that counts what was taken from it."""

    def __init__(self) -> None:
        self.blocks = 0

    def read(self, size: int = -1) -> bytes:
        self.blocks += 1
        return bytes(size)

    def seekable(self) -> bool:
        return False


@pytest.mark.parametrize("size", [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES])
def test_the_bytes_sent_are_the_bytes_hashed(size: int) -> None:
    content = CONTENT[: size % 1000] + bytes(size - size % 1000)
    upload = HashedUpload(io.BytesIO(content), "f", size)

    sent = b"".join(upload.begin())

    assert (sent, upload.digest) == (content, sha256_digest(content))


def test_progress_adds_up_to_the_size() -> None:
    steps: list[int] = []

    for _ in HashedUpload(io.BytesIO(CONTENT), "f", None, steps.append).begin():
        pass

    assert sum(steps) == len(CONTENT)


def test_an_upload_begins_again_where_it_began() -> None:
    source = io.BytesIO(b"skip" + CONTENT)
    source.seek(4)
    upload = HashedUpload(source, "f", len(CONTENT))
    first = upload.begin()
    next(first)
    first.close()

    assert b"".join(upload.begin()) == CONTENT
    assert upload.digest == DIGEST


@pytest.mark.parametrize(("declared", "found"), [(len(CONTENT) + 1, str(len(CONTENT))), (len(CONTENT) - 1, "at least")])
def test_a_file_that_changes_its_size_meanwhile_is_refused(declared: int, found: str) -> None:
    upload = HashedUpload(io.BytesIO(CONTENT), "app.bin", declared)

    with pytest.raises(FileUnreadableError, match=rf"app\.bin changed .* {found}"):
        list(upload.begin())


def test_not_one_byte_more_than_declared_is_sent() -> None:
    upload = HashedUpload(io.BytesIO(CONTENT), "f", 5)
    sent = 0

    with pytest.raises(FileUnreadableError):
        for piece in upload.begin():
            sent += len(piece)

    assert sent <= 5


def test_a_disk_that_fails_is_named() -> None:
    with pytest.raises(FileUnreadableError, match=r"app\.bin cannot be read: input/output error"):
        list(HashedUpload(Broken(CONTENT), "app.bin", None).begin())


def test_there_is_no_digest_before_the_end() -> None:
    upload = HashedUpload(io.BytesIO(CONTENT), "f", None)
    next(upload.begin())

    with pytest.raises(FileUnreadableError):
        _ = upload.digest


def test_a_pipe_cannot_be_sent_again() -> None:
    assert HashedUpload(Unseekable(CONTENT), "f", None).repeatable is False


def test_reading_stays_a_few_blocks_ahead_and_stops_with_the_reader() -> None:
    source = Endless()
    before = threading.active_count()
    pieces = HashedUpload(source, "f", None).begin()  # type: ignore[arg-type]  # enough of a file

    next(pieces)
    pieces.close()

    assert source.blocks <= 16
    assert threading.active_count() == before


def test_a_download_is_written_and_compared() -> None:
    sink = io.BytesIO()
    steps: list[int] = []

    received = receive([CONTENT[:10], CONTENT[10:]], sink, DIGEST, steps.append)

    assert (sink.getvalue(), received.size_bytes, sum(steps)) == (CONTENT, len(CONTENT), len(CONTENT))


def test_other_bytes_than_asked_for_are_refused_with_both_digests() -> None:
    with pytest.raises(DigestMismatchError) as caught:
        receive([b"other"], io.BytesIO(), DIGEST)

    assert DIGEST in str(caught.value)
    assert hashlib.sha256(b"other").hexdigest() in str(caught.value)


NAMELESS = Digest("sha256:" + "a" * 64)


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('attachment; filename="rootfs.tar.gz"', "rootfs.tar.gz"),
        ("attachment; filename*=UTF-8''caf%C3%A9.txt", "café.txt"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ('attachment; filename="..\\\\..\\\\x.exe"', "x.exe"),
        ('attachment; filename="/abs"', "abs"),
        ('attachment; filename=".bashrc"', "bashrc"),
        ('attachment; filename=".."', "sha256-" + "a" * 64),
        ('attachment; filename="a\x1b[31mb"', "a[31mb"),
        ("attachment; filename*=UTF-8''a%00b%0Ac", "abc"),
        ("attachment", "sha256-" + "a" * 64),
        ("", "sha256-" + "a" * 64),
    ],
)
def test_a_suggested_file_name_is_made_harmless(disposition: str, name: str) -> None:
    assert file_name({"content-disposition": disposition}, NAMELESS) == name


def test_a_suggested_file_name_has_a_limit() -> None:
    headers: Mapping[str, Any] = {"Content-Disposition": f'attachment; filename="{"ü" * 500}"'}

    assert len(file_name(headers, NAMELESS).encode()) <= 200
