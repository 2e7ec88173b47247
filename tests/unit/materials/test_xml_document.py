"""Reading XML as a stream."""

from __future__ import annotations

import pytest

from chainloop_ci.errors import MaterialRejectedError
from chainloop_ci.materials.xml_document import MAX_DEPTH, outline_xml

WANTED = frozenset({"b"})
BOMB = b"""<!DOCTYPE a [<!ENTITY x "xxxxxxxxxx"><!ENTITY y "&x;&x;&x;&x;&x;&x;">]>\n<a>&y;</a>"""


def refused(raw: bytes, file: str = "") -> MaterialRejectedError:
    with pytest.raises(MaterialRejectedError) as caught:
        outline_xml([raw], WANTED, "some XML", file)
    return caught.value


def test_root_and_wanted_elements_are_kept():
    outline = outline_xml([b"<a><b/><c><b x='1'/>", b"</c></a>"], WANTED, "some XML")

    assert (outline.root, outline.counts) == ("a", {"b": 2})


def test_namespaces_do_not_count():
    assert outline_xml([b'<n:a xmlns:n="urn:n"><n:b/></n:a>'], WANTED, "some XML").counts == {"b": 1}


def test_broken_xml_has_a_line_and_a_column():
    error = refused(b"<a>\n  <b>\n</a>")

    assert error.message == "expected some XML, found broken XML (line 3, column 3: mismatched tag)"
    assert (error.findings[0].line, error.findings[0].column) == (3, 3)


@pytest.mark.parametrize("raw", [BOMB, b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', b"<!DOCTYPE a><a/>"])
def test_a_document_type_declaration_is_refused(raw):
    error = refused(raw)

    assert "XML with a document type declaration" in error.message
    assert error.findings[0].line == 1


def test_an_entry_of_an_archive_is_named():
    assert "(reports/x.xml, line 1, column" in refused(b"<a>", "reports/x.xml").message


def test_nothing_at_all_is_refused():
    assert "no element found" in refused(b"").message


def test_t27_elements_that_are_nested_too_deeply_are_refused():
    assert outline_xml([b"<b>" * MAX_DEPTH, b"</b>" * MAX_DEPTH], WANTED, "some XML").counts == {"b": MAX_DEPTH}
    assert "nested more than 1000 deep" in refused(b"<b>" * (MAX_DEPTH + 1)).message


def test_t27_reading_ends_with_the_last_element_that_is_allowed():
    read: list[bytes] = []

    def chunks():
        for chunk in (b"<a>", b"<b/><b/><b/>", b"never read"):
            read.append(chunk)
            yield chunk

    with pytest.raises(MaterialRejectedError, match=r"more than 1000000 elements \(x.xml\)"):
        outline_xml(chunks(), WANTED, "some XML", "x.xml", max_elements=3)

    assert read == [b"<a>", b"<b/><b/><b/>"]


@pytest.mark.parametrize("encoding", ["klingon", "shift_jis", "idna", "base64", "punycode", "undefined"])
def test_an_encoding_that_cannot_be_read_is_refused(encoding):
    raw = f'<?xml version="1.0" encoding="{encoding}"?><a/>'.encode()

    with pytest.raises(MaterialRejectedError, match="an encoding that cannot be read"):
        outline_xml([raw], frozenset(), "a report")
