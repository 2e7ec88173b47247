from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainloop_ci.api.runs import RunState
from server.model.verdict import Verdict, judge
from server.model.verdict_facts import (
    MAX_CI_WAIT,
    Applicability,
    ApplicabilityKind,
    CiJob,
    CiRun,
    CommitContext,
    Corroboration,
    CountedRun,
    HeadFacts,
    OverrideKind,
    Refused,
    Upcoming,
    VerdictSettings,
)
from server.model.verdict_kinds import VerdictKind
from tests.unit.server.model.statements import RUN
from tests.unit.server.model.test_runs import START
from tests.unit.server.model.verdict_cases import HEAD, LATER, NOW, OVERDUE, a_context, a_run, an_override

CLAIMED: dict[str, Any] = {"corroboration": Corroboration.CLAIMED}
CONTRADICTED: dict[str, Any] = {"corroboration": Corroboration.CONTRADICTED}
REFUSED = Refused("attestation-refused", "sbom is no SBOM")
OPEN = {"state": RunState.INITIALIZED}
FAILED = {"state": RunState.ERROR, "reason": "exit 2"}
FORK = Applicability(ApplicabilityKind.UNTRUSTED_HEAD, "the head is in a fork")
DELETED = Applicability(ApplicabilityKind.MISSING, "this change has the CI file deleted")
OUTSIDE = Applicability(ApplicabilityKind.NOT_APPLICABLE, "no change in the registered paths")


def verdict(*runs: CountedRun, now: datetime = NOW, **facts: Any) -> Verdict:
    return judge(a_context(*runs, **facts), now)


def said(*runs: CountedRun, now: datetime = NOW, **facts: Any) -> tuple[VerdictKind, str]:
    found = verdict(*runs, now=now, **facts)
    return found.kind, found.description


def test_a_verdict_names_the_run_that_decided_and_those_that_count() -> None:
    found = verdict(a_run(1), a_run(2, job="test", **FAILED), a_run(3, job="docs"))

    assert (found.run_id, found.counted_run_ids) == ("run-2", ("run-3", "run-2", "run-1"))


def test_r32_the_worst_job_decides() -> None:
    found = said(a_run(1), a_run(2, job_index="1", **FAILED), a_run(3, job_index="2"))

    assert found == (VerdictKind.CRAFTING_ERROR, "1 of 3 jobs: exit 2")


def test_r32_of_two_failures_the_graver_one_is_told_although_the_other_is_newer() -> None:
    refused = {"state": RunState.ERROR, "refused": REFUSED}

    assert said(a_run(1, **refused), a_run(2, job_index="1", **FAILED))[0] is VerdictKind.REFUSED


def test_r32_an_open_job_keeps_it_pending_and_the_failed_one_is_told() -> None:
    found = said(a_run(1), a_run(2, job_index="1", **FAILED), a_run(3, job_index="2", **OPEN))

    assert found == (VerdictKind.INITIALIZED, "1 of 3 jobs: attestation begun, waiting for push; 1 failed")


def test_r32_an_open_job_whose_last_store_was_refused_fails_it() -> None:
    found = said(a_run(1, job_index="1", **OPEN), a_run(2, refused=REFUSED, **OPEN))

    assert found == (VerdictKind.REFUSED, "1 of 2 jobs: refused: sbom is no SBOM")


def test_r32_a_refused_store_of_a_run_that_is_only_claimed_reddens_nothing() -> None:
    found = said(a_run(1), a_run(2, job="made-up", refused=REFUSED, **OPEN, **CLAIMED))

    assert found[0] is VerdictKind.CLAIMED


def test_r32_a_success_after_the_refusal_replaces_it() -> None:
    assert said(a_run(1, refused=REFUSED))[0] is VerdictKind.SUCCESS


def test_r30_a_claimed_failure_on_anothers_head_does_not_redden_it() -> None:
    assert said(a_run(1, **FAILED, **CLAIMED), head=HEAD)[0] is VerdictKind.CLAIMED


def test_r30_a_claimed_success_on_an_unattested_head_does_not_make_it_green() -> None:
    assert said(a_run(1, **CLAIMED), head=OVERDUE)[0] is VerdictKind.CLAIMED


def test_r30_a_lie_that_the_forge_contradicts_changes_nothing() -> None:
    honest = a_run(1)

    assert said(honest, a_run(2, **FAILED, **CONTRADICTED)) == said(honest)


def test_r30_of_lies_alone_the_attestation_is_missing() -> None:
    assert said(a_run(1, **CONTRADICTED), head=OVERDUE) == (VerdictKind.MISSING, "no attestation within 30 min")


def test_r30_a_lie_about_a_commit_that_no_forge_told_of_stays_claimed() -> None:
    assert said(a_run(1, **CONTRADICTED))[0] is VerdictKind.CLAIMED


