"""Texts that every JSON parser must accept (y), and that it must refuse (n): RFC 8259, each rule tried from both sides.

Named as in JSONTestSuite. What the standard leaves open (its i_ texts) is refused here: see `test_strict_json.py`.
"""

from __future__ import annotations

import pytest

from chainloop_ci.attestation.strict_json import parse_strict
from chainloop_ci.errors import JsonInvalidError

_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_NUMBERS = ("0", "-0", "1", "-1", "123", "20e1", "1E22", "1E-2", "1E+2", "1e2", "0.5", "-0.1", "123.456e78", "0e1",
            "0e+1",
            "123e45", "1.5e-10", "0.000000000000000000000000000000000000000000000000000000000001")  # fmt: skip
_SPACES = ("", " ", "\t", "\n", "\r", " \t\r\n ")

ACCEPTED: dict[str, tuple[str, object]] = {
    "array_empty": ("[]", []),
    "array_empty_string": ('[""]', [""]),
    "array_ending_with_newline": ('["a"]\n', ["a"]),
    "array_heterogeneous": ('[null, 1, "1", {}]', [None, 1, "1", {}]),
    "array_with_several_null": ("[1,null,null,null,2]", [1, None, None, None, 2]),
    "object_empty": ("{}", {}),
    "object_empty_key": ('{"":0}', {"": 0}),
    "object_extreme_numbers": ('{"min": -1.0e+28, "max": 1.0e+28}', {"min": -1e28, "max": 1e28}),
    "object_with_newlines": ('{\n"a": "b"\n}', {"a": "b"}),
    "object_escaped_null_in_key": ('{"foo\\u0000bar": 42}', {"foo\x00bar": 42}),
    "string_accepted_surrogate_pair": ('["\\uD801\\udc37"]', ["\U00010437"]),
    "string_two_surrogate_pairs": ('["\\ud83d\\ude39\\ud83d\\udc8d"]', ["\U0001f639\U0001f48d"]),
    "string_escaped_noncharacter": ('["\\uFFFF"]', ["\uffff"]),
    "string_backslash_and_u_escaped_zero": ('["\\\\u0000"]', ["\\u0000"]),
    "string_escaped_surrogate_word": ('["\\\\ud800"]', ["\\ud800"]),
    "string_last_surrogates_1_and_2": ('["\\uDBFF\\uDFFF"]', ["\U0010ffff"]),
    "string_nonCharacterInUTF-8_U+10FFFF": ('["\U0010ffff"]', ["\U0010ffff"]),
    "string_u+2028_line_sep": ('["\u2028"]', ["\u2028"]),
    "string_uEscape": ('["\\u0061\\u30af\\u30EA\\u30b9"]', ["aクリス"]),
    "string_unescaped_char_delete": ('["\x7f"]', ["\x7f"]),
    "string_with_bom_inside": ('["\ufeff"]', ["\ufeff"]),
    "string_comments_inside": ('["a/*b*/c/*d//e"]', ["a/*b*/c/*d//e"]),
    "structure_lonely_false": ("false", False),
    "structure_lonely_null": ("null", None),
    "structure_lonely_int": ("42", 42),
    "structure_lonely_string": ('"asd"', "asd"),
    "structure_string_empty": ('""', ""),
    **{f"number_{text}": (f"[{text}]", [float(text)]) for text in _NUMBERS},
    **{f"string_escape_{letter}": (f'"\\{letter}"', read) for letter, read in _ESCAPES.items()},
    **{f"structure_space_{index}": (f"{space}[{space}1{space},{space}2{space}]{space}", [1, 2])
       for index, space in enumerate(_SPACES)},
}  # fmt: skip

