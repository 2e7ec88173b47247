"""When a list of repositories is begun, where it goes on, and when it ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from server.model.inventories import EVERY, MAX_PAGES, RETRY, STALE, Inventory, RepositoryPage

NOW = datetime(2026, 11, 7, 12, tzinfo=UTC)
NEW = Inventory("r", "o", "https://github.com")
LAST = RepositoryPage()
MORE = RepositoryPage(after="2")
MINUTE = timedelta(minutes=1)


def test_a_list_is_due_until_it_was_ended_and_again_a_day_after_it_was_begun() -> None:
    begun = NEW.started(NOW)
    ended = begun.turned(MORE, NOW).turned(LAST, NOW + MINUTE)

    assert NEW.is_due(NOW)
    assert begun.turned(MORE, NOW).is_due(NOW)
    assert not ended.is_due(NOW + EVERY - MINUTE)
    assert ended.is_due(NOW + EVERY)
    assert (ended.listed_at, ended.begun_at) == (NOW, None)


def test_a_page_that_did_not_come_is_asked_for_again_an_hour_later_and_nothing_is_lost() -> None:
    begun = NEW.started(NOW).turned(MORE, NOW)
    failed = begun.failed("502", NOW)

    assert not failed.is_due(NOW + RETRY - MINUTE)
    assert failed.is_due(NOW + RETRY)
    assert failed.started(NOW + RETRY).after == "2"
    assert failed.turned(LAST, NOW + RETRY).finding == ""


def test_a_list_that_takes_days_is_begun_anew() -> None:
    begun = NEW.started(NOW).turned(MORE, NOW)

    assert begun.started(NOW + STALE - MINUTE) == begun
    anew = begun.started(NOW + STALE)
    assert (anew.begun_at, anew.after, anew.pages) == (NOW + STALE, "", 0)


def test_a_list_has_an_end_and_says_that_there_would_be_more() -> None:
    at = NEW.started(NOW)
    for _ in range(MAX_PAGES):
        assert at.begun_at == NOW
        at = at.turned(MORE, NOW)

    assert (at.begun_at, at.listed_at, at.is_complete) == (None, NOW, False)


def test_a_clock_that_was_set_back_puts_nothing_off_for_long() -> None:
    ended = NEW.started(NOW).turned(LAST, NOW)

    assert ended.is_due(NOW - timedelta(days=30))
    assert ended.failed("502", NOW).is_due(NOW - timedelta(days=30))
