"""JUNIT_XML."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from functools import partial

import pytest

from chainloop_ci.contract.types import MaterialType

TYPE = MaterialType.JUNIT_XML
SUITE = b"<testsuite name='a'/>"


@pytest.fixture
def check(check):
    return partial(check, TYPE)


@pytest.fixture
def refuse(refuse):
    return partial(refuse, TYPE)


def make_zip(method: int = zipfile.ZIP_STORED, **files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(f"reports/{name}.xml", content)
    return buffer.getvalue()


def make_tar(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"reports/{name}.xml")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


BOTH = pytest.mark.parametrize("make", [make_zip, make_tar])


def test_a_report_is_accepted_without_annotations(check, data):
    checked = check((data / "junit/valid.xml").read_bytes())

    assert (checked.annotations, checked.warnings) == ({}, ())


@pytest.mark.parametrize("raw", [SUITE, b"<testsuites>" + SUITE + b"</testsuites>", SUITE.decode().encode("utf-16")])
def test_one_suite_is_enough(check, raw):
    check(raw)


@BOTH
def test_an_archive_with_one_report_among_other_xml_is_accepted(check, make):
    check(make(pom=b"<project/>", report=SUITE))


@BOTH
def test_an_archive_without_suites_is_refused(refuse, make):
    assert "with 1 XML files and no test suite" in refuse(make(pom=b"<project/>")).message


@BOTH
def test_a_broken_file_in_an_archive_is_named_with_its_line(refuse, make):
    [finding] = refuse(make(a=SUITE, b=b"<testsuite>\n<x>\n</testsuite>")).findings

    assert (finding.path, finding.line) == ("reports/b.xml", 3)


def test_broken_xml_has_a_line(refuse, data):
    error = refuse((data / "junit/broken.xml").read_bytes())

    assert "found broken XML (line 5, column 5: mismatched tag)" in error.message


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (b"", "an empty file"),
        (b"hello", "text"),
        (b'{"a": 1}', "a JSON object"),
        (b"\x00\x01", "binary data"),
        (b"<coverage/>", "XML with the root element <coverage> and no test suite"),
        (b"<testsuites/>", "XML with the root element <testsuites> and no test suite"),
        (b"<!DOCTYPE a><testsuite/>", "XML with a document type declaration (line 1"),
        (b"PK\x03\x04", "an archive that cannot be read"),
        (gzip.compress(SUITE, mtime=0), "an archive that cannot be read"),
    ],
)
def test_anything_else_is_refused_by_name(refuse, raw, found):
    assert refuse(raw).message.startswith(
        f"expected a JUnit report (XML, or a zip or tar.gz of XML files), found {found}"
    )


def test_an_archive_without_xml_files_is_refused(refuse):
    assert "a zip archive without any .xml file" in refuse(make_zip()).message


@pytest.mark.parametrize("pack", [lambda xml: make_zip(zipfile.ZIP_DEFLATED, a=xml), lambda xml: make_tar(a=xml)])
def test_t27_a_bomb_is_refused_before_much_of_it_is_parsed(refuse, pack):
    raw = pack(b"<testsuite>" + b" " * 30_000_000 + b"</testsuite>")

    assert "unpacks to more than 100 times its size" in refuse(raw).message


def test_t30_a_report_of_too_many_elements_is_refused(refuse):
    raw = b"<testsuite>" + b"<a/>" * 1_000_000 + b"</testsuite>"

    assert "more than 1000000 elements" in refuse(raw).message


def test_t30_elements_of_an_archive_are_counted_together(refuse):
    half = b"<testsuite>" + b"<a/>" * 500_000 + b"</testsuite>"

    assert "more than 1000000 elements (reports/b.xml)" in refuse(make_zip(a=half, b=half)).message


def test_t27_an_archive_holds_at_most_64_mib(refuse):
    raw = make_zip(a=b"<testsuite>" + b"x" * 65 * 1024**2 + b"</testsuite>")

    assert "an archive that holds more than 67108864 bytes" in refuse(raw).message
