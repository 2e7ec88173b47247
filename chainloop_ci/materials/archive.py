"""Reading the files of one kind out of a zip or a gzip-compressed tar, as streams and under limits.

Nothing is written to disk, so names of entries (`../`, absolute, links) lead nowhere. The limits are those of reference
section 1.3 (`--max-extract-entries`, `--max-extract-size`) plus a ratio; they count bytes that come out.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from chainloop_ci.materials.rejection import rejected
from chainloop_ci.materials.types import Form
from chainloop_ci.records import record

_CHUNK_BYTES = 64 * 1024
_MIB = 1024 * 1024
_CENTRAL_HEADER = b"PK\x01\x02"
_ENCRYPTED = 0x1


@record
class ArchiveLimits:
    """How much may come out of an archive."""

    max_entries: int = 10_000
    max_bytes: int = 1024 * _MIB
    max_ratio: int = 100
    """Bytes out per byte in; judged only above `ratio_floor_bytes`."""
    ratio_floor_bytes: int = 32 * _MIB
    max_header_bytes: int = 1 * _MIB
    """Largest extended header of a tar entry."""


def iter_members(
    raw: bytes, form: Form, suffix: str, expected: str, limits: ArchiveLimits | None = None
) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Yield name and content of each regular file whose name ends in `suffix`; read one content before the next.

    `form` is ZIP or GZIP. Names that begin with `._` are left out: they hold what macOS knows about a file.

    Raises:
        MaterialRejectedError: broken, encrypted, or over a limit.
    """
    meter = _Meter(limits or ArchiveLimits(), len(raw), expected)
    with _refusing(expected):
        yield from _iter_zip(raw, suffix, meter) if form is Form.ZIP else _iter_tar(raw, suffix, meter)


def prepare_archives() -> None:
    """Import now what reading an archive imports."""
    import gzip  # noqa: F401
    import struct  # noqa: F401
    import tarfile  # noqa: F401
    import zipfile  # noqa: F401
    import zlib  # noqa: F401


class _Meter:
    """Counts what comes out of one archive and stops it at the limits."""

    def __init__(self, limits: ArchiveLimits, size_bytes: int, expected: str) -> None:
        self.limits, self.size_bytes, self.expected = limits, size_bytes, expected
        self.entries = self.bytes_out = 0

    def add_entries(self, count: int) -> None:
        self.entries += count
        if self.entries > self.limits.max_entries:
            raise rejected(self.expected, f"an archive with more than {self.limits.max_entries} entries")

    def add_bytes(self, count: int) -> None:
        self.bytes_out += count
        limits = self.limits
        if self.bytes_out > limits.max_bytes:
            raise rejected(self.expected, f"an archive that holds more than {limits.max_bytes} bytes")
        if self.bytes_out > max(limits.ratio_floor_bytes, limits.max_ratio * self.size_bytes):
            raise rejected(self.expected, f"an archive that unpacks to more than {limits.max_ratio} times its size")


@contextmanager
def _refusing(expected: str) -> Iterator[None]:
    """Turn what the readers of the standard library raise on broken archives into our error."""
    import struct
    import tarfile
    import zipfile
    import zlib

    try:
        yield
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        zlib.error,
        struct.error,
        OSError,
        EOFError,
        ValueError,
        NotImplementedError,
    ) as error:
        raise rejected(expected, f"an archive that cannot be read ({error})") from error


def _is_wanted(name: str, suffix: str) -> bool:
    base = name.rpartition("/")[2].lower()
    return base.endswith(suffix) and not base.startswith("._")


def _iter_zip(raw: bytes, suffix: str, meter: _Meter) -> Iterator[tuple[str, Iterator[bytes]]]:
    import zipfile

    # Before the directory is read, because reading it costs memory for every entry.
    meter.add_entries(raw.count(_CENTRAL_HEADER))
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        for entry in archive.infolist():
            if entry.filename.endswith("/") or not _is_wanted(entry.filename, suffix):
                continue
            if entry.flag_bits & _ENCRYPTED:
                raise rejected(meter.expected, "an encrypted zip archive", hint="write it without a password")
            if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise rejected(meter.expected, f"a zip archive with compression method {entry.compress_type}")
            with archive.open(entry) as stream:
                yield entry.filename, _read_zip_entry(stream, meter)


def _read_zip_entry(stream: IO[bytes], meter: _Meter) -> Iterator[bytes]:
    with _refusing(meter.expected):
        while chunk := stream.read(_CHUNK_BYTES):
            meter.add_bytes(len(chunk))
            yield chunk


def _iter_tar(raw: bytes, suffix: str, meter: _Meter) -> Iterator[tuple[str, Iterator[bytes]]]:
    import gzip
    import tarfile

    with (
        gzip.GzipFile(fileobj=io.BytesIO(raw)) as plain,
        tarfile.open(fileobj=_Metered(plain, meter), mode="r:") as tar,
    ):
        for entry in tar:
            meter.add_entries(1)
            stream = tar.extractfile(entry) if entry.isreg() and _is_wanted(entry.name, suffix) else None
            if stream:
                yield entry.name, _read_tar_entry(stream, meter)


def _read_tar_entry(stream: IO[bytes], meter: _Meter) -> Iterator[bytes]:
    with _refusing(meter.expected):
        while chunk := stream.read(_CHUNK_BYTES):
            yield chunk


class _Metered(io.RawIOBase):
    """A forward-only view on decompressed bytes that counts everything, what tarfile skips included."""

    def __init__(self, stream: io.BufferedIOBase, meter: _Meter) -> None:
        super().__init__()
        self._stream, self._meter, self._position = stream, meter, 0

    def read(self, size: int = -1) -> bytes:
        # tarfile reads an extended header in one piece, as large as the archive claims it to be.
        if not 0 <= size <= self._meter.limits.max_header_bytes:
            raise rejected(self._meter.expected, "a tar archive with an oversized header")
        chunk = self._stream.read(size)
        self._position += len(chunk)
        self._meter.add_bytes(len(chunk))
        return chunk

    def tell(self) -> int:
        return self._position

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET or position < self._position:
            raise OSError("a tar archive that refers back")
        while self._position < position and self.read(min(_CHUNK_BYTES, position - self._position)):
            pass
        return self._position
