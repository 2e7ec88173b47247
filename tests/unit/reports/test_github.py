from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainloop_ci.reports.github import (
    MAX_ANNOTATIONS,
    render_annotations,
    render_command,
    render_masks,
    render_outputs,
)
from chainloop_ci.reports.report import Problem, Report
from tests.family.github_files import LogCommand, read_commands, read_pairs
from tests.family.hostile import CANARY_NAME, HOSTILE
from tests.unit.reports.samples import report_of

UNICODE = st.text(st.characters(codec="utf-8"))


def word() -> str:
    return "0123456789abcdef"


# --- commands


def test_a_command_has_its_properties_and_its_text() -> None:
    line = render_command("error", "50%\nsecond", title="a: b, c", file="dir/x.yml", line=7)

    assert line == "::error title=a%3A b%2C c,file=dir/x.yml,line=7::50%25%0Asecond"


def test_properties_without_a_value_are_left_out() -> None:
    assert render_command("error", "x", file="", line=None) == "::error::x"
    assert render_command("endgroup") == "::endgroup::"


def test_t03_a_text_of_somebody_else_is_no_command() -> None:
    lines = [line for text in HOSTILE for line in render_annotations(report_of(text))]

    commands = read_commands("\n".join(lines))

    kinds = ["error", "error", "warning"]
    expected = [name for text in HOSTILE for name in (*kinds, *(("notice",) if text else ()))]
    assert [command.name for command in commands] == expected
    assert {name for command in commands for name in command.properties} == {"title", "file", "line"}
    assert all(line.isprintable() for line in lines)


@given(st.text(), st.text())
def test_t03_any_text_is_read_back_as_one_command(data: str, title: str) -> None:
    [command] = read_commands(render_command("error", data, title=title))

    assert command.name == "error"
    assert set(command.properties) <= {"title"}


@given(UNICODE.filter(lambda text: text.replace("\n", "").isprintable() and "##" not in text))
def test_a_printable_text_reaches_the_reader_as_it_is(text: str) -> None:
    assert read_commands(render_command("warning", text)) == [LogCommand("warning", text)]


# --- annotations


def test_each_problem_of_a_failure_is_an_error_with_its_fix_and_place() -> None:
    problem = Problem("Missing material", "sbom is missing", "add it", file="contract.yaml", line=9)

    [error] = read_commands("\n".join(render_annotations(Report("attestation push", "No.", True, problems=(problem,)))))

    assert error.data == "sbom is missing\nWhat to do: add it"
    assert error.properties == {"title": "Missing material", "file": "contract.yaml", "line": "9"}


def test_where_a_failure_is_tolerated_its_problems_are_warnings() -> None:
    report = Report(
        "attestation push",
        "Bad.",
        failed=True,
        tolerated=True,
        problems=(Problem("Missing", "no sbom"),),
        warnings=("old",),
    )

    found = [(command.name, command.data) for command in read_commands("\n".join(render_annotations(report)))]

    assert found == [("warning", "no sbom"), ("warning", "old")]


def test_what_is_still_missing_is_no_error_while_nothing_failed() -> None:
    report = Report("attestation status", "Open.", problems=(Problem("Missing material", "sbom is missing"),))

    assert render_annotations(report) == []


def test_what_github_would_drop_is_counted() -> None:
    problems = tuple(Problem("Missing material", f"m{number} is missing") for number in range(25))

    errors = render_annotations(Report("attestation push", "No.", True, problems=problems))

    assert len(errors) == MAX_ANNOTATIONS
    assert errors[-1].startswith("::error title=Chainloop::and 16 more of this kind")


def test_as_many_as_github_keeps_are_all_told() -> None:
    problems = tuple(Problem("Missing material", f"m{number} is missing") for number in range(MAX_ANNOTATIONS))

    errors = render_annotations(Report("attestation push", "No.", True, problems=problems))

    assert [f"m{number} is missing" in error for number, error in enumerate(errors)] == [True] * MAX_ANNOTATIONS


def test_a_line_without_a_file_says_nothing() -> None:
    report = Report("attestation push", "No.", True, problems=(Problem("Bad", "x", line=4),))

    assert render_annotations(report) == ["::error title=Bad::x"]


def test_a_long_message_is_cut() -> None:
    [line] = render_annotations(replace(report_of(""), problems=(Problem("Bad", "x" * 10_000),), warnings=()))

    assert line.endswith("x…")
    assert len(line) < 5_000


# --- masks


def test_a_secret_of_one_line_is_masked_whole() -> None:
    assert render_masks("clp_secret\n") == ["::add-mask::clp_secret"]


def test_each_line_of_a_key_is_masked_but_not_its_frame() -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByq\r\nshort\nGSM49AgEGCCqGSM49\n-----END PRIVATE KEY-----\n"

    assert render_masks(key) == ["::add-mask::MIGHAgEAMBMGByq", "::add-mask::GSM49AgEGCCqGSM49"]


@pytest.mark.parametrize("secret", ["", " ", "abc", "\n\n", "a\nb\nc"])
def test_what_would_be_masked_everywhere_is_not_masked(secret: str) -> None:
    assert render_masks(secret) == []


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"), min_size=4))
def test_the_runner_masks_exactly_the_secret(secret: str) -> None:
    masked = [command.data for command in read_commands("\n".join(render_masks(secret)))]

    assert masked == ([secret.strip()] if len(secret.strip()) >= 4 else [])


# --- outputs


def test_t02_a_value_never_makes_another_output() -> None:
    values = {f"output-{number}": text for number, text in enumerate(HOSTILE)}

    assert read_pairs(render_outputs(values, word)) == values


@given(st.dictionaries(st.from_regex(r"[a-z][a-z-]{0,15}", fullmatch=True), UNICODE, max_size=5))
def test_t02_outputs_are_read_back_as_they_were_given(values: dict[str, str]) -> None:
    assert read_pairs(render_outputs(values, word)) == values


@given(UNICODE.filter(lambda text: "\r" not in text))
def test_t02_outputs_are_read_back_on_windows(value: str) -> None:
    assert read_pairs(render_outputs({"a": value}, word), windows=True) == {"a": value}


def test_each_value_ends_at_a_word_of_its_own() -> None:
    words = iter(("one", "two"))

    file = render_outputs({"a": "1", "b": "2"}, lambda: next(words))

    assert re.findall(r"<<(\S+)", file) == ["chainloop_one", "chainloop_two"]


def test_what_is_no_unicode_is_replaced() -> None:
    assert read_pairs(render_outputs({"a": "x\udc80"}, word)) == {"a": "x?"}


def test_the_canary_would_have_been_seen() -> None:
    assert CANARY_NAME in read_pairs(f"a=x\n{CANARY_NAME}=injected\n")
