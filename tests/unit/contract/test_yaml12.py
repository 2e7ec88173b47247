"""YAML 1.2 scalars, positions, and the limits of T25."""

from __future__ import annotations

import pytest

from chainloop_ci.contract.limits import MAX_CONTRACT_BYTES
from chainloop_ci.contract.nodes import place_of, plain
from chainloop_ci.contract.yaml12 import MAX_ALIASES, read_yaml
from chainloop_ci.errors import ContractInvalidError, LimitExceededError


@pytest.fixture(params=[False, True], ids=["libyaml", "pure"])
def pure(request) -> bool:
    """Read with libyaml and with pyyaml's own scanner."""
    return request.param


def value_of(text: str, pure: bool = False) -> object:
    document = plain(read_yaml(f"key: {text}\n".encode(), pure=pure).root)
    assert isinstance(document, dict)
    return document["key"]


def refusal(raw: bytes, pure: bool = False):
    with pytest.raises(ContractInvalidError) as caught:
        read_yaml(raw, pure=pure)
    return caught.value.findings[0]


@pytest.mark.parametrize(
    "text",
    ["NO", "no", "yes", "on", "Off", "y", "012", "-007", "1:30", "2024-01-31", "1_000", "0b1", "+", ".", "v1.2", "0x"],
)
def test_what_only_yaml_1_1_converts_stays_text(text, pure):
    assert value_of(text, pure) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("0", 0),
        ("-12", -12),
        ("0o14", 12),
        ("0xff", 255),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
    ],
)
def test_scalars_of_the_core_schema_have_their_values(text, expected, pure):
    found = value_of(text, pure)

    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("text", ["'true'", '"12"', "'null'"])
def test_quoted_scalars_are_text(text):
    assert isinstance(value_of(text), str)


def test_block_texts_keep_their_lines():
    assert plain(read_yaml(b"key: |\n  one\n  two\n").root) == {"key": "one\ntwo\n"}


def test_each_value_knows_its_line_and_column():
    tree = read_yaml(b"\xef\xbb\xbfa:\n  - b: 1\n    c: [x, y]\n")

    assert place_of(tree.root, ["a", 0, "c", 1]) == (3, 12)


def test_an_alias_repeats_its_anchor():
    assert plain(read_yaml(b"a: &x [1]\nb: *x\n").root) == {"a": [1], "b": [1]}


def test_every_duplicate_key_is_found_with_both_lines():
    tree = read_yaml(b"a: 1\nb: {c: 1, c: 2}\na: 2\n")

    assert [(finding.code, finding.path, finding.line) for finding in tree.findings] == [
        ("duplicate-key", "/b/c", 2),
        ("duplicate-key", "/a", 3),
    ]


@pytest.mark.parametrize(
    ("raw", "code"),
    [(b"a: !!binary eA==", "tag"), (b"a: !x {b: 1}", "tag"), (b"a: ! 12", "tag"), (b"<<: {a: 1}", "merge-key")],
)
def test_tags_and_merge_keys_are_findings(raw, code):
    assert [finding.code for finding in read_yaml(raw).findings] == [code]


def test_a_quoted_merge_key_is_an_ordinary_name():
    assert read_yaml(b"'<<': 1").findings == ()


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "empty"),
        (b"# nothing\n", "empty"),
        (b"a: 1\n---\nb: 2\n", "several-documents"),
        (b"[a]: 1", "complex-key"),
        (b"? {a: 1}\n: 2", "complex-key"),
        (b"a: *x", "unknown-alias"),
        (b"a: &x [*x]", "unknown-alias"),
        (b"a: .nan", "number-too-large"),
        (b"a: 1e999", "number-too-large"),
        (b"a: 9007199254740993", "number-too-large"),
        (b"a: " + b"9" * 5000, "number-too-large"),
        (b'a: "\\0"', "control-character"),
        (b'a: "\\e[31m"', "control-character"),
        (b"a: \x1b", "control-character"),
        (b"a: \xff", "not-utf8"),
        (b"\xff\xfea\x00", "not-utf8"),
        (b"a: [1", "yaml-syntax"),
        (b'a: "\\U00110000"', "yaml-syntax"),
        (b"%YAML 3.0\n---\na: b", "yaml-syntax"),
    ],
)
def test_what_is_no_yaml_of_a_contract_is_refused(raw, code, pure):
    assert refusal(raw, pure).code == code


def test_bytes_that_are_not_utf8_are_shown_with_their_position():
    finding = refusal(b"a: b\nc: \xff")

    assert (finding.line, finding.column) == (2, 4)


@pytest.mark.parametrize(
    ("raw", "line", "hint"),
    [
        (b"a:\n\tb: c", 2, "replace the tab"),
        (b"- a\n\t- b: c", 2, "replace the tab"),
        (b"a: @x", 1, "in quotes"),
        (b"a: b: c", 1, "colon in quotes"),
        (b"a: 1\n b: 2\n", 2, "colon in quotes"),
        (b"a:\n  b: 1\n c: 2\n", 3, "check the indentation"),
    ],
)
def test_common_mistakes_get_a_hint(raw, line, hint, pure):
    finding = refusal(raw, pure)

    assert finding.hint is not None
    assert hint in finding.hint
    assert finding.line is not None
    assert abs(finding.line - line) <= 1


def test_t25_billion_laughs_is_refused_before_it_grows(pure):
    levels = [f"l{at}: &l{at} [{', '.join([f'*l{at - 1}'] * 9)}]" for at in range(1, 9)]
    raw = "\n".join(["l0: &l0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]", *levels]).encode()

    assert refusal(raw, pure).code == "too-many-values"


def test_t25_more_aliases_than_the_limit_are_refused():
    raw = b"a: &x 1\nb: [" + b"*x, " * (MAX_ALIASES + 1) + b"]"

    assert refusal(raw).code == "too-many-aliases"


def test_t25_aliases_cannot_add_up_to_more_depth_than_allowed():
    raw = b"a: &x " + b"[" * 40 + b"]" * 40 + b"\nb: " + b"[" * 40 + b"*x" + b"]" * 40

    assert refusal(raw).code == "too-deep"


@pytest.mark.parametrize("raw", [b"[" * 20_000, b"{a: " * 20_000, b"- " * 20_000, b"a: " + b"[" * 65 + b"]" * 65])
def test_t25_deep_nesting_is_refused(raw):
    assert refusal(raw).code in ("too-deep", "yaml-syntax")


def test_t25_too_many_values_are_refused():
    assert refusal(b"[" + b"1," * 200_000 + b"]").code == "too-many-values"


def test_more_than_a_mebibyte_is_refused_with_the_limit():
    with pytest.raises(LimitExceededError, match="1048576"):
        read_yaml(b"a" * (MAX_CONTRACT_BYTES + 1))
