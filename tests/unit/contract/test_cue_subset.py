"""The data subset of CUE: what is read, and that everything else is refused."""

from __future__ import annotations

import pytest

from chainloop_ci.contract.cue_subset import read_cue
from chainloop_ci.contract.nodes import place_of, plain
from chainloop_ci.errors import ContractInvalidError


def refusal(raw: bytes):
    with pytest.raises(ContractInvalidError) as caught:
        read_cue(raw)
    return caught.value.findings[0]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"a: b: c: 1", {"a": {"b": {"c": 1}}}),
        (b'a: 1, b: 2\n\n"c-d": 3 // end', {"a": 1, "b": 2, "c-d": 3}),
        (b"{\n a: 1\n}\n", {"a": 1}),
        (b'{"a": [1, 2], "b": {"c": null}}', {"a": [1, 2], "b": {"c": None}}),
        (b"a: [\n 1\n 2,\n 3,\n]", {"a": [1, 2, 3]}),
        (b"a:\n  true\r\nb: {}\r\n", {"a": True, "b": {}}),
        (b"a: -5, b: +1.5e2, c: 1_000, d: 0", {"a": -5, "b": 150.0, "c": 1000, "d": 0}),
        (b"a: b: 1\na: c: 2\na: b: 1", {"a": {"b": 1, "c": 2}}),
        (b"a: [{b: 1}]\na: [{c: 2}]", {"a": [{"b": 1, "c": 2}]}),
        (b"for: 1, null: 2, package: 3", {"for": 1, "null": 2, "package": 3}),
        (b'a: "//no comment", b: "#x"', {"a": "//no comment", "b": "#x"}),
        (b'a: "", b: ""', {"a": "", "b": ""}),
        (
            rb'a: "\a\b\f\n\r\t\v\/\\\"\u00e9\U0001F600"'.replace(rb"\a\b\f", b"").replace(rb"\v", b""),
            {"a": '\n\r\t/\\"é😀'},
        ),
    ],
)
def test_data_is_read(raw, expected):
    assert plain(read_cue(raw).root) == expected


def test_a_text_of_several_lines_loses_its_indentation_only():
    raw = b'a: """\n  one\n    two \\"quoted\\" "plain"\n\n  three\\tend\n  """\nb: 1'

    assert plain(read_cue(raw).root) == {"a": 'one\n  two "quoted" "plain"\n\nthree\tend', "b": 1}


def test_each_value_knows_its_line_and_column():
    tree = read_cue(b'// head\na: b: [\n  "x",\n  "y",\n]\n')

    assert place_of(tree.root, ["a", "b", 1]) == (4, 3)


@pytest.mark.parametrize(
    "raw",
    [
        b"a: b",
        b"a: string",
        b"a: 1 | 2",
        b"a: *1 | 2",
        b"a: >3",
        b"a: 1 & 1",
        b"a: x.y",
        b"a: len(x)",
        b"a?: 1",
        b"a!: 1",
        b"#A: 1",
        b"_a: 1",
        b"_#a: 1",
        b"a: #A",
        b"package x\na: 1",
        b'import "x"\na: 1',
        b"let x = 1\na: 1",
        b"if true {a: 1}",
        b"for x in y {a: 1}",
        b"X=a: 1",
        b"(a): 1",
        b"...",
        b"a: [...]",
        b"a: 1 @go(A)",
        b'a: "\\(b)"',
        b'"a\\(b)": 1',
        b"a: 'bytes'",
        b'a: #"raw"#',
        b"a: 0x1F",
        b"a: 1K",
        b"a: 012",
        b"a: 1.",
        b'"""\nx\n""": 1',
        b'a: """\r\n  x\r\n  """',
    ],
)
def test_what_is_more_than_data_is_refused_and_names_the_cue_program(raw):
    finding = refusal(raw)

    assert finding.code == "cue-unsupported"
    assert finding.hint is not None
    assert "`cue` program" in finding.hint
    assert finding.line is not None


@pytest.mark.parametrize(
    "raw",
    [
        b"a: 1 b: 2",
        b"a",
        b"a\n: 1",
        b"a:",
        b"a: {b: 1",
        b"a: [1",
        b"a: [1 2]",
        b"a: [1,,2]",
        b", a: 1",
        b"a: 1,, b: 2",
        b"a: }",
        b'a: "x',
        b'a: "x\ny"',
        b'a: """\n  x',
        b'a: """x"""',
        b'a: """\n x\n  """',
        b'a: "\\q"',
        b'a: "\\u12"',
        b'a: "\\U00110000"',
        b"{a: 1} b: 2",
        b'a: 1 + "x"',
        b"a: [1][0]",
        b"\xc3\xa9: 1",
        b"1: 2",
        b"a: -",
        b"[1]",
    ],
)
def test_broken_cue_is_refused_with_its_line(raw):
    finding = refusal(raw)

    assert finding.code == "cue-syntax"
    assert finding.line is not None


@pytest.mark.parametrize(
    "raw", [b"a: 1\na: 2", b"a: 1, a: true", b"a: {}, a: 1", b"a: [1], a: [1, 2]", b"a: [1]\na: [true]"]
)
def test_values_that_differ_conflict(raw):
    assert refusal(raw).code == "cue-conflict"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "empty"),
        (b"// nothing", "empty"),
        (b"a: " + b"[" * 20_000, "too-deep"),
        (b"a: " * 20_000 + b"1", "too-deep"),
        (b"a: [" + b"1," * 200_000 + b"]", "too-many-values"),
        (b"," * 900_000, "cue-syntax"),
        (b"[" * 900_000, "too-many-values"),
        (b'a: "\\ud83d"', "control-character"),
        (b"a: 1e999", "number-too-large"),
    ],
)
def test_t25_the_limits_hold_for_cue(raw, code):
    assert refusal(raw).code in (code, "too-many-values", "cue-syntax")
