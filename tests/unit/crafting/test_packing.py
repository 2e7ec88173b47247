"""An archive of reports is the same wherever and whenever it is made, and says what cannot be in it."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainloop_ci.contract.types import MaterialType
from chainloop_ci.crafting.packing import Pack, PackedFile, make_archive
from chainloop_ci.digests import Digest, sha256_digest
from chainloop_ci.errors import FileUnreadableError, LimitExceededError, MaterialRejectedError
from chainloop_ci.materials.registry import get_kind

REPORT = b'<testsuites><testsuite name="s" tests="1"><testcase name="c"/></testsuite></testsuites>'
NAMES = st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="/\\"), min_size=1, max_size=20)


def archive(files: dict[str, bytes], **limits: int) -> bytes:
    """Return the archive of files in memory."""

    def open_file(path: str) -> io.BytesIO:
        if path not in files:
            raise FileUnreadableError(f"there is no file {path}")
        return io.BytesIO(files[path])

    return make_archive(Pack("tests.zip", tuple(PackedFile(name, name) for name in files)), open_file, **limits)


def test_the_bytes_of_an_archive_never_change() -> None:
    made = archive({"b.xml": REPORT, "a/ä.xml": b"<testsuites/>"})

    # Written down, so that a new version of Python, or of this code, that packs otherwise is seen.
    assert sha256_digest(made) == "sha256:a6e2e772be0d76cb6ce9a8c7e5ef19d17b3710fdd18489070c4ea18a9e22801a"


@given(st.dictionaries(NAMES.map(lambda name: f"d{name}.xml"), st.binary(max_size=200), min_size=1, max_size=8))
def test_the_order_of_the_files_changes_nothing_and_they_come_out_as_they_went_in(files) -> None:
    made = archive(files)

    assert archive(dict(reversed(files.items()))) == made
    with zipfile.ZipFile(io.BytesIO(made)) as opened:
        assert {entry.filename: opened.read(entry) for entry in opened.infolist()} == files
        assert opened.namelist() == sorted(files)


def test_the_registry_reads_what_is_packed() -> None:
    check = get_kind(MaterialType.JUNIT_XML).check
    assert check is not None

    assert check(archive({"a.xml": REPORT, "b.xml": b"<testsuites/>"}), True).warnings == ()
    with pytest.raises(MaterialRejectedError, match=r"b\.xml"):
        check(archive({"a.xml": REPORT, "b.xml": b"<broken"}), True)


def test_every_file_that_cannot_be_packed_is_named() -> None:
    with pytest.raises(MaterialRejectedError) as caught:
        archive({"a.xml": REPORT, "index.html": b"", "._a.xml": b"", "b\udcff.xml": b""})

    assert [finding.message.rpartition(" ")[2] for finding in caught.value.findings] == [
        "index.html",
        "._a.xml",
        "b\udcff.xml",
    ]


def test_every_file_that_cannot_be_opened_is_named() -> None:
    pack = Pack("tests.zip", (PackedFile("a.xml", "gone"), PackedFile("b.xml", "b.xml"), PackedFile("c.xml", "lost")))

    def open_file(path: str) -> io.BytesIO:
        if path != "b.xml":
            raise FileUnreadableError(f"there is no file {path}")
        return io.BytesIO(REPORT)

    with pytest.raises(MaterialRejectedError) as caught:
        make_archive(pack, open_file)

    assert [finding.message for finding in caught.value.findings] == ["there is no file gone", "there is no file lost"]


def test_a_file_that_is_not_what_its_checksum_says_is_refused_with_both_digests() -> None:
    other = Digest("sha256:" + "0" * 64)
    pack = Pack("tests.zip", (PackedFile("a.xml", "a.xml", expected=other),))

    with pytest.raises(MaterialRejectedError) as caught:
        make_archive(pack, lambda path: io.BytesIO(REPORT))

    assert other in caught.value.message
    assert sha256_digest(REPORT) in caught.value.message


def test_more_than_is_read_out_again_is_not_packed() -> None:
    room = 2 * len(REPORT)

    assert archive({"a.xml": REPORT, "b.xml": REPORT}, max_bytes=room)
    with pytest.raises(LimitExceededError, match="larger than one archive"):
        archive({"a.xml": REPORT, "b.xml": REPORT, "c.xml": b"<"}, max_bytes=room)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a.xml": b"<" * 11}, "a.xml is larger than one archive may be (10 bytes)"),
        (
            {"a.xml": b"<" * 7, "b.xml": b"<" * 4},
            "b.xml and the reports before it are larger than one archive may be (10 bytes): 3 bytes were left",
        ),
    ],
    ids=["alone", "with others"],
)
def test_a_refusal_says_the_limit_that_was_reached(files: dict[str, bytes], said: str) -> None:
    with pytest.raises(LimitExceededError) as caught:
        archive(files, max_bytes=10)

    assert caught.value.message == said


def test_more_files_than_are_read_out_again_are_not_packed() -> None:
    assert archive({"a.xml": REPORT, "b.xml": REPORT}, max_files=2)
    with pytest.raises(LimitExceededError, match="3 files are to be packed, at most 2 are"):
        archive({"a.xml": REPORT, "b.xml": REPORT, "c.xml": REPORT}, max_files=2)
