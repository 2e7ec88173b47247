"""Strict JSON with positions."""

from __future__ import annotations

import pytest

from chainloop_ci.contract.json_reader import read_json
from chainloop_ci.contract.nodes import place_of, plain
from chainloop_ci.errors import ContractInvalidError


def refusal(raw: bytes):
    with pytest.raises(ContractInvalidError) as caught:
        read_json(raw)
    return caught.value.findings[0]


def test_every_kind_of_value_is_read():
    raw = b'\t{"a": [1, -2.5, 1e2, true, false, null, "x\\u00e9\\ud83d\\ude00\\/"], "b": {}, "c": []}\n'

    assert plain(read_json(raw).root) == {"a": [1, -2.5, 100.0, True, False, None, "xé😀/"], "b": {}, "c": []}


def test_each_value_knows_its_line_and_column():
    tree = read_json(b'{\n  "a": [1,\n  {"b": "c"}]\n}')

    assert place_of(tree.root, ["a", 1, "b"]) == (3, 9)


def test_every_duplicate_key_is_found():
    tree = read_json(b'{"a": 1, "b": [{"c": 1, "c": 1}],\n"a": 2}')

    assert [(finding.path, finding.line) for finding in tree.findings] == [("/b/0/c", 1), ("/a", 2)]


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "json-syntax"),
        (b"{", "json-syntax"),
        (b'{"a" 1}', "json-syntax"),
        (b'{"a": 1,}', "json-syntax"),
        (b"[1,]", "json-syntax"),
        (b"[1 2]", "json-syntax"),
        (b"{a: 1}", "json-syntax"),
        (b"{} {}", "json-syntax"),
        (b"[NaN]", "json-syntax"),
        (b"[-Infinity]", "json-syntax"),
        (b"[01]", "json-syntax"),
        (b'["a\nb"]', "json-syntax"),
        (b'["\\x"]', "json-syntax"),
        (b"[1e999]", "number-too-large"),
        (b"[9007199254740993]", "number-too-large"),
        (b"[" + b"1" * 5000 + b"]", "number-too-large"),
        (b'["\\ud800"]', "control-character"),
        (b'["\\u0000"]', "control-character"),
        (b"[" * 20_000, "too-deep"),
        (b'{"a":' * 20_000, "too-deep"),
        (b"[" + b"1," * 200_000 + b"1]", "too-many-values"),
        (b"\xff", "not-utf8"),
    ],
)
def test_what_is_not_strict_json_is_refused(raw, code):
    assert refusal(raw).code == code


def test_a_syntax_error_says_what_was_expected_and_where():
    finding = refusal(b'{\n  "a" 1}')

    assert (finding.line, finding.column) == (2, 7)
    assert "expected a colon, found '1}'" in finding.message
