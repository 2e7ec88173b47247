from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from server.model.forge_facts import (
    CiConclusion,
    CiStatus,
    ForgeRun,
    is_newer_head,
    is_newer_job,
    is_newer_run,
)
from tests.unit.server.model.forge_cases import HEAD, JOB, MINUTE, TOLD
from tests.unit.server.model.test_runs import START

LATER = START + MINUTE
ENDED = {"status": CiStatus.ENDED, "conclusion": CiConclusion.FAILURE}


def test_r46_news_of_a_head_are_ordered_by_the_forge_s_time_and_not_by_their_coming() -> None:
    later = replace(HEAD, told_at=LATER, branch="feature")

    assert is_newer_head(later, HEAD)
    assert not is_newer_head(HEAD, later)


def test_r46_of_one_moment_a_head_that_is_closed_is_the_newer_news() -> None:
    closed = replace(HEAD, is_open=False)

    assert is_newer_head(closed, HEAD)
    assert not is_newer_head(HEAD, closed)


def test_what_was_learned_of_a_head_by_asking_is_no_news() -> None:
    learned = replace(HEAD, seen_at=LATER, changed_paths=("a",), ci_files={})

    assert not is_newer_head(learned, HEAD)
    assert not is_newer_head(HEAD, learned)


def test_r46_an_attempt_that_ended_stays_so() -> None:
    ended, again = replace(TOLD, **ENDED), replace(TOLD, told_at=LATER)

    assert is_newer_run(ended, again)
    assert not is_newer_run(again, ended)


def test_a_pipeline_goes_on_when_a_job_of_it_is_retried() -> None:
    ended, again = replace(TOLD, **ENDED), replace(TOLD, told_at=LATER, can_go_on=True)

    assert is_newer_run(again, ended)
    assert not is_newer_run(replace(ended, can_go_on=True), replace(again, can_go_on=False))


def test_of_one_moment_the_further_step_of_a_pipeline_is_the_newer_news() -> None:
    assert is_newer_run(replace(TOLD, **ENDED, can_go_on=True), TOLD)


def test_r46_a_job_never_goes_back() -> None:
    steps = [replace(JOB, status=status) for status in CiStatus]

    for before, after in pairwise(steps):
        assert is_newer_job(after, START, before, LATER)
        assert not is_newer_job(before, LATER, after, START)


def test_r46_of_one_step_of_a_job_the_later_news_counts() -> None:
    other = replace(JOB, conclusion=CiConclusion.SUCCESS)

    assert is_newer_job(other, LATER, JOB, START)
    assert not is_newer_job(other, START, JOB, LATER)


def test_r46_where_nothing_else_differs_one_of_two_words_wins_in_either_order() -> None:
    words: list[ForgeRun] = [replace(TOLD, **ENDED), replace(TOLD, status=CiStatus.ENDED)]

    assert [is_newer_run(*words), is_newer_run(*words[::-1])].count(True) == 1
