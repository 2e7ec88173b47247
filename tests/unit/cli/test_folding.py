from __future__ import annotations

import pytest

from chainloop_ci.cli.folding import fold, places, shorten, shrink


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("", 5, [""]),
        ("short", 5, ["short"]),
        ("two words", 5, ["two", "words"]),
        ("two words", 3, ["two", "wor", "ds"]),
        ("sha256:abcdef", 6, ["sha256", ":abcde", "f"]),
        ("a  b", 2, ["a ", "b"]),
        ("   indented", 6, ["   ind", "ented"]),
        ("書籍を読む", 4, ["書籍", "を読", "む"]),
        ("書", 1, ["書"]),
    ],
)
def test_text_is_folded_at_spaces_and_inside_of_long_words(text: str, width: int, expected: list[str]) -> None:
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


@pytest.mark.parametrize(
    ("width", "expected"),
    [(20, "control-plane"), (9, "cont…lane"), (2, "c…"), (1, "…"), (0, "")],
)
def test_a_name_in_passing_loses_its_middle(width: int, expected: str) -> None:
    assert shorten("control-plane", width) == expected