def test_a_new_head_waits_for_its_attestation() -> None:
    found = verdict(head=HEAD)

    assert found.kind is VerdictKind.EXPECTED
    assert found.holds_until == NOW + timedelta(minutes=30)


def test_an_attestation_that_did_not_come_is_missing_from_the_end_of_the_grace_time_on() -> None:
    end = NOW + timedelta(minutes=30)

    assert said(head=HEAD, now=end - timedelta(seconds=1))[0] is VerdictKind.EXPECTED
    assert said(head=HEAD, now=end) == (VerdictKind.MISSING, "no attestation within 30 min")


def test_r31_a_merge_queue_head_without_attestation_names_the_missing_trigger() -> None:
    hint = Applicability(ApplicabilityKind.APPLICABLE, "the CI file has no merge_group trigger")

    assert said(head=OVERDUE, applicability=hint) == (
        VerdictKind.MISSING,
        "no attestation within 30 min: the CI file has no merge_group trigger",
    )


def test_a_running_ci_is_waited_for_beyond_the_grace_time() -> None:
    running = CiRun("900", seen_at=NOW - timedelta(hours=1))

    assert said(head=OVERDUE, ci_runs=[running])[0] is VerdictKind.EXPECTED


def test_the_grace_time_begins_anew_when_the_ci_run_has_ended() -> None:
    ended = CiRun("900", seen_at=NOW - timedelta(hours=1), ended_at=NOW - timedelta(minutes=29))

    assert said(head=OVERDUE, ci_runs=[ended])[0] is VerdictKind.EXPECTED
    assert said(head=OVERDUE, ci_runs=[ended], now=NOW + timedelta(minutes=1))[0] is VerdictKind.MISSING


def test_a_ci_run_whose_end_is_never_heard_of_is_not_waited_for_for_ever() -> None:
    lost = CiRun("900", seen_at=NOW)

    assert said(head=HEAD, ci_runs=[lost], now=NOW + MAX_CI_WAIT)[0] is VerdictKind.MISSING


def test_an_attestation_that_comes_after_all_ends_what_was_missing() -> None:
    assert said(head=OVERDUE)[0] is VerdictKind.MISSING
    assert said(a_run(1), head=OVERDUE)[0] is VerdictKind.SUCCESS


def test_a_stored_run_that_is_open_is_judged_by_its_own_life() -> None:
    run = replace(RUN, expires_at=START + timedelta(hours=6), last_accepted_at=START)

    found = judge(a_context(CountedRun.of(run, Corroboration.CORROBORATED)), START + timedelta(hours=6))

    assert (found.kind, found.description, found.run_id) == (VerdictKind.EXPIRED, "no push within 6 h", RUN.id)


def test_the_successor_of_a_stored_run_takes_its_place() -> None:
    ended = replace(RUN, state=RunState.ERROR, sequence=1)
    goes_on = replace(ended, id="next", state=RunState.SUCCESS, sequence=2, predecessor_id=RUN.id)

    found = verdict(*(CountedRun.of(run, Corroboration.CORROBORATED) for run in (ended, goes_on)), now=START)

    assert (found.kind, found.counted_run_ids) == (VerdictKind.SUCCESS, ("next",))


def test_r34_a_change_that_keeps_the_ci_from_running_is_missing_at_once() -> None:
    found = said(head=HEAD, applicability=DELETED)

    assert found == (VerdictKind.MISSING, "no attestation: this change has the CI file deleted")


def test_r34_a_claimed_attestation_does_not_excuse_a_deleted_ci_file() -> None:
    assert said(a_run(1, **CLAIMED), head=HEAD, applicability=DELETED)[0] is VerdictKind.MISSING


def test_r34_a_corroborated_attestation_came_all_the_same() -> None:
    assert said(a_run(1), head=HEAD, applicability=DELETED)[0] is VerdictKind.SUCCESS


def test_r34_a_change_outside_the_targets_paths_is_not_applicable() -> None:
    found = said(head=OVERDUE, applicability=OUTSIDE)

    assert found == (VerdictKind.NOT_APPLICABLE, "no attestation required: no change in the registered paths")


def test_r35_a_forks_head_waits_for_a_maintainer_however_long() -> None:
    found = said(head=OVERDUE, applicability=FORK)

    assert found == (VerdictKind.UNTRUSTED_HEAD, "needs a maintainer's attested run: the head is in a fork")


@pytest.mark.parametrize("facts", [{}, OPEN, FAILED, {"refused": REFUSED, **OPEN}])
def test_r35_what_a_forks_job_claims_makes_its_head_neither_red_nor_green(facts: dict[str, Any]) -> None:
    assert said(a_run(1, **facts, **CLAIMED), head=HEAD, applicability=FORK)[0] is VerdictKind.UNTRUSTED_HEAD


