"""Reading JSON and naming what is not JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainloop_ci.errors import MaterialRejectedError
from chainloop_ci.materials.json_document import name_document, read_object, shorten, value_at


def refused(raw: bytes) -> MaterialRejectedError:
    with pytest.raises(MaterialRejectedError) as caught:
        read_object(raw, "a thing (JSON)")
    return caught.value


def test_an_object_is_returned():
    assert read_object(b' {"a": [1, null]}\n', "a thing") == {"a": [1, None]}


def test_a_utf8_byte_order_mark_is_ignored():
    assert read_object(b'\xef\xbb\xbf{"a": 1}', "a thing") == {"a": 1}


def test_a_whole_surrogate_pair_is_a_character():
    assert read_object(rb'{"a": "\ud83d\ude00"}', "a thing") == {"a": "\U0001f600"}


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (b"", "an empty file"),
        (b" \n\t", "a file of white space only"),
        (b"hello\n", "text that is not JSON (line 1, column 1: Expecting value)"),
        (b'{"a": 1,\n "b" 2}', "broken JSON (line 2, column 6: Expecting ':' delimiter)"),
        (b'{"a": 1}\n{"a": 2}', "broken JSON (line 2, column 1: Extra data)"),
        (b'{"NaN": "NaN",\n "b": NaN}', "broken JSON (line 2, column 7: NaN is not a JSON value)"),
        (b"[-Infinity]", "broken JSON (line 1, column 2: -Infinity is not a JSON value)"),
        (b'{"a": {"b": 1, "b": 1}}', 'JSON in which the member "b" stands twice in one object'),
        (b"[]", "an empty JSON array ([])"),
        (b"[1]", "a JSON array"),
        (b"12", "a JSON integer"),
        (b"null", "a JSON null"),
        (b"<a/>", "XML (line 1, column 1: Expecting value)"),
        (b"PK\x03\x04", "a zip archive"),
        (b"\x1f\x8b\x08", "gzip-compressed data"),
        (b"\x7fELF\x00", "binary data"),
        (b'{"a":\n"\xff"}', "text that is not UTF-8 (line 2, byte 7)"),
        ('{"a": 1}'.encode("utf-16"), "UTF-16 text"),
        ('{"a": 1}'.encode("utf-32"), "UTF-32 text"),
        (rb'{"a": "\ud83d!"}', r"JSON with half a character (an unpaired \ud800 to \udfff)"),
        (b"[" * 100_000, "JSON that is nested too deeply to be read"),
        (b'{"a": 1' + b"0" * 5000 + b"}", "JSON with a number of several thousand digits"),
    ],
)
def test_what_is_no_json_object_is_named(raw, found):
    assert refused(raw).message == f"expected a thing (JSON), found {found}"


def test_a_syntax_error_is_a_finding_with_line_and_column():
    [finding] = refused(b'{\n  "a": tru\n}').findings

    assert (finding.code, finding.line, finding.column) == ("json-syntax", 2, 8)


@pytest.mark.parametrize(
    ("document", "name"),
    [
        ({}, "an empty JSON object ({})"),
        ({"bomFormat": "CycloneDX", "specVersion": "1.5"}, 'a CycloneDX "1.5" SBOM'),
        ({"spdxVersion": "SPDX-2.3"}, 'an SPDX document ("SPDX-2.3")'),
        ({"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"}, "an SPDX 3 document"),
        ({"version": "2.1.0", "runs": []}, 'a SARIF log (version "2.1.0")'),
        ({"a": 1, "b": 2}, 'a JSON object with "a", "b"'),
        (dict.fromkeys("abcdefg"), 'a JSON object with "a", "b", "c", "d", "e", …'),
    ],
)
def test_a_document_is_named_by_what_it_says_of_itself(document, name):
    assert name_document(document) == name


def test_a_long_value_is_cut():
    assert len(shorten("x" * 1000)) == 40


def test_a_value_is_found_by_its_path():
    assert value_at({"a": [{"b": 1}]}, ("a", 0, "b")) == 1


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw):
    try:
        document = read_object(raw, "a thing")
    except MaterialRejectedError as error:
        assert error.findings
    else:
        assert isinstance(document, dict)


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.none()))
def test_any_object_is_named_in_a_short_line(document):
    assert len(name_document(document)) < 300
    assert read_object(json.dumps(document).encode(), "a thing") == document
