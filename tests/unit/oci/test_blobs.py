"""The entries of a tar that claims to be an image; `test_layout` reads whole images from it."""

from __future__ import annotations

import io
import tarfile

import pytest

from chainloop_ci.errors import LimitExceededError
from chainloop_ci.oci import blobs
from chainloop_ci.oci.blobs import open_tar


def pack(count: int) -> io.BytesIO:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for number in range(count):
            tar.addfile(tarfile.TarInfo(f"blobs/{number}"))
    file.seek(0)
    return file


def test_t27_an_archive_with_too_many_entries_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobs, "MAX_ENTRIES", 3)

    with pytest.raises(LimitExceededError, match="at most 3 entries"), open_tar(pack(4), "image.tar"):
        pass


def test_t27_the_last_entry_that_is_allowed_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobs, "MAX_ENTRIES", 3)

    with open_tar(pack(3), "image.tar") as found:
        assert found.names == {"blobs/0", "blobs/1", "blobs/2"}


def test_t27_entries_that_are_no_files_count_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobs, "MAX_ENTRIES", 3)
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for number in range(4):
            folder = tarfile.TarInfo(f"folder-{number}")
            folder.type = tarfile.DIRTYPE
            tar.addfile(folder)
    file.seek(0)

    with pytest.raises(LimitExceededError), open_tar(file, "image.tar"):
        pass


def test_t27_a_sparse_entry_is_no_file_whatever_size_it_claims() -> None:
    sparse = tarfile.TarInfo("blobs/sparse")
    header = bytearray(sparse.tobuf(tarfile.GNU_FORMAT))
    header[156:157] = tarfile.GNUTYPE_SPARSE
    header[386:410] = tarfile.itn(0, 12, tarfile.GNU_FORMAT) * 2
    header[483:495] = tarfile.itn(1 << 42, 12, tarfile.GNU_FORMAT)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    file = io.BytesIO(bytes(header) + b"\0" * 1024)

    with open_tar(file, "image.tar") as found:
        assert found.names == frozenset()
        assert found.open("blobs/sparse") is None


def test_t27_a_sparse_entry_of_the_pax_form_is_no_file() -> None:
    sparse = tarfile.TarInfo("blobs/sparse")
    sparse.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(1 << 42)}
    content = b"0\n".ljust(512, b"\0")
    sparse.size = len(content)
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(sparse, io.BytesIO(content))
    file.seek(0)

    with open_tar(file, "image.tar") as found:
        assert found.names == frozenset()
