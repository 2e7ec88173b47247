"""What the `cue` program says, as findings."""

from __future__ import annotations

import pytest

from chainloop_ci.contract.cue_report import explain
from chainloop_ci.contract.schema_findings import MAX_FINDINGS
from chainloop_ci.errors import ContractInvalidError


def explained(report: str) -> ContractInvalidError:
    error = explain(report)
    assert error is not None
    return error


def test_a_conflict_has_the_path_the_place_and_the_other_line():
    finding = explained(
        'kind: conflicting values "a" and "b":\n    ./contract.cue:4:7\n    ./contract.cue:9:2\n'
    ).findings[0]

    assert (finding.code, finding.path, finding.line, finding.column) == ("cue-conflict", "/kind", 4, 7)
    assert finding.message == 'conflicting values "a" and "b" (see line 9)'


def test_an_incomplete_value_says_that_it_needs_one():
    finding = explained("spec.materials.0.name: incomplete value string:\n    ./contract.cue:2:8\n").findings[0]

    assert (finding.code, finding.path, finding.line) == ("cue-incomplete", "/spec/materials/0/name", 2)
    assert "default" in (finding.hint or "")


def test_an_incomplete_value_without_a_place_is_reported_all_the_same():
    assert explained("x: incomplete value {a:1} | {b:2}\n").findings[0].path == "/x"


def test_a_syntax_error_has_no_path():
    finding = explained("expected operand, found ']':\n    ./contract.cue:3:4\n").findings[0]

    assert (finding.code, finding.path, finding.line, finding.column) == ("cue-error", None, 3, 4)


@pytest.mark.parametrize(
    "report",
    [
        "import failed: imports are unavailable because there is no cue.mod/module.cue file:\n    ./contract.cue:1:8\n",
        "cannot embed files when not in a module\n",
    ],
)
def test_what_needs_other_files_says_that_a_contract_is_one_file(report: str):
    finding = explained(report).findings[0]

    assert finding.code == "cue-import"
    assert "one file" in (finding.hint or "")


def test_the_heads_of_disjunctions_are_left_out_and_their_reasons_are_kept():
    report = (
        "x.t: 2 errors in empty disjunction:\n"
        'x.t: conflicting values "A" and "D":\n    ./contract.cue:1:9\n    ./contract.cue:2:4\n'
        'x.t: conflicting values "B" and "D":\n    ./contract.cue:1:13\n    ./contract.cue:2:4\n'
    )

    assert [finding.column for finding in explained(report).findings] == [9, 13]


def test_a_place_in_a_built_in_package_is_no_line_of_the_contract():
    report = "a.success: incomplete value bool:\n    tool/exec:11:16\n    ./contract.cue:2:4\n"

    assert explained(report).findings[0].line == 2


def test_control_characters_and_long_texts_do_not_reach_the_message():
    finding = explained(f"a: conflicting values \x1b[31m{'x' * 5000}:\n    ./contract.cue:1:1\n").findings[0]

    assert "\x1b" not in finding.message
    assert len(finding.message) < 400


def test_a_flood_of_errors_is_cut():
    report = "".join(
        f"a{number}: conflicting values 1 and 2:\n    ./contract.cue:{number}:1\n" for number in range(1000)
    )

    assert len(explained(report).findings) == MAX_FINDINGS


@pytest.mark.parametrize(
    "report", ["", "Segmentation fault\n", "error: no such file\n", "usage: cue [-h]\n    --help\n"]
)
def test_what_is_no_report_of_cue_explains_nothing(report: str):
    assert explain(report) is None


def test_several_errors_are_counted_in_the_message_and_listed_once():
    error = explained("a: field not allowed:\n    ./contract.cue:3:4\nb: field not allowed:\n    ./contract.cue:5:4\n")

    assert error.message == "cue refuses the contract: 2 errors"
    assert [finding.line for finding in error.findings] == [3, 5]


def test_a_field_that_a_definition_does_not_have_is_said_to_be_refused_because_it_is_closed():
    finding = explained("spec.materail: field not allowed:\n    ./contract.cue:3:4\n").findings[0]

    assert "the definition is closed" in (finding.hint or "")
