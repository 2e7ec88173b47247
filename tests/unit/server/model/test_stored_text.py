"""What somebody else wrote is stored by every database."""

from __future__ import annotations

import pytest

from server.model.stored_text import storable


@pytest.mark.parametrize(
    ("text", "stored"),
    [("a word", "a word"), ("a\0b", "ab"), ("a\ud800b", "a?b"), ("\U0001f600", "\U0001f600"), ("x" * 9, "xxxxxxxx")],
)
def test_what_no_database_takes_is_left_out(text: str, stored: str) -> None:
    assert storable(text, 8) == stored
