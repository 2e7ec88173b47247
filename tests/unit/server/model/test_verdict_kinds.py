from __future__ import annotations

import pytest

from server.model.verdict_kinds import (
    COMPLIANT,
    SURFACES,
    CheckConclusion,
    CheckStatus,
    GithubState,
    GitlabCheckAnswer,
    GitlabState,
    Surfaces,
    VerdictKind,
    is_passing,
    is_pending,
    severity,
)

# The words of the forges' own descriptions (GitHub's REST API, GitLab's commits and status checks APIs).
GITHUB_STATES = {"error", "failure", "pending", "success"}
CHECK_STATUSES = {"queued", "in_progress", "completed", "waiting", "requested", "pending"}
CHECK_CONCLUSIONS = {"action_required", "cancelled", "failure", "neutral", "success", "skipped", "timed_out"}
GITLAB_STATES = {"pending", "running", "success", "failed", "canceled", "skipped"}
GITLAB_ANSWERS = {"passed", "failed", "pending"}

SPECIFIED = {
    VerdictKind.INITIALIZED: ("pending", "in_progress", "running", "pending"),
    VerdictKind.COMPLETE: ("pending", "in_progress", "running", "pending"),
    VerdictKind.SUCCESS: ("success", "success", "success", "passed"),
    VerdictKind.ADVISORY: ("success", "neutral", "success", "passed"),
    VerdictKind.GATE_VIOLATION: ("failure", "failure", "failed", "failed"),
    VerdictKind.NOT_MET: ("failure", "failure", "failed", "failed"),
    VerdictKind.CRAFTING_ERROR: ("error", "failure", "failed", "failed"),
    VerdictKind.CANCELED: ("error", "cancelled", "canceled", "failed"),
    VerdictKind.EXPIRED: ("error", "timed_out", "failed", "failed"),
    VerdictKind.CLAIMED: ("pending", "in_progress", "running", "pending"),
    VerdictKind.REFUSED: ("failure", "failure", "failed", "failed"),
    VerdictKind.UNVERIFIED: ("failure", "failure", "failed", "failed"),
    VerdictKind.NO_REQUIREMENTS: ("success", "neutral", "success", "passed"),
    VerdictKind.MISSING: ("failure", "failure", "failed", "failed"),
    VerdictKind.UNTRUSTED_HEAD: ("pending", "action_required", "running", "pending"),
    VerdictKind.NOT_APPLICABLE: ("success", "skipped", "success", "passed"),
}


def words(surfaces: Surfaces) -> tuple[str, str, str, str]:
    check = surfaces.check_conclusion or surfaces.check_status
    return surfaces.github.value, check.value, surfaces.gitlab.value, surfaces.gitlab_check.value


def test_each_kind_has_exactly_one_row() -> None:
    assert list(SURFACES) == list(VerdictKind)


@pytest.mark.parametrize("kind", SPECIFIED)
def test_a_kind_shows_what_the_specified_table_says(kind: VerdictKind) -> None:
    assert words(SURFACES[kind]) == SPECIFIED[kind]


@pytest.mark.parametrize(
    ("ours", "known"),
    [
        (GithubState, GITHUB_STATES),
        (CheckStatus, CHECK_STATUSES),
        (CheckConclusion, CHECK_CONCLUSIONS),
        (GitlabState, GITLAB_STATES),
        (GitlabCheckAnswer, GITLAB_ANSWERS),
    ],
)
def test_every_word_is_one_that_the_forge_knows(ours: type[GithubState], known: set[str]) -> None:
    assert {word.value for word in ours} <= known


@pytest.mark.parametrize("kind", VerdictKind)
def test_a_check_run_has_a_conclusion_when_it_is_completed_and_only_then(kind: VerdictKind) -> None:
    row = SURFACES[kind]

    assert (row.check_status is CheckStatus.COMPLETED) is (row.check_conclusion is not None)


@pytest.mark.parametrize("kind", VerdictKind)
def test_the_surfaces_agree_on_whether_a_commit_may_pass(kind: VerdictKind) -> None:
    row = SURFACES[kind]
    passing_check = row.check_conclusion in (CheckConclusion.SUCCESS, CheckConclusion.NEUTRAL, CheckConclusion.SKIPPED)

    told = (row.gitlab is GitlabState.SUCCESS, row.gitlab_check is GitlabCheckAnswer.PASSED, passing_check)

    assert set(told) == {is_passing(kind)}


@pytest.mark.parametrize("kind", VerdictKind)
def test_r41_gitlab_is_never_told_skipped(kind: VerdictKind) -> None:
    assert SURFACES[kind].gitlab.value != "skipped"


def test_r37_what_passes_without_meeting_a_contract_is_not_compliant() -> None:
    passing = {kind for kind in VerdictKind if is_passing(kind)}

    assert passing - COMPLIANT == {
        VerdictKind.UNTRUSTED_HEAD_PASSES,
        VerdictKind.OVERRIDDEN,
        VerdictKind.NO_REQUIREMENTS,
        VerdictKind.NOT_APPLICABLE,
    }


def test_whatever_fails_is_worse_than_what_waits_and_that_than_what_passes() -> None:
    def rank(kind: VerdictKind) -> int:
        return 1 if is_pending(kind) else 2 if is_passing(kind) else 0

    assert sorted(VerdictKind, key=severity) == sorted(VerdictKind, key=lambda kind: (rank(kind), severity(kind)))
