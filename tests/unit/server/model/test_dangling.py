from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chainloop_ci.api.runs import StateLocation
from chainloop_ci.api.source_address import SourceAddress, SourceKind
from chainloop_ci.api.words import CancelTrigger
from server.model.dangling import CLOCK_SKEW, claims_attempt, claims_job, job_ending, run_ending
from server.model.forge_facts import CiConclusion, ForgeJob
from tests.unit.server.model.forge_cases import CI, JOB, RUN, SOURCE
from tests.unit.server.model.test_runs import START

SECOND = timedelta(seconds=1)
EARLIER = replace(JOB, started_at=START - 10 * SECOND, ended_at=START - CLOCK_SKEW - SECOND)
LATER = replace(JOB, started_at=START + CLOCK_SKEW + SECOND, ended_at=START + 10 * SECOND)


@pytest.mark.parametrize("conclusion", [None, *CiConclusion])
def test_every_conclusion_ends_a_run_and_says_of_what(conclusion: CiConclusion | None) -> None:
    assert job_ending(conclusion).reason.startswith("the CI job ")
    assert run_ending(conclusion).reason.startswith("the CI run ")
    assert job_ending(conclusion).trigger is run_ending(conclusion).trigger


def test_what_somebody_stopped_is_cancelled_and_all_else_failed() -> None:
    cancelled = {each for each in CiConclusion if job_ending(each).trigger is CancelTrigger.CANCELLATION}

    assert cancelled == {CiConclusion.CANCELED, CiConclusion.SKIPPED}


def test_r46_a_run_is_of_the_attempt_that_it_names() -> None:
    assert claims_attempt(RUN, SOURCE.address, 1)
    assert not claims_attempt(RUN, SOURCE.address, 2)


def test_where_attempts_are_not_counted_there_is_one() -> None:
    uncounted = replace(RUN, ci=replace(CI, run_attempt=None))

    assert claims_attempt(uncounted, SOURCE.address, 1)
    assert not claims_attempt(uncounted, SOURCE.address, 2)


def test_r20_a_late_run_is_not_ended_by_the_end_of_its_job() -> None:
    assert not claims_attempt(replace(RUN, late=True), SOURCE.address, 1)


@pytest.mark.parametrize(
    "claimed",
    [
        {"provider": "gitlab"},
        {"repository": "rival/app"},
        {"repository": None},
        {"server_url": "https://github.example"},
        {"server_url": None},
    ],
)
def test_r46_a_run_elsewhere_is_not_ended(claimed: dict[str, Any]) -> None:
    assert not claims_attempt(replace(RUN, ci=replace(CI, **claimed)), SOURCE.address, 1)


@pytest.mark.parametrize(("job", "is_its"), [("folder/app", True), ("folder/app/main", True), ("folder/apples", False)])
def test_r46_a_jenkins_source_has_the_builds_of_its_job_and_of_the_job_s_branches(job: str, is_its: bool) -> None:
    address = SourceAddress(SourceKind.JENKINS, "https://jenkins.test", "folder/app")
    run = replace(RUN, ci=replace(CI, provider="jenkins", server_url="https://jenkins.test/", job=job))

    assert claims_attempt(run, address, 1) is is_its


@pytest.mark.parametrize(("job", "is_its"), [(JOB, True), (EARLIER, False), (LATER, False)])
@pytest.mark.parametrize("runner", [None, "runner-1"])
def test_r46_a_job_of_github_is_known_by_runner_or_name_and_by_its_time(
    job: ForgeJob, runner: str | None, is_its: bool
) -> None:
    run = replace(RUN, ci=replace(CI, runner_name=runner))

    assert claims_job(run, replace(job, runner_name=runner)) is is_its


def test_r46_another_runner_is_another_job_whatever_its_name() -> None:
    run = replace(RUN, ci=replace(CI, runner_name="runner-1"))

    assert not claims_job(run, replace(JOB, runner_name="runner-2"))
    assert claims_job(run, replace(JOB, name="Build it", runner_name="runner-1"))


def test_r46_a_leg_of_a_matrix_is_not_known_by_name() -> None:
    assert not claims_job(replace(RUN, ci=replace(CI, job_index="0")), JOB)


@pytest.mark.parametrize("unknown", ["started_at", "ended_at"])
def test_r46_a_job_whose_time_is_not_known_ends_nothing(unknown: str) -> None:
    assert not claims_job(RUN, replace(JOB, **{unknown: None}))


def test_r46_gitlab_tells_a_job_its_number() -> None:
    run = replace(RUN, ci=replace(CI, provider="gitlab", job="1"))

    assert claims_job(run, replace(LATER, name="anything"))
    assert not claims_job(run, replace(JOB, job_id="2"))


@pytest.mark.parametrize("provider", ["github", "gitlab"])
def test_r46_a_shared_state_belongs_to_no_single_job(provider: str) -> None:
    own = replace(CI, provider=provider, job="1" if provider == "gitlab" else "build")

    assert claims_job(replace(RUN, ci=own), JOB)
    assert not claims_job(replace(RUN, ci=own, state_location=StateLocation.SHARED), JOB)


def test_the_first_and_the_last_times_there_are_can_be_compared() -> None:
    first, last = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)

    assert claims_job(RUN, replace(JOB, started_at=first, ended_at=last))
    assert not claims_job(RUN, replace(JOB, started_at=last, ended_at=last))
    assert not claims_job(RUN, replace(JOB, started_at=first, ended_at=first))
