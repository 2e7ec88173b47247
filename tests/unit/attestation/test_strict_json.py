from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainloop_ci.attestation.strict_json import MAX_DEPTH, MAX_INTEGER, join_pointer, parse_strict
from chainloop_ci.errors import ChainloopError, JsonInvalidError, LimitExceededError


def codes(raw: bytes) -> list[str]:
    with pytest.raises(JsonInvalidError) as caught:
        parse_strict(raw)
    return [finding.code for finding in caught.value.findings]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"null", None),
        (b" [1, -2, 0.5, 1e3, true, false] ", [1, -2, 0.5, 1000.0, True, False]),
        (b'{"a": {"b": ["\\u00e9", "\xc3\xa9", "\\ud83d\\ude00"]}}', {"a": {"b": ["é", "é", "\U0001f600"]}}),
        (b'{"": 0, "a": "", "b": "\\\\ud800"}', {"": 0, "a": "", "b": "\\ud800"}),
        (str(MAX_INTEGER).encode(), MAX_INTEGER),
        (str(-MAX_INTEGER).encode(), -MAX_INTEGER),
    ],
)
def test_plain_json_is_read(raw: bytes, expected: object) -> None:
    assert parse_strict(raw) == expected


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b'{"a": 1, "a": 1}', "json-duplicate-key"),
        (b'{"a": 1, "\\u0061": 2}', "json-duplicate-key"),
        (b'{"payload": 1, "Payload": 2}', "json-case-variant"),
        ('{"s": 1, "ſ": 2}'.encode(), "json-case-variant"),
        (b"[NaN]", "json-constant"),
        (b"Infinity", "json-constant"),
        (b"-Infinity", "json-constant"),
        (b"1e999", "json-number"),
        (b"-1e999", "json-number"),
        (b'"\\ud800"', "json-surrogate"),
        (b'{"\\uDFFF": 1}', "json-surrogate"),
        (b"9007199254740993", "json-integer"),
        (b"-9007199254740993", "json-integer"),
        (b"1" * 5000, "json-integer"),
        (b'"\xff"', "json-encoding"),
        (b'"\xed\xa0\x80"', "json-encoding"),
        ('{"a": 1}'.encode("utf-16"), "json-encoding"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "json-depth"),
        (b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1), "json-depth"),
        (b"[" * 100_000, "json-depth"),
    ],
)
def test_r10_what_two_readers_could_read_differently_is_refused(raw: bytes, code: str) -> None:
    assert codes(raw) == [code]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"\xef\xbb\xbf{}",
        b"{",
        b"[1,]",
        b'{"a":1,}',
        b"{'a':1}",
        b"{a:1}",
        b"[1 2]",
        b"{} {}",
        b"01",
        b"+1",
        b"1.",
        b".5",
        b"0x10",
        b"True",
        b"nul",
        b'"\n"',
        b'"\\x41"',
        b'"\\u12"',
        b'"open',
        b"// comment\n1",
        b"[1]/* */",
        b"\x0c1",
        b"1\x00",
        "１".encode(),
        b"nan",
        b"-",
    ],
)
def test_t24_broken_syntax_is_refused_with_its_place(raw: bytes) -> None:
    with pytest.raises(JsonInvalidError) as caught:
        parse_strict(raw)

    [finding] = caught.value.findings
    assert finding.code == "json-syntax"
    assert finding.line is not None and finding.column is not None


def test_everything_that_is_wrong_is_listed_with_its_pointer() -> None:
    raw = b'{"a": [NaN, 9007199254740993], "b/c": {"x": 1, "x": 2, "X": "\\ud800"}}'

    with pytest.raises(JsonInvalidError) as caught:
        parse_strict(raw)

    assert [(finding.code, finding.path) for finding in caught.value.findings] == [
        ("json-constant", "/a/0"),
        ("json-integer", "/a/1"),
        ("json-duplicate-key", "/b~1c"),
        ("json-case-variant", "/b~1c"),
        ("json-surrogate", "/b~1c/X"),
    ]


def test_the_deepest_nesting_that_is_allowed_is_read() -> None:
    raw = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH

    assert json.dumps(parse_strict(raw)).encode() == raw


def test_brackets_inside_strings_are_not_nesting() -> None:
    text = "[{" * 100 + '"\\[' * 50

    assert parse_strict(json.dumps([text, text]).encode()) == [text, text]


def test_t24_an_unterminated_string_of_escaped_quotes_is_refused_in_linear_time() -> None:
    raw = b"[" * 65 + b'"' + b'\\"' * 2_000_000

    assert codes(raw) == ["json-depth"]
    assert codes(b"[]" * 65 + b'"' + b'\\"' * 2_000_000) == ["json-syntax"]


def test_a_document_over_the_limit_is_refused_with_both_numbers() -> None:
    with pytest.raises(LimitExceededError, match="at most 10 bytes, found 11"):
        parse_strict(b'"123456789"', max_bytes=10)


def test_a_pointer_can_always_be_sent() -> None:
    assert join_pointer("/a", "~/\ud800") == "/a/~0~1\\ud800"


@given(st.binary(max_size=300))
def test_t24_arbitrary_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        parse_strict(raw)
    except ChainloopError as error:
        assert error.findings


_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
_scalars = st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | _texts
_documents = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abcdefg"), inner, max_size=4),
    max_leaves=20,
)


@given(_documents)
def test_what_json_writes_is_read_back(document: object) -> None:
    assert parse_strict(json.dumps(document).encode()) == document
    assert parse_strict(json.dumps(document, ensure_ascii=False).encode()) == document


def test_r10_depth_is_what_counts_and_not_the_number_of_brackets() -> None:
    deepest = b"[" * (MAX_DEPTH - 1) + b"[],[]" + b"]" * (MAX_DEPTH - 1)
    deeper = b"[" * (MAX_DEPTH - 1) + b"[],[[]]" + b"]" * (MAX_DEPTH - 1)

    assert isinstance(parse_strict(deepest), list)
    with pytest.raises(JsonInvalidError) as caught:
        parse_strict(deeper)
    assert [finding.code for finding in caught.value.findings] == ["json-depth"]


def test_a_document_of_exactly_the_limit_is_read() -> None:
    assert parse_strict(b"[1, 2]", max_bytes=6) == [1, 2]
