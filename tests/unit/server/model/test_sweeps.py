from datetime import UTC, datetime, timedelta

import pytest

from server.model.sweeps import (
    INTERVALS,
    LEASE,
    RETRY,
    SweepName,
    SweepOutcome,
    SweepState,
    UploadVerdict,
    find_late,
    judge_upload,
)

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def state(**changes):
    return SweepState(**{"name": "expired-runs", "started_at": NOW, **changes})


@pytest.mark.parametrize(
    ("after", "due"), [(timedelta(0), False), (HOUR - timedelta(seconds=1), False), (HOUR, True), (-HOUR, True)]
)
def test_a_sweep_that_was_done_is_due_after_its_interval_or_when_the_clock_was_set_back(after, due):
    assert state(outcome=SweepOutcome.DONE).is_due(HOUR, NOW + after) is due


@pytest.mark.parametrize("outcome", [SweepOutcome.FAILED, SweepOutcome.STOPPED])
def test_a_sweep_that_was_not_done_is_tried_again_soon(outcome):
    found = state(outcome=outcome, finished_at=NOW)

    assert found.is_due(HOUR, NOW + RETRY)
    assert not found.is_due(HOUR, NOW + RETRY - timedelta(seconds=1))
    assert found.is_due(timedelta(seconds=5), NOW + timedelta(seconds=5))


def test_a_long_sweep_that_failed_is_tried_again_after_its_end_not_its_start():
    found = state(outcome=SweepOutcome.FAILED, finished_at=NOW + HOUR)

    assert not found.is_due(HOUR, NOW + HOUR + RETRY - timedelta(seconds=1))
    assert found.is_due(HOUR, NOW + HOUR + RETRY)


def test_a_sweep_belongs_to_its_holder_until_the_lease_ends():
    begun = state().started("a", NOW)

    assert not begun.is_free(NOW + LEASE - timedelta(seconds=1))
    assert not begun.is_due(timedelta(0), NOW + LEASE - timedelta(seconds=1))
    assert begun.is_free(NOW + LEASE)


def test_an_end_keeps_when_it_was_done_the_last_time():
    done = state().started("a", NOW).finished(SweepOutcome.DONE, {"runs": 1}, NOW)
    failed = done.started("b", NOW + HOUR).finished(SweepOutcome.FAILED, {"error": "store-full"}, NOW + HOUR)

    assert (failed.succeeded_at, failed.finished_at) == (NOW, NOW + HOUR)
    assert (failed.holder, failed.held_until, failed.detail) == (None, None, {"error": "store-full"})


def test_a_sweep_that_fails_for_long_is_found_with_its_error():
    failing = state(succeeded_at=None, outcome=SweepOutcome.FAILED, detail={"error": "store-full"})
    states = {SweepName.RUNS: failing}

    (finding,) = find_late(states, {SweepName.RUNS: HOUR}, NOW + 4 * HOUR)

    assert finding.code == "sweep-late"
    assert finding.message == "sweep expired-runs was never done, it is due every 1 hour; it fails: store-full"
    assert "dispatch --once" in finding.hint


@pytest.mark.parametrize(("hours", "words"), [(3, None), (4, "was done 4 hours ago"), (50, "was done 2 days ago")])
def test_a_sweep_is_late_after_three_intervals(hours, words):
    found = find_late({"blobs": state(name="blobs", succeeded_at=NOW)}, {"blobs": HOUR}, NOW + hours * HOUR)

    assert [words in finding.message for finding in found] == ([True] if words else [])


def test_a_sweep_that_begins_again_and_again_and_never_succeeds_is_late():
    begun = state(name="blobs", started_at=NOW + 4 * HOUR, succeeded_at=NOW)

    (finding,) = find_late({"blobs": begun}, {"blobs": HOUR}, NOW + 4 * HOUR)

    assert finding.message == "sweep blobs was done 4 hours ago, it is due every 1 hour"


def test_a_sweep_that_fails_from_the_first_is_found_however_often_it_begins():
    begun = state(name="blobs").started("a", NOW)
    failed = begun.finished(SweepOutcome.FAILED, {"error": "store-full"}, NOW)

    (finding,) = find_late({"blobs": failed}, {"blobs": HOUR}, NOW)

    assert finding.message == "sweep blobs was never done, it is due every 1 hour; it fails: store-full"
    assert find_late({"blobs": begun}, {"blobs": HOUR}, NOW) == []


def test_the_first_sweep_has_its_time():
    assert find_late({"blobs": state(name="blobs")}, {"blobs": HOUR}, NOW + 3 * HOUR) == []


def test_frequent_sweeps_are_late_after_a_quarter_of_an_hour_only():
    states = {name: state(name=name, succeeded_at=NOW) for name in INTERVALS}

    assert find_late(states, INTERVALS, NOW + timedelta(minutes=15)) == []


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        ({"is_referenced": True}, UploadVerdict.REFERENCED),
        ({}, UploadVerdict.UNREFERENCED),
        ({"last_uploaded_at": NOW}, UploadVerdict.WAITING),
        ({"runs_ended_at": NOW + HOUR}, UploadVerdict.WAITING),
        ({"runs_ended_at": NOW}, UploadVerdict.WAITING),
        ({"runs_ended_at": NOW - HOUR}, UploadVerdict.UNREFERENCED),
        ({"is_referenced": True, "runs_ended_at": NOW - HOUR}, UploadVerdict.REFERENCED),
    ],
)
def test_r8_an_upload_goes_when_nobody_needs_it(facts, verdict):
    known = {"is_referenced": False, "last_uploaded_at": NOW - HOUR, "runs_ended_at": None, **facts}

    assert judge_upload(before=NOW, **known) is verdict
