from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.model import verdict_text as text


@given(st.text(max_size=400))
def test_a_clipped_text_is_one_line_of_at_most_140_code_points(raw: str) -> None:
    clipped = text.clip(raw)

    assert len(clipped) <= 140
    assert clipped.isprintable()


def test_a_text_that_fits_stays_as_it_is() -> None:
    assert text.clip("ß" * 140) == "ß" * 140


def test_a_longer_text_ends_in_an_ellipsis() -> None:
    assert text.clip("𝔵" * 141) == "𝔵" * 139 + "…"


def test_line_breaks_and_escapes_become_spaces() -> None:
    assert text.clip("a\r\nb\x1b[31mc\u202ed") == "a b [31mc d"


@given(st.lists(st.from_regex(r"[a-z]{1,60}", fullmatch=True), min_size=1, max_size=60))
def test_a_list_names_what_fits_and_counts_the_rest(names: list[str]) -> None:
    listed = text.list_names(names)

    shown, _, more = listed.partition(" and ")
    assert len(listed) <= 100
    assert len(shown.split(", ")) + int(more.split()[0] if more else 0) == len(names)


@pytest.mark.parametrize(
    ("names_allowed", "said"), [(True, "missing: sbom, junit"), (False, "2 of 5 materials missing")]
)
def test_r47_a_public_repository_is_told_a_number_unless_names_are_allowed(names_allowed: bool, said: str) -> None:
    assert text.missing(["sbom", "junit"], names_allowed=names_allowed, required=5) == said


@pytest.mark.parametrize(
    ("lacking", "required", "said"),
    [(3, 5, "3 of 5 materials missing"), (1, 0, "1 material missing"), (2, 0, "2 materials missing")],
)
def test_missing_materials_are_counted(lacking: int, required: int, said: str) -> None:
    assert text.materials_missing(lacking, required) == said


def test_a_moment_has_a_time_only_when_it_is_not_midnight() -> None:
    midnight = datetime(2026, 12, 1, tzinfo=UTC)

    assert (text.day(midnight), text.day(midnight + timedelta(hours=9))) == ("2026-12-01", "2026-12-01 09:00 UTC")