_BROKEN_NUMBERS = (
    "-01", "-2.", ".-1", ".2e-3", "0.3e+", "0.3e", "0.e1", "0E", "0E+", "0e", "0e+", "1.0e+", "1.0e-", "1.0e",
    "1 000.0",
    "1eE2", "2.e+3", "2.e-3", "2.e3", "9.e+", "1+2", "0x1", "0x42", "-", "- 1", "-012", "-.123", "-1x", "1ea",
    "1.2a-3",
    "1.8011670033376514H-308", "012", "00", "00.0", "-00e0", "++1234", "+1", "+Inf", "Inf", "-foo", "-1.0.", "--2.",
    "1_000",
    "0b1", "1e2e3", "1,2.", "２", "١", "1f", "5L",
)  # fmt: skip
_BROKEN_STRINGS = (
    '"a\x00a"', '"a\na"', '"a\ta"', '"\x1f"', '"\\00"', '"\\\\\\"', '"\\\t"', '"\\\U0001f300"', '"\\"', '"\\u00A"',
    '"\\uD834\\uDd"', '"\\ud800\\u"', '"\\ud800\\u1"', '"\\a"', '"\\uqqqq"', '"\\x00"', '"\\101"', '"\\u 0041"',
    '"\\u+041"', '"\\u-041"', '"\\u０041"', "'single'", "abc", '"', '"asd', "\\u0020\"a\"", '"\\v"', '"\\U0041"',
    '"\\0"',
)  # fmt: skip
_BROKEN_STRUCTURES = (
    "[1 true]", "[a", '["": 1]', '[""],', "[,1]", "[1,,2]", '["x",,]', '["x"]]', '["",]', '["x"', "[x", "[3[4]]",
    "[1:2]",
    "[,]", "[-]", "[   , \"\"]", '["a",\n4\n,1,', "[1,]", "[1,,]", "[*]", '[""', "[1,", "[1,\n1\n,1", "[{}", "[fals]",
    "[nul]", "[tru]", '["a", "b"', '{"x", null}', '{"x"::"b"}', '{"a":"a" 123}', '{"a" b}', '{:"b"}', '{"a" "b"}',
    '{"a":',
    '{"a"', "{1:1}", "{9999E9999:1}", '{"id":0,,,,,}', "{'a':0}", '{"id":0,}', '{"a":"b"}/**/', '{"a":"b"}/**//',
    '{"a":"b"}//', '{"a":"b"}/', '{"a":"b",,"c":"d"}', '{a: "b"}', '{"a":"a', '{ "foo" : "bar", "a" }', '{"a":"b"}#',
    "{null:null}", "{true:1}", "{[]:1}", " ", "", "<null>", "<.>", "[1]x", "[1]]", '{"a":true} "x"', "aå", "[True]",
    "[NULL]",
    "[undefined]", "2@", "{}}", "{,", "{[", '{"a', "{'a'", "}", "]", '["a\x00"]'[:3], "[\u2060]", "[\x0c]", "[\u00a0]",
    "[\u000b]", "é", "*", '{"a":/*comment*/"b"}', '{"a": true} //', "[1]//", "\\u005b1]", '"x""y"', "1 2", "[][]",
    "(1)",
    "[1;2]", '{"a"=1}', "None", "~", "[\\n]", "\u3000[]", '{"a":1 "b":2}', '["a" "b"]', "[[]", "{}[", "nullnull",
    "[,", "[}",
    "{]", "truefalse",
)  # fmt: skip

REFUSED = {
    **{f"number_{text}": f"[{text}]" for text in _BROKEN_NUMBERS},
    **{f"string_{text!r}": f"[{text}]" for text in _BROKEN_STRINGS},
    **{f"structure_{text!r}": text for text in _BROKEN_STRUCTURES},
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_t24_y_texts_are_read(name: str) -> None:
    text, expected = ACCEPTED[name]

    assert parse_strict(text.encode()) == expected


@pytest.mark.parametrize("name", REFUSED)
def test_t24_n_texts_are_refused(name: str) -> None:
    with pytest.raises(JsonInvalidError) as caught:
        parse_strict(REFUSED[name].encode())

    assert {finding.code for finding in caught.value.findings} == {"json-syntax"}


@pytest.mark.parametrize(
    "raw",
    [
        b'["\xff"]', b'["\xe9"]', b'["\xed\xa0\x80"]', b'["\xc0\xaf"]', b'["\xf4\xbf\xbf\xbf"]',
        b'["\xfc\x83\xbf\xbf\xbf\xbf"]',
        b'["\xe0\xff"]', b'["\x81"]', b'[\xff]', b'{"\xb9":"0",}', b'["\\u\xe5"]', b"[1\xe5]", b"[a\xe5]",
        b"[1e1\xe5]",
        b"[0\xe5]", b"\xff\xfe[\x00\"\x00\xe9\x00\"\x00]\x00", b"\xfe\xff\x00[\x00]",
    ],
)  # fmt: skip
def test_t24_n_bytes_that_are_no_utf_8_are_refused(raw: bytes) -> None:
    with pytest.raises(JsonInvalidError) as caught:
        parse_strict(raw)

    assert [finding.code for finding in caught.value.findings] == ["json-encoding"]
