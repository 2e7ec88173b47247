from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainloop_ci.reports.dotenv import MAX_BYTES, render_dotenv
from tests.family.hostile import CANARY_NAME, HOSTILE


def read_as_gitlab_does(text: str) -> dict[str, str]:
    """Return what GitLab's `ParseDotenvArtifactService` reads; it refuses the whole file for one line."""
    assert len(text.encode()) < 5 * 1024
    found = {}
    for line in text.splitlines(keepends=False) if "\r" not in text else text.split("\n"):
        match = re.search(r"^(.*?)=(.*)$", line)
        assert match, f"Invalid Format: {line!r}"
        name = match[1].strip()
        assert re.fullmatch(r"\w+", name, re.ASCII)
        found[name] = match[2].strip()
    return found


def test_each_output_is_one_line() -> None:
    made = render_dotenv({"A": "1", "B": "", "C": '["x", "y"]', "D": "a=b #c 'd' $E"})

    assert made.text == 'A=1\nB=\nC=["x", "y"]\nD=a=b #c \'d\' $E\n'
    assert made.left_empty == ()


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\u2028b", " a", "a ", "\x1b[31m", "\t", "\x00", "\udc80"])
def test_a_value_without_a_form_is_left_empty_and_named(value: str) -> None:
    made = render_dotenv({"A": value, "B": "2"})

    assert (made.text, made.left_empty) == ("A=\nB=2\n", ("A",))


def test_a_long_value_takes_no_room_from_the_others() -> None:
    made = render_dotenv({"LONG": "x" * MAX_BYTES, "B": "2", "HALF": "y" * (MAX_BYTES // 2)})

    assert made.left_empty == ("LONG",)
    assert read_as_gitlab_does(made.text)["HALF"] == "y" * (MAX_BYTES // 2)


def test_a_value_that_just_fits_is_kept() -> None:
    made = render_dotenv({"A": "x" * (MAX_BYTES - len("A=\n"))})

    assert (len(made.text.encode()), made.left_empty) == (MAX_BYTES, ())
    assert read_as_gitlab_does(made.text)


@pytest.mark.parametrize(("longer", "shorter"), [("A", "B"), ("B", "A")])
def test_values_share_the_room(longer: str, shorter: str) -> None:
    made = render_dotenv({longer: "y" * 3001, shorter: "x" * 3000})

    assert made.left_empty == (longer,)
    assert read_as_gitlab_does(made.text) == {shorter: "x" * 3000, longer: ""}


def test_t02_a_value_never_makes_another_variable() -> None:
    made = {text: render_dotenv({"A": text, "B": "2"}) for text in HOSTILE}

    read = {text: read_as_gitlab_does(file.text) for text, file in made.items()}

    assert not any(CANARY_NAME in found for found in read.values())
    assert read == {text: {"A": "" if file.left_empty else text, "B": "2"} for text, file in made.items()}


@given(st.dictionaries(st.from_regex(r"[A-Z_]{1,12}", fullmatch=True), st.text(), max_size=8))
def test_any_values_are_a_file_that_gitlab_takes(values: dict[str, str]) -> None:
    made = render_dotenv(values)

    assert read_as_gitlab_does(made.text) == {
        name: "" if name in made.left_empty else value for name, value in values.items()
    }