def test_r35_a_maintainers_attested_run_of_a_forks_head_counts() -> None:
    assert said(a_run(1), head=HEAD, applicability=FORK)[0] is VerdictKind.SUCCESS


def test_r35_only_a_setting_lets_a_forks_head_pass_and_its_text_says_what_that_does() -> None:
    kind, text = said(head=HEAD, applicability=FORK, settings=VerdictSettings(untrusted_heads_pass=True))

    assert kind is VerdictKind.UNTRUSTED_HEAD_PASSES
    assert "opens the gate" in text


def test_r20_a_late_run_waits_until_an_operator_lets_the_commit_through() -> None:
    late = a_run(1, late=True, **CLAIMED)
    override = an_override(OverrideKind.OVERRIDE, until=LATER)

    assert said(late)[0] is VerdictKind.LATE
    assert said(late, overrides=[override])[0] is VerdictKind.OVERRIDDEN


def test_r39_an_override_lets_a_failed_commit_through_and_says_until_when_and_why() -> None:
    found = verdict(a_run(1, **FAILED), overrides=[an_override(OverrideKind.OVERRIDE, until=LATER)])

    assert found.description == "let through by an operator until 2026-11-30 18:00 UTC: incident 12"
    assert (found.passes, found.is_compliant, found.holds_until) == (True, False, LATER)


def test_r39_an_override_ends_by_itself() -> None:
    override = an_override(OverrideKind.OVERRIDE, until=LATER)

    assert said(a_run(1, **FAILED), overrides=[override], now=LATER)[0] is VerdictKind.CRAFTING_ERROR


def test_r39_a_blocked_workflow_fails_whatever_it_attested() -> None:
    assert said(a_run(1), overrides=[an_override(OverrideKind.BLOCK)]) == (
        VerdictKind.BLOCKED,
        "the workflow is blocked by an operator: incident 12",
    )


@pytest.mark.parametrize("reverse", [False, True])
def test_r39_a_block_wins_over_an_override(reverse: bool) -> None:
    both = [an_override(OverrideKind.OVERRIDE, until=LATER), an_override(OverrideKind.BLOCK)]

    assert said(a_run(1), overrides=both[::-1] if reverse else both)[0] is VerdictKind.BLOCKED


def test_r39_a_distrusted_run_fails_until_a_newer_one_replaces_it() -> None:
    distrust = an_override(OverrideKind.DISTRUST, run_id="run-1")

    assert said(a_run(1), overrides=[distrust])[0] is VerdictKind.DISTRUSTED
    assert said(a_run(1), a_run(2), overrides=[distrust])[0] is VerdictKind.SUCCESS


def test_r39_the_reasons_of_operators_stay_out_of_public_repositories() -> None:
    block = an_override(OverrideKind.BLOCK)

    found = said(a_run(1), overrides=[block], settings=VerdictSettings(names_allowed=False))

    assert "incident" not in found[1]


def test_r38_a_verdict_tells_when_the_new_requirement_will_change_it() -> None:
    found = verdict(a_run(1, upcoming=Upcoming(8, LATER, ("sbom",))))

    assert (found.kind, found.holds_until) == (VerdictKind.UPCOMING, LATER)


def test_an_open_run_is_looked_at_again_when_it_expires() -> None:
    context = a_context(a_run(1, **OPEN))

    found = judge(context, NOW)

    assert found.holds_until == LATER
    assert judge(context, LATER).kind is VerdictKind.EXPIRED


def matrix(*ended: bool) -> CiRun:
    jobs = [CiJob(f"build ({leg})", has_ended=has_ended) for leg, has_ended in enumerate(ended)]
    return CiRun("900", seen_at=NOW, jobs=(*jobs, CiJob("deploy")))


def test_r32_the_first_leg_of_a_matrix_makes_nothing_green() -> None:
    found = said(a_run(1, job_index="0"), ci_runs=[matrix(False, False, False)])

    assert found == (VerdictKind.PARTIAL, "1 of 3 jobs attested")


def test_r32_a_job_that_goes_on_after_its_push_holds_nothing_up() -> None:
    legs = [a_run(number, job_index=str(number)) for number in range(3)]

    assert said(*legs, ci_runs=[matrix(False, False, False)])[0] is VerdictKind.SUCCESS


def test_r32_a_ci_run_whose_end_is_never_heard_of_is_waited_for_until_the_time_that_is_named() -> None:
    context = a_context(a_run(1, job_index="0"), ci_runs=[matrix(False, False)])

    found = judge(context, NOW)

    assert (found.kind, found.holds_until) == (VerdictKind.PARTIAL, NOW + MAX_CI_WAIT)
    assert judge(context, NOW + MAX_CI_WAIT).kind is VerdictKind.SUCCESS


