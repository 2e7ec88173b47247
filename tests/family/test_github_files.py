"""The readers of the runner's files and log read as the runner does."""

from __future__ import annotations

import pytest

from tests.family.github_files import BrokenFileError, LogCommand, read_commands, read_pairs


@pytest.mark.parametrize(
    ("file", "pairs"),
    [
        ("a=1\nb=2=3\n", {"a": "1", "b": "2=3"}),
        ("\n\na=1", {"a": "1"}),
        ("a<<EOF\none\ntwo\nEOF\n", {"a": "one\ntwo"}),
        ("a<<EOF\nEOF\n", {"a": ""}),
        ("a<<EOF\none\n\nEOF\nb=2\n", {"a": "one\n", "b": "2"}),
        ("a=b<<c\n", {"a": "b<<c"}),
        ("a=1\na=2\n", {"a": "2"}),
        (" a = 1 \n", {" a ": " 1 "}),
    ],
)
def test_a_file_is_read_line_by_line(file: str, pairs: dict[str, str]) -> None:
    assert read_pairs(file) == pairs


def test_windows_ends_lines_with_both_characters() -> None:
    assert read_pairs("a<<E\r\none\r\nE\r\n", windows=True) == {"a": "one"}
    assert read_pairs("a<<E\none\r\nE\n") == {"a": "one\r"}


@pytest.mark.parametrize("file", ["nothing\n", "<<EOF\nx\nEOF\n", "a<<\nx\n", "a<<EOF\nx\n", "a<<EOF\nx"])
def test_a_file_in_another_form_fails_the_step(file: str) -> None:
    with pytest.raises(BrokenFileError):
        read_pairs(file)


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("::error::bad", LogCommand("error", "bad")),
        ("  \t::Error ::bad\r", LogCommand("error", "bad")),
        ("::error file=a%2Cb,line=1::x%0Ay%25", LogCommand("error", "x\ny%", {"file": "a,b", "line": "1"})),
        ("text ##[set-output name=a;]b%5D", LogCommand("set-output", "b]", {"name": "a"})),
        ("::error::%250A", LogCommand("error", "%0A")),
    ],
)
def test_a_command_is_found_where_the_runner_finds_it(line: str, command: LogCommand) -> None:
    assert read_commands(line) == [command]


@pytest.mark.parametrize("line", ["text ::error::x", "::unknown::x", "::error", "::", "##[error", "INF ::error::"])
def test_anything_else_is_text(line: str) -> None:
    assert read_commands(line) == []


def test_nothing_is_obeyed_between_stop_and_its_word() -> None:
    log = "::stop-commands::word\n::error::hidden\n::WORD::\n::error::seen"

    assert [command.data for command in read_commands(log)] == ["word", "seen"]
