from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.model.roll_up import WorkflowVerdict, roll_up
from server.model.verdict_kinds import VerdictKind, is_passing, is_pending
from tests.unit.server.model.verdict_cases import LATER, NOW, a_verdict

SUCCESS, FAILED, OPEN = VerdictKind.SUCCESS, VerdictKind.NOT_MET, VerdictKind.INITIALIZED


def members(**kinds: VerdictKind) -> list[WorkflowVerdict]:
    return [WorkflowVerdict(name, a_verdict(kind, f"run-of-{name}")) for name, kind in kinds.items()]


def test_r33_no_expected_workflow_is_never_success() -> None:
    found = roll_up([])

    assert (found.kind, found.passes) == (VerdictKind.NONE_EXPECTED, False)


def test_r33_it_is_pending_until_each_has_reported_and_names_the_missing() -> None:
    ready = members(**{f"w{number}": SUCCESS for number in range(7)})

    found = roll_up([*ready, *members(api=OPEN, web=OPEN, docs=VerdictKind.EXPECTED)])

    assert (found.kind, found.description) == (VerdictKind.REPORTING, "7 of 10, missing: api, docs, web")


def test_r33_a_failure_before_all_have_reported_is_told_and_not_final() -> None:
    found = roll_up(members(a=SUCCESS, b=FAILED, c=OPEN))

    assert (found.kind, found.description) == (VerdictKind.REPORTING, "2 of 3, missing: c; failed: b")


def test_r33_the_worst_decides_when_all_have_reported() -> None:
    found = roll_up(members(a=SUCCESS, b=VerdictKind.CANCELED, c=FAILED))

    assert (found.kind, found.description, found.run_id) == (
        FAILED,
        "1 of 3 compliant; failed: b, c",
        "run-of-c",
    )


def test_r37_what_requires_nothing_is_not_counted_as_compliant() -> None:
    found = roll_up(members(a=SUCCESS, b=VerdictKind.NO_REQUIREMENTS))

    assert (found.kind, found.description) == (
        VerdictKind.NO_REQUIREMENTS,
        "1 of 2 compliant; 1 without requirements",
    )


def test_r34_a_change_to_which_nothing_applies_passes() -> None:
    found = roll_up(members(a=VerdictKind.NOT_APPLICABLE, b=VerdictKind.NOT_APPLICABLE))

    assert (found.kind, found.description) == (VerdictKind.NOT_APPLICABLE, "no attestation required")


def test_r34_what_does_not_apply_hides_no_success() -> None:
    found = roll_up(members(a=VerdictKind.NOT_APPLICABLE, b=SUCCESS))

    assert (found.kind, found.description) == (SUCCESS, "1 of 2 compliant; 1 not applicable")


def test_r35_when_only_a_maintainer_can_go_on_the_roll_up_says_so() -> None:
    found = roll_up(members(a=SUCCESS, b=VerdictKind.UNTRUSTED_HEAD))

    assert found.kind is VerdictKind.UNTRUSTED_HEAD
    assert found.description == "1 of 2, missing: b; needs a maintainer's attested run"


def test_r35_while_a_job_goes_on_as_well_nobody_is_asked_to_act() -> None:
    found = roll_up(members(a=OPEN, b=VerdictKind.UNTRUSTED_HEAD))

    assert (found.kind, found.description) == (VerdictKind.REPORTING, "0 of 2, missing: a, b")


def test_it_holds_as_long_as_the_first_of_its_workflows() -> None:
    ends = {"a": LATER, "b": NOW + timedelta(hours=1), "c": None}
    expected = [WorkflowVerdict(name, replace(a_verdict(OPEN), holds_until=end)) for name, end in ends.items()]

    assert roll_up(expected).holds_until == NOW + timedelta(hours=1)


def test_r39_an_override_is_not_taken_for_compliance() -> None:
    found = roll_up(members(a=SUCCESS, b=VerdictKind.OVERRIDDEN))

    assert (found.kind, found.passes, found.is_compliant) == (VerdictKind.OVERRIDDEN, True, False)


def test_r47_a_public_repository_learns_numbers() -> None:
    found = roll_up(members(api=OPEN, web=FAILED), names_allowed=False)

    assert found.description == "1 of 2, 1 missing; 1 failed"


@pytest.mark.parametrize("count", [3, 200])
def test_a_long_list_of_workflows_fits_a_description(count: int) -> None:
    names = {f"{'long-name-' * 8}{number}": OPEN if number % 2 else FAILED for number in range(count)}

    assert len(roll_up(members(**names)).description) <= 140


def test_r33_the_order_of_the_workflows_changes_nothing() -> None:
    all_orders = permutations(members(a=SUCCESS, b=FAILED, c=VerdictKind.CANCELED, d=VerdictKind.NO_REQUIREMENTS))

    assert len({roll_up(order) for order in all_orders}) == 1


@given(st.lists(st.sampled_from(VerdictKind), min_size=1, max_size=8))
def test_r33_it_passes_only_when_every_workflow_passes(kinds: list[VerdictKind]) -> None:
    found = roll_up(members(**{f"w{number}": kind for number, kind in enumerate(kinds)}))

    assert found.passes is all(is_passing(kind) for kind in kinds)
    assert found.is_final is not any(is_pending(kind) for kind in kinds)
