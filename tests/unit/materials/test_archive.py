"""Reading archives under limits."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chainloop_ci.errors import MaterialRejectedError
from chainloop_ci.materials.archive import ArchiveLimits, iter_members
from chainloop_ci.materials.types import Form

SMALL = ArchiveLimits(max_entries=5, max_bytes=100_000, max_ratio=10, ratio_floor_bytes=20_000)
FILES = {"a.xml": b"<a/>", "d/B.XML": b"<b/>" * 30_000, "c.txt": b"no", "d/._e.xml": b"no"}


def make_zip(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def make_tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def read(raw: bytes, form: Form, limits: ArchiveLimits | None = None) -> dict[str, bytes]:
    members = iter_members(raw, form, ".xml", "an archive of reports", limits)
    return {name: b"".join(chunks) for name, chunks in members}


def refused(raw: bytes, form: Form, limits: ArchiveLimits | None = None) -> str:
    with pytest.raises(MaterialRejectedError) as caught:
        read(raw, form, limits)
    return caught.value.message.removeprefix("expected an archive of reports, found ")


BOTH = pytest.mark.parametrize(("make", "form"), [(make_zip, Form.ZIP), (make_tar, Form.GZIP)], ids=["zip", "tar.gz"])


@BOTH
def test_the_wanted_files_come_out_whole(make, form):
    assert read(make(FILES), form) == {name: FILES[name] for name in ("a.xml", "d/B.XML")}


@BOTH
def test_names_that_climb_out_are_only_names(make, form):
    assert read(make({"../../etc/a.xml": b"<a/>", "/abs.xml": b"<b/>"}), form).keys() == {"../../etc/a.xml", "/abs.xml"}


@BOTH
def test_too_many_entries_are_refused(make, form):
    assert refused(make({f"{n}.txt": b"" for n in range(6)}), form, SMALL) == "an archive with more than 5 entries"


@BOTH
def test_too_many_bytes_are_refused(make, form):
    noise = b"".join(n.to_bytes(4) * 1 for n in range(30_000))

    assert refused(make({"a.xml": noise}), form, SMALL) == "an archive that holds more than 100000 bytes"


@BOTH
def test_a_bomb_is_refused(make, form):
    assert (
        refused(make({"a.xml": b" " * 90_000}), form, SMALL) == "an archive that unpacks to more than 10 times its size"
    )


def test_what_a_tar_skips_counts_too():
    assert "10 times its size" in refused(make_tar({"a.bin": b" " * 90_000, "b.xml": b"<a/>"}), Form.GZIP, SMALL)


def test_an_oversized_header_of_a_tar_is_refused():
    entry = tarfile.TarInfo("././@PaxHeader")
    entry.type, entry.size = tarfile.XHDTYPE, 50_000_000
    raw = gzip.compress(entry.tobuf() + bytes(50_000_000))

    assert refused(raw, Form.GZIP, ArchiveLimits(ratio_floor_bytes=10**9)) == "a tar archive with an oversized header"


def test_an_encrypted_zip_is_refused_with_advice():
    raw = bytearray(make_zip({"a.xml": b"<a/>"}))
    raw[6] |= 1
    raw[raw.index(b"PK\x01\x02") + 8] |= 1

    assert refused(bytes(raw), Form.ZIP) == "an encrypted zip archive"


def test_an_unusual_compression_is_refused():
    assert refused(make_zip(FILES, zipfile.ZIP_LZMA), Form.ZIP) == "a zip archive with compression method 14"


@BOTH
def test_a_cut_archive_is_refused(make, form):
    assert refused(make(FILES)[:-100], form).startswith("an archive that cannot be read")


def test_a_wrong_checksum_is_refused():
    raw = make_zip({"a.xml": b"<aaaa/>"}, zipfile.ZIP_STORED).replace(b"<aaaa/>", b"<aaab/>")

    assert "CRC" in refused(raw, Form.ZIP)


def test_gzip_of_a_single_file_is_no_tar():
    assert refused(gzip.compress(b"<testsuite/>" * 100), Form.GZIP).startswith("an archive that cannot be read")


def test_links_in_a_tar_are_left_out():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        link = tarfile.TarInfo("a.xml")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)

    assert read(buffer.getvalue(), Form.GZIP) == {}


@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=8), st.sampled_from([Form.ZIP, Form.GZIP])
)
@example([(0, 0)], Form.ZIP)
def test_damaged_archives_are_read_or_refused(damage, form):
    raw = bytearray(make_zip({"a.xml": b"<a/>", "b.xml": b"<b/>"}))
    if form is Form.GZIP:
        raw = bytearray(gzip.decompress(make_tar({"a.xml": b"<a/>", "b.xml": b"<b/>"})))
    for position, value in damage:
        raw[position % len(raw)] = value

    try:
        read(bytes(raw) if form is Form.ZIP else gzip.compress(bytes(raw)), form, SMALL)
    except MaterialRejectedError as error:
        assert error.findings
