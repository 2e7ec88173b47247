from __future__ import annotations

import pytest

from server.model.awaited_jobs import count_awaited, job_of
from server.model.verdict_facts import CiJob, CiRun
from tests.unit.server.model.verdict_cases import NOW, a_run


@pytest.mark.parametrize(
    ("name", "job"),
    [
        ("build", "build"),
        ("build (linux, 3.12)", "build"),
        ("release / build (linux)", "build"),
        ("build 2/3", "build"),
        ("build: [linux, 3.12]", "build"),
        ("build (x) and test", "build (x) and test"),
    ],
)
def test_a_leg_is_told_from_its_job(name: str, job: str) -> None:
    assert job_of(name) == job


def test_a_gitlab_leg_that_attested_stands_for_one_of_its_job() -> None:
    ci_run = CiRun("900", NOW, jobs=tuple(CiJob(f"build {leg}/3") for leg in (1, 2, 3)))

    assert count_awaited([ci_run], [a_run(1, job="build 1/3"), a_run(2, job="build 2/3")], NOW) == 1


def test_a_ci_run_that_has_ended_is_not_waited_for() -> None:
    ci_run = CiRun("900", NOW, ended_at=NOW, jobs=(CiJob("build (1)"), CiJob("build (2)")))

    assert count_awaited([ci_run], [], NOW) == 0
