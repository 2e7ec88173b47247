from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as some

from server.integrations.github.texts import describe, fit, plain
from tests.unit.server.model.test_verdict_content import CONTENT


@given(some.text(), some.none() | some.text(min_size=1))
def test_a_description_is_what_github_takes(said: str, prior: str | None) -> None:
    found = describe(replace(CONTENT, description=said), prior)

    assert len(found) <= 140
    assert all(ord(character) <= 0xFFFF and character.isprintable() for character in found)


@given(some.text(), some.integers(60, 200))
def test_a_text_fits_and_says_that_it_was_cut(said: str, limit: int) -> None:
    found = fit(said, limit)

    assert len(found.encode()) <= limit
    assert found == said or found.endswith("has the rest.")


@given(some.text())
def test_plain_text_has_no_markup(said: str) -> None:
    assert not set("<>|`*_[]@~\\!$\n\r") & set(plain(said))
