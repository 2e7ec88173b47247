from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from chainloop_ci.api.runs import RunState
from server.model.counted_runs import select_counted
from server.model.verdict_facts import Corroboration, CountedRun
from tests.unit.server.model.verdict_cases import a_run

CLAIMED: dict[str, Any] = {"corroboration": Corroboration.CLAIMED}
CONTRADICTED: dict[str, Any] = {"corroboration": Corroboration.CONTRADICTED}
SUPERSEDED: dict[str, Any] = {"state": RunState.CANCELED, "reason": "superseded"}


def counted(*runs: CountedRun, **options: Any) -> list[int]:
    """Return the sequences of the runs that count, whatever the order in which they are given."""
    found = {tuple(run.sequence for run in select_counted(order, **options)) for order in permutations(runs)}
    assert len(found) == 1, found
    return list(found.pop())


def test_r32_of_one_job_the_latest_by_the_servers_order_counts() -> None:
    assert counted(a_run(1), a_run(3), a_run(2)) == [3]


@pytest.mark.parametrize("other", [{"event": "pull_request"}, {"job": "test"}, {"job_index": "1"}])
def test_r32_each_event_job_and_leg_counts_on_its_own(other: dict[str, Any]) -> None:
    assert counted(a_run(1), a_run(2, **other)) == [2, 1]


def test_r32_an_older_cancelled_run_never_replaces_a_newer_one() -> None:
    cancelled = a_run(1, state=RunState.CANCELED, reason="concurrency")

    assert counted(cancelled, a_run(2)) == [2]


def test_r18_an_attempt_that_a_client_made_up_orders_nothing() -> None:
    assert counted(a_run(1, ci_attempt=999_999, **CLAIMED), a_run(2)) == [2]


def test_r18_a_corroborated_attempt_does_not_hide_a_newer_run_that_is_only_claimed() -> None:
    assert counted(a_run(1, ci_attempt=2), a_run(2, ci_attempt=1, **CLAIMED)) == [2]


def test_r18_a_corroborated_attempt_orders_within_its_ci_run() -> None:
    assert counted(a_run(1, ci_attempt=2), a_run(2, ci_attempt=1)) == [1]


def test_r18_attempts_of_two_ci_runs_do_not_compare() -> None:
    assert counted(a_run(1, ci_attempt=2), a_run(2, ci_run_id="901", ci_attempt=1)) == [2]


def test_r18_attempts_and_sequence_make_no_circle() -> None:
    runs = a_run(1, ci_attempt=2), a_run(2, ci_run_id="901"), a_run(3, ci_attempt=1)

    assert counted(*runs) == [2]


def test_r16_a_predecessor_does_not_count() -> None:
    failed = a_run(1, state=RunState.ERROR, job="other")

    assert counted(failed, a_run(2, predecessor_id="run-1")) == [2]


def test_r16_a_predecessor_does_not_come_back_when_its_successor_is_superseded() -> None:
    failed = a_run(1, state=RunState.ERROR, job="other")
    successor = a_run(2, job="other", predecessor_id="run-1", **SUPERSEDED)

    assert counted(failed, successor, a_run(3)) == [3]


def test_r16_a_successor_that_the_forge_contradicts_hides_nothing() -> None:
    failed = a_run(1, state=RunState.ERROR)

    assert counted(failed, a_run(2, predecessor_id="run-1", **CONTRADICTED)) == [1]


def test_r17_a_superseded_run_does_not_count() -> None:
    assert counted(a_run(1, job="other", **SUPERSEDED), a_run(2)) == [2]


def test_r17_a_run_that_only_says_it_was_superseded_counts() -> None:
    assert counted(a_run(1), a_run(2, **SUPERSEDED)) == [2]


def test_r30_a_contradicted_run_says_nothing_of_the_commit() -> None:
    assert counted(a_run(1), a_run(2, state=RunState.ERROR, **CONTRADICTED)) == [1]


def test_r39_a_distrusted_run_whose_commit_is_claimed_holds_nobody_up() -> None:
    assert counted(a_run(1), a_run(2, **CLAIMED), distrusted=frozenset({"run-2"})) == [1]


def test_r39_a_distrusted_run_whose_commit_is_proven_still_counts() -> None:
    assert counted(a_run(1), a_run(2), distrusted=frozenset({"run-2"})) == [2]


def test_where_the_head_decides_only_proven_runs_count() -> None:
    assert counted(a_run(1), a_run(2, **CLAIMED), proven_only=True) == [1]
