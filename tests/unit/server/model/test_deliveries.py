from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from server.integrations.types import TRY_SECONDS
from server.model.deliveries import (
    BREAK_AFTER,
    FIRST_BREAK,
    FIRST_PAUSE,
    GIVE_UP_AFTER,
    LEASE,
    LONGEST_BREAK,
    LONGEST_PAUSE,
    LONGEST_WISH,
    Breaker,
    Delivery,
    DeliveryState,
    Outcome,
    OutcomeKind,
    pause_before,
)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DELIVERY = Delivery(
    id="d",
    organization_id="o",
    event_sequence=1,
    registration_id="r",
    attachment_id="a",
    part="status",
    lane="l",
    content={"state": "success"},
    created_at=NOW,
    next_attempt_at=NOW,
    holder="me",
    leased_until=NOW + LEASE,
)
LATER = Outcome(OutcomeKind.RETRY, "503", blames_target=True)


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        (OutcomeKind.DELIVERED, DeliveryState.DELIVERED),
        (OutcomeKind.SKIPPED, DeliveryState.SKIPPED),
        (OutcomeKind.REFUSED, DeliveryState.DEAD),
    ],
)
def test_what_is_settled_is_not_tried_again(kind: OutcomeKind, state: DeliveryState) -> None:
    after = DELIVERY.after(Outcome(kind, "x"), NOW, 0.5)

    assert (after.state, after.finished_at, after.holder, after.attempts) == (state, NOW, None, 1)


def test_a_failure_is_tried_again_with_the_same_content() -> None:
    after = DELIVERY.after(LATER, NOW, 0.5)

    assert after.state is DeliveryState.PENDING
    assert after.content == DELIVERY.content
    assert NOW < after.next_attempt_at <= NOW + FIRST_PAUSE


def test_a_credential_that_is_not_taken_costs_no_patience_and_is_due_when_it_was_changed() -> None:
    old = replace(DELIVERY, created_at=NOW - 2 * GIVE_UP_AFTER)

    after = old.after(Outcome(OutcomeKind.UNAUTHORIZED, "401"), NOW, 0.5)

    assert (after.state, after.next_attempt_at) == (DeliveryState.PENDING, NOW)


def test_patience_ends_after_three_days_and_a_replay_begins_it_anew() -> None:
    late = NOW + GIVE_UP_AFTER

    dead = DELIVERY.after(LATER, late, 0.5)
    replayed = dead.replayed(late)
    again = replayed.after(LATER, late + timedelta(hours=1), 0.5)

    assert dead.state is DeliveryState.DEAD
    assert (replayed.state, replayed.next_attempt_at) == (DeliveryState.PENDING, late)
    assert again.state is DeliveryState.PENDING


@given(attempt=some.integers(1, 10_000), jitter=some.floats(0, 1))
def test_pauses_grow_and_stay_in_bounds(attempt: int, jitter: float) -> None:
    pause = pause_before(attempt, None, jitter)

    assert FIRST_PAUSE / 2 <= pause <= LONGEST_PAUSE
    assert pause_before(attempt + 1, None, jitter) >= pause


@given(wish=some.integers(-10, 10**6), jitter=some.floats(0, 1))
def test_a_wish_of_the_target_is_kept_up_to_an_hour(wish: int, jitter: float) -> None:
    wished = timedelta(seconds=wish)

    pause = pause_before(1, wished, jitter)

    assert min(max(wished, timedelta()), LONGEST_WISH) <= pause <= LONGEST_WISH + FIRST_PAUSE


def test_those_who_were_asked_to_wait_do_not_all_come_back_at_once() -> None:
    pauses = {pause_before(1, timedelta(seconds=30), jitter) for jitter in (0, 0.5, 1)}

    assert pauses == {timedelta(seconds=30) + FIRST_PAUSE * jitter for jitter in (0, 0.5, 1)}


def test_a_lease_outlasts_a_try() -> None:
    assert timedelta(seconds=1.5 * TRY_SECONDS) <= LEASE


def test_a_break_ends_at_its_end() -> None:
    breaker = Breaker(BREAK_AFTER, NOW)

    assert breaker.is_open_at(NOW - timedelta(microseconds=1))
    assert not breaker.is_open_at(NOW)
    assert breaker.is_suspect, "one try at a time until the target answers"


def test_a_target_that_fails_again_and_again_is_left_alone_ever_longer_and_any_answer_ends_that() -> None:
    breaker = Breaker()
    for _ in range(BREAK_AFTER - 1):
        breaker = breaker.after(LATER, NOW)
    assert not breaker.is_open_at(NOW)
    assert breaker.is_suspect

    opened = breaker.after(LATER, NOW)
    longer = opened.after(LATER, NOW)

    assert opened.open_until == NOW + FIRST_BREAK
    assert longer.open_until == NOW + 2 * FIRST_BREAK
    assert longer.after(Outcome(OutcomeKind.REFUSED, "422"), NOW) == Breaker()


def test_the_longest_break_has_an_end() -> None:
    breaker = replace(Breaker(), failures=10_000)

    assert breaker.after(LATER, NOW).open_until == NOW + LONGEST_BREAK
