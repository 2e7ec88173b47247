from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainloop_ci.escaping import printable, printable_json

NAUGHTY = ["\x1b[2J", "a\r\nERR forged", "\u202egnp.exe", "\x9b31m", "\x00", "\ud800", "section_start:1:x\r\x1b[0K"]


@pytest.mark.parametrize("text", NAUGHTY)
def test_t46_what_a_terminal_acts_upon_is_written_as_an_escape(text) -> None:
    assert printable(text).isprintable()


@pytest.mark.parametrize("command", ["##[error]x", "x ##vso[task.setvariable]y", "##teamcity[buildStop]"])
def test_t03_commands_of_ci_logs_are_broken(command) -> None:
    assert "##" not in printable(command)


def test_ordinary_text_stays_as_it_is() -> None:
    assert printable("Bücher 書籍 50% ## heading") == "Bücher 書籍 50% ## heading"


@given(st.text())
def test_t46_any_text_is_one_harmless_line(text) -> None:
    assert printable(text).isprintable()


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_escaped_json_means_the_same(document) -> None:
    text = printable_json(json.dumps(document, ensure_ascii=False, indent=3))

    assert json.loads(text) == document
    assert text.replace("\n", "").isprintable()


def test_t03_json_holds_no_command_of_a_ci_log() -> None:
    text = printable_json(json.dumps(["##[add-mask]x"]))

    assert "##" not in text
    assert json.loads(text) == ["##[add-mask]x"]
