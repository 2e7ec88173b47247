from __future__ import annotations

import errno
import json
import os
import re
import sys
from pathlib import Path

import pytest

from chainloop_ci.cli.output import Output
from chainloop_ci.cli.table import Table
from chainloop_ci.errors import ContractNotMetError, Finding, OutputUnwritableError
from tests.family.github_files import read_commands
from tests.family.hostile import HOSTILE
from tests.unit.cli.conftest import Screen

ERROR = ContractNotMetError(
    "the contract is not met",
    hint="add what is missing",
    findings=[Finding("missing-material", "sbom is missing", path="/materials/0", hint="chainloop attestation add")],
)


def make(env=None, *, terminal=False, as_json=False, debug=False) -> Output:
    return Output(Screen(terminal=terminal), Screen(terminal=terminal), env or {}, as_json=as_json, debug=debug)


def test_a_log_line_has_level_message_and_facts() -> None:
    output = make()

    output.info("file downloaded!", path="/tmp/rootfs.tar.gz", note="two words")

    assert output.stderr.getvalue() == 'INF file downloaded! path=/tmp/rootfs.tar.gz note="two words"\n'
    assert output.stdout.getvalue() == ""


def test_t03_no_line_of_ours_is_a_command() -> None:
    output = make(debug=True)

    for text in HOSTILE:
        for say in (output.info, output.warning, output.debug):
            say(text, fact=text)
        output.error(ContractNotMetError(text, hint=text, findings=[Finding("x", text, path=text, hint=text)]), 3)
        output.document({text: [text]})
        output.table(Table([(text, text)], title=text, header=("Name", "Value")))

    assert read_commands(output.stderr.getvalue()) == []
    assert read_commands(output.stdout.getvalue()) == []


def test_who_listens_hears_of_warnings_and_phases() -> None:
    output, heard = make(), []
    output.on_warning, output.on_phase = heard.append, heard.append

    output.phase("begin")
    output.warning("look\nhere", did_you_mean="a\nb", undo="take it out", near="")
    output.text("the result")

    assert heard == ["begin", r"look\nhere (did you mean: a\nb; undo: take it out)", ""]


def test_colour_is_for_terminals() -> None:
    output = make(terminal=True)

    output.warning("look")

    assert output.stderr.getvalue().startswith("\x1b[33mWRN\x1b[0m look")


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_colour_is_obeyed(env) -> None:
    output = make(env, terminal=True)

    output.warning("look")

    assert output.stderr.getvalue() == "WRN look\n"


class Failing(Screen):
    """A stream that takes nothing."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        raise self.error


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), BrokenPipeError()])
def test_a_result_that_cannot_be_written_is_an_error(error) -> None:
    output = Output(Failing(error), Screen(), {})

    with pytest.raises(OutputUnwritableError) as caught:
        output.text("result")

    assert caught.value.abandoned is isinstance(error, BrokenPipeError)


def test_a_log_line_that_cannot_be_written_stops_nothing() -> None:
    output = Output(Screen(), Failing(OSError(errno.ENOSPC, "No space left on device")), {})

    output.error(ERROR, 3)
    output.text("result")

    assert output.stdout.getvalue() == "result\n"


def test_an_error_shows_all_findings_and_what_to_do() -> None:
    output = make()

    output.error(ERROR, 3)

    assert output.stderr.getvalue().splitlines() == [
        "ERR the contract is not met",
        "  - /materials/0: sbom is missing",
        "    hint: chainloop attestation add",
        "hint: add what is missing",
    ]


def test_a_single_finding_that_the_message_tells_is_not_told_twice() -> None:
    output = make()

    output.error(ContractNotMetError("refused: sbom is missing", findings=[Finding("x", "sbom is missing")]), 3)

    assert output.stderr.getvalue() == "ERR refused: sbom is missing\n"


def test_with_json_an_error_is_a_document_on_stdout_too() -> None:
    output = make(as_json=True)

    output.error(ERROR, 3)

    document = json.loads(output.stdout.getvalue())
    assert document["exitCode"] == 3
    assert document["error"]["code"] == "contract-not-met"
    assert document["error"]["findings"][0]["code"] == "missing-material"
    assert output.stderr.getvalue().startswith("ERR ")


def test_an_error_after_a_result_leaves_stdout_one_document() -> None:
    output = make(as_json=True)

    output.document({"a": 1})
    output.error(ERROR, 3)

    assert json.loads(output.stdout.getvalue()) == {"a": 1}


def test_json_is_indented_by_three_spaces_in_the_given_order() -> None:
    output = make()

    output.document({"b": 1, "a": "ü"})

    assert output.stdout.getvalue() == '{\n   "b": 1,\n   "a": "ü"\n}\n'


def test_debug_lines_need_debug() -> None:
    quiet, loud = make(), make(debug=True)

    quiet.debug("x")
    loud.debug("x")

    assert (quiet.stderr.getvalue(), loud.stderr.getvalue()) == ("", "DBG x\n")


def test_with_debug_an_error_says_where_it_was_raised_and_of_what() -> None:
    output = make(debug=True)

    try:
        try:
            Path("/nonexistent/secret-file").read_text()
        except OSError as cause:
            raise ERROR from cause
    except ContractNotMetError as error:
        output.error(error, 3)

    log = output.stderr.getvalue()
    assert re.search(r"^DBG raised code=contract-not-met exit_status=3 at=unit/cli/test_output.py:\d+$", log, re.M)
    assert re.search(r'^DBG caused by type=FileNotFoundError reason="No such file or directory" at=\S+:\d+$', log, re.M)
    assert "secret-file" not in log


def test_a_table_is_as_wide_as_the_terminal_and_whole_elsewhere() -> None:
    table = Table([("word " * 20,)])
    narrow, piped = make({"COLUMNS": "40"}, terminal=True), make({"COLUMNS": "40"})

    narrow.table(table)
    piped.table(table)

    assert {len(line) for line in narrow.stdout.getvalue().splitlines()} == {40}
    assert "word " * 20 in piped.stdout.getvalue()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo terminals of this kind")
def test_a_terminal_says_itself_how_wide_it_is() -> None:
    import pty
    import termios

    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as terminal:
        termios.tcsetwinsize(slave, (24, 50))
        Output(terminal, terminal, {}).table(Table([("word " * 20,)]))
    shown = os.read(master, 10_000).decode()
    os.close(master)

    assert {len(line) for line in shown.splitlines()} == {50}


@pytest.mark.parametrize("env", [{}, {"COLUMNS": "wide"}, {"COLUMNS": "0"}])
def test_a_terminal_that_says_no_width_gets_the_table_whole(env) -> None:
    output = make(env, terminal=True)

    output.table(Table([("a" * 200,)]))

    assert "a" * 200 in output.stdout.getvalue()


def test_t46_a_message_cannot_forge_a_line() -> None:
    output = make()

    output.info("name\nERR forged", value="a\nb")

    assert output.stderr.getvalue() == "INF name\\nERR forged value=a\\nb\n"
