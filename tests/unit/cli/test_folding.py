from __future__ import annotations

import pytest

from chainloop_ci.cli.folding import fold, places, shorten, shrink


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("", 5, [""]),
        ("short", 5, ["short"]),
        ("two words", 5, ["two", "words"]),
        ("two words", 3, ["two", "words"]),
        ("sha256:abcdef", 6, ["sha256:abcdef"]),
        ("key sha256:abcdef is it", 6, ["key", "sha256:abcdef", "is it"]),
        ("a  b", 2, ["a ", "b"]),
        ("   indented", 6, ["   indented"]),
        ("x" * 201, 150, ["x" * 150, "x" * 51]),
        ("書籍を読む", 4, ["書籍", "を読", "む"]),
        ("書", 1, ["書"]),
    ],
)
def test_text_is_folded_at_spaces_and_inside_of_what_nobody_copies(text: str, width: int, expected: list[str]) -> None:
    assert fold(text, width) == expected


def test_a_combining_character_takes_no_place() -> None:
    assert places("e\u0301") == 1
    assert fold("e\u0301e\u0301", 1) == ["e\u0301", "e\u0301"]


@pytest.mark.parametrize(
    ("widths", "room", "expected"),
    [([3, 4], 10, [3, 4]), ([3, 40], 10, [3, 7]), ([3, 40, 40], 20, [3, 9, 8]), ([9, 9], 1, [2, 2])],
)
def test_the_widest_columns_give_first(widths: list[int], room: int, expected: list[int]) -> None:
    assert shrink(widths, room) == expected


def test_no_column_becomes_narrower_than_its_floor() -> None:
    assert shrink([40, 40, 5], 45, [30, 0, 5]) == [30, 10, 5]


@pytest.mark.parametrize(
    ("width", "expected"),
    [(20, "control-plane"), (9, "cont…lane"), (2, "c…"), (1, "…"), (0, "")],
)
def test_a_name_in_passing_loses_its_middle(width: int, expected: str) -> None:
    assert shorten("control-plane", width) == expected