@pytest.mark.parametrize(
    ("facts", "kind"),
    [(FAILED, VerdictKind.CRAFTING_ERROR), (CLAIMED, VerdictKind.CLAIMED), (OPEN, VerdictKind.INITIALIZED)],
)
def test_r32_a_leg_that_is_awaited_hides_nothing_worse(facts: dict[str, Any], kind: VerdictKind) -> None:
    assert said(a_run(1, job_index="0", **facts), ci_runs=[matrix(False, False)])[0] is kind


def test_r32_another_job_of_the_same_ci_run_is_not_waited_for() -> None:
    assert said(a_run(1), ci_runs=[matrix(True)])[0] is VerdictKind.SUCCESS


def test_r32_a_second_event_whose_ci_run_goes_on_is_waited_for() -> None:
    second = CiRun("901", seen_at=NOW)

    assert said(a_run(1), ci_runs=[matrix(True), second])[0] is VerdictKind.PARTIAL
    assert said(a_run(1), ci_runs=[matrix(True), second], now=NOW + MAX_CI_WAIT)[0] is VerdictKind.SUCCESS


def test_r32_a_leg_that_ended_without_an_attestation_is_waited_for_no_more() -> None:
    assert said(a_run(1, job_index="0"), ci_runs=[matrix(True, True)])[0] is VerdictKind.SUCCESS


def test_nothing_known_at_all_is_never_success() -> None:
    assert said()[0] is VerdictKind.EXPECTED


RUNS = st.builds(
    a_run,
    sequence=st.integers(1, 6),
    id=st.text(st.characters(codec="ascii", categories=["L"]), min_size=1, max_size=8),
    state=st.sampled_from(RunState),
    corroboration=st.sampled_from(Corroboration),
    reason=st.sampled_from(["", "superseded", "unverified", "exit 2"]) | st.text(max_size=300),
    event=st.sampled_from(["push", "pull_request"]),
    job_index=st.sampled_from([None, "0", "1"]),
    ci_run_id=st.sampled_from(["900", "901"]),
    ci_attempt=st.sampled_from([None, 1, 2]),
    late=st.booleans(),
    has_requirements=st.booleans(),
    is_verified=st.booleans(),
    refused=st.none() | st.builds(Refused, st.just("refused"), st.text(max_size=300)),
    missing=st.lists(st.text(max_size=60), max_size=5).map(tuple),
)
CI_RUNS = st.builds(
    CiRun,
    st.sampled_from(["900", "901"]),
    seen_at=st.integers(0, 8).map(lambda hours: NOW - timedelta(hours=hours)),
    ended_at=st.none() | st.just(NOW),
    jobs=st.lists(st.builds(CiJob, st.just("build (1)"), st.booleans()), max_size=3).map(tuple),
)
CONTEXTS = st.builds(
    CommitContext,
    workflow=st.just("api"),
    runs=st.lists(RUNS, max_size=6, unique_by=lambda run: run.sequence),
    applicability=st.builds(Applicability, st.sampled_from(ApplicabilityKind), st.text(max_size=200)),
    head=st.none() | st.builds(HeadFacts, st.just(NOW), st.integers(0, 3600)),
    ci_runs=st.lists(CI_RUNS, max_size=2, unique_by=lambda run: run.id),
    settings=st.builds(VerdictSettings, names_allowed=st.booleans()),
)


@given(CONTEXTS, st.randoms(use_true_random=False))
def test_r32_the_order_in_which_runs_are_given_changes_nothing(context: CommitContext, random: Any) -> None:
    mixed = list(context.runs)
    random.shuffle(mixed)

    again = judge(CommitContext(**{**_fields(context), "runs": mixed}), NOW)

    assert again == judge(context, NOW)


@given(CONTEXTS)
def test_r30_no_final_verdict_follows_from_claims(context: CommitContext) -> None:
    claims = [run for run in context.runs if not run.corroboration.is_proven]
    nobody = judge(CommitContext(**{**_fields(context), "runs": ()}), NOW)

    found = judge(CommitContext(**{**_fields(context), "runs": claims}), NOW)

    assert not found.is_final or found.kind is nobody.kind


@given(CONTEXTS)
def test_a_description_is_one_line_of_at_most_140_code_points(context: CommitContext) -> None:
    found = judge(context, NOW)

    assert 0 < len(found.description) <= 140
    assert found.description.isprintable()


@given(CONTEXTS)
def test_a_verdict_changes_only_after_the_time_that_it_names(context: CommitContext) -> None:
    first = judge(context, NOW)
    moment = (first.holds_until or LATER + timedelta(days=300)) - timedelta(seconds=1)

    assert judge(context, max(moment, NOW)) == first


def _fields(context: CommitContext) -> dict[str, Any]:
    return {name: getattr(context, name) for name in CommitContext.__slots__}
