from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chainloop_ci.runners.types import CiIdentity

FIRST = CiIdentity(
    "github", server_url="https://github.com", repository="acme/app", run_id="77", run_attempt=1, job="a"
)


@pytest.mark.parametrize("attempt", [2, 3, 100])
def test_r16_a_later_attempt_of_the_same_ci_run_is_known_whatever_its_job(attempt: int) -> None:
    assert replace(FIRST, run_attempt=attempt, job="b", job_index="3").is_later_attempt_of(FIRST)


@pytest.mark.parametrize(
    "changes",
    [
        {"run_attempt": 1},
        {"run_attempt": 0},
        {"run_attempt": None},
        {"run_id": "78"},
        {"run_id": None},
        {"repository": "acme/other"},
        {"server_url": "https://forge.example"},
        {"provider": "gitlab"},
    ],
)
def test_r16_nothing_else_is_a_later_attempt(changes: dict[str, Any]) -> None:
    assert not replace(FIRST, **{"run_attempt": 2, **changes}).is_later_attempt_of(FIRST)


def test_r16_without_an_attempt_or_a_run_there_is_no_later_one() -> None:
    second = replace(FIRST, run_attempt=2)

    assert not second.is_later_attempt_of(replace(FIRST, run_attempt=None))
    assert not CiIdentity("none", run_attempt=2).is_later_attempt_of(CiIdentity("none", run_attempt=1))
