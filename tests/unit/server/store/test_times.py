"""Times in the database: as text, in an order that every engine agrees on."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from server.store.times import from_text, to_text


@pytest.mark.parametrize("year", [1, 500, 999, 1970, 2026, 9999])
def test_every_year_is_read_again_as_it_was_written(year: int) -> None:
    """A forge that is anybody's own server may say any of them."""
    moment = datetime(year, 12, 31, 23, 59, 59, 999999, UTC)

    assert from_text(to_text(moment)) == moment


def test_texts_sort_as_their_times_do() -> None:
    moments = [datetime(year, 1, 2, tzinfo=UTC) for year in (1, 500, 1970, 9999)]

    assert sorted(map(to_text, reversed(moments))) == list(map(to_text, moments))
    assert to_text(datetime(2026, 1, 31, 12, tzinfo=UTC)) == "2026-01-31T12:00:00.000000Z"
