"""What a forge keeps of a CI run, against what a job says of itself (R30, R20)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from chainloop_ci.api.source_address import SourceAddress, SourceKind
from server.model.corroboration import CLOCK_SKEW, Claim, corroborate
from server.model.forge_facts import ForgeRun
from server.model.verdict_facts import Corroboration
from tests.unit.server.model.forge_cases import BOUND, CI, MINUTE, RUN, SHA, TOLD
from tests.unit.server.model.test_runs import DIGEST, START

CLAIM = Claim.of(RUN)
LONG_BEFORE, LONG_AFTER = START - 10 * MINUTE, START + 10 * MINUTE


def found(claim: Claim = CLAIM, told: ForgeRun | None = TOLD, **facts: Any) -> Corroboration:
    return corroborate(claim, BOUND, replace(told, **facts) if told else None)


def test_r30_a_claim_that_the_forge_confirms_in_everything_is_corroborated() -> None:
    assert found() is Corroboration.CORROBORATED


def test_r30_until_the_forge_tells_of_the_ci_run_it_is_claimed() -> None:
    assert found(told=None) is Corroboration.CLAIMED


@pytest.mark.parametrize(
    "facts",
    [
        {"is_fork": True},
        {"head_sha": "f" * 40},
        {"ci_file": ".github/workflows/other.yml"},
        {"ci_file": None},
        {"started_at": None},
        {"started_at": START + CLOCK_SKEW + MINUTE},
        {"ended_at": START - CLOCK_SKEW - MINUTE},
    ],
)
def test_r30_one_fact_that_differs_contradicts_it(facts: dict[str, Any]) -> None:
    assert found(**facts) is Corroboration.CONTRADICTED


def test_r30_the_first_and_the_last_times_there_are_can_be_compared() -> None:
    first, last = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)

    assert found(started_at=first, ended_at=last) is Corroboration.CORROBORATED
    assert found(started_at=last, ended_at=last) is Corroboration.CONTRADICTED
    assert found(started_at=first, ended_at=first) is Corroboration.CONTRADICTED


@pytest.mark.parametrize(
    "claimed",
    [
        {"provider": "gitlab"},
        {"server_url": "https://github.example"},
        {"server_url": None},
        {"repository": "rival/app"},
        {"repository": None},
    ],
)
def test_r30_a_job_elsewhere_is_contradicted_before_the_forge_is_asked(claimed: dict[str, Any]) -> None:
    assert found(replace(CLAIM, ci=replace(CI, **claimed)), told=None) is Corroboration.CONTRADICTED


def test_r30_the_case_of_a_repository_and_a_slash_at_the_end_do_not_count() -> None:
    ci = replace(CI, repository="Acme/App", server_url="https://GitHub.com/")

    assert found(replace(CLAIM, ci=ci)) is Corroboration.CORROBORATED


@pytest.mark.parametrize("facts", [{"started_at": START + CLOCK_SKEW}, {"ended_at": START - CLOCK_SKEW}])
def test_clocks_may_differ_a_little(facts: dict[str, Any]) -> None:
    assert found(**facts) is Corroboration.CORROBORATED


def test_r30_init_and_store_both_lie_in_the_ci_run_s_time() -> None:
    stored = Claim.of(replace(RUN, attestation_digest=DIGEST, finished_at=LONG_AFTER))

    assert found(stored, ended_at=START + MINUTE) is Corroboration.CONTRADICTED
    assert found(stored, ended_at=LONG_AFTER) is Corroboration.CORROBORATED


def test_r30_what_ended_a_run_without_a_store_is_no_request_of_the_job() -> None:
    expired = Claim.of(replace(RUN, finished_at=LONG_AFTER))

    assert found(expired, ended_at=START + MINUTE) is Corroboration.CORROBORATED


def test_r20_a_late_run_after_its_ci_run_is_no_lie_and_is_not_proven() -> None:
    late = Claim.of(replace(RUN, late=True))

    assert found(late, ended_at=LONG_BEFORE) is Corroboration.CLAIMED
    assert found(late) is Corroboration.CORROBORATED, "it came while the CI run goes on"


def test_r20_a_late_run_of_another_commit_is_a_lie() -> None:
    assert found(Claim.of(replace(RUN, late=True)), head_sha=SHA[::-1]) is Corroboration.CONTRADICTED


def test_r30_another_port_is_another_forge() -> None:
    source = replace(BOUND.source, address=SourceAddress(SourceKind.GITHUB, "https://ghe.test:8443", "acme/app"))
    ci = replace(CI, server_url="https://ghe.test")

    assert corroborate(replace(CLAIM, ci=ci), replace(BOUND, source=source), TOLD) is Corroboration.CONTRADICTED
