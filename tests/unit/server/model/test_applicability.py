from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from server.model.applicability import TRUSTED, HeadTrust, SourceFilter, find_applicability, is_expected
from server.model.ci_files import ABSENT, Change, CiFile
from server.model.github_workflows import parse_github_workflow
from server.model.verdict_facts import APPLICABLE, Applicability, ApplicabilityKind

APPLIES, NOT, MISSING, UNTRUSTED = (
    ApplicabilityKind.APPLICABLE,
    ApplicabilityKind.NOT_APPLICABLE,
    ApplicabilityKind.MISSING,
    ApplicabilityKind.UNTRUSTED_HEAD,
)
ANY = SourceFilter()
REQUEST = Change("pull_request", "feature", "main", changed_paths=("src/app.py",))
DOCS = replace(REQUEST, changed_paths=("docs/a.md",))
QUEUED = Change("merge_group", "gh-readonly-queue/main/pr-7", "main", changed_paths=("src/app.py",))
FORK = HeadTrust(is_fork=True)


def workflow(on: str, condition: str = "true") -> CiFile:
    return parse_github_workflow(f"on: {on}\njobs:\n  build:\n    if: {condition}\n".encode())


TARGET = workflow("{pull_request: {paths: ['src/**']}}")


def found(
    change: Change = REQUEST,
    target: CiFile = TARGET,
    proposed: CiFile | None = TARGET,
    registered: SourceFilter = ANY,
    trust: HeadTrust = TRUSTED,
) -> Applicability:
    return find_applicability(registered, change, target, proposed, trust)


def test_r34_an_ordinary_change_has_to_be_attested() -> None:
    assert found() == APPLICABLE


@pytest.mark.parametrize(
    ("proposed", "words"),
    [
        (ABSENT, "deletes or renames"),
        (replace(TARGET, is_enabled=False), "disabled"),
        (workflow("{pull_request: {paths: ['src/**']}}", "false"), "switched off"),
        (workflow("{pull_request: {paths: ['other/**']}}"), "does not run on it"),
        (workflow("{pull_request: {paths: ['src/**', '!src/app.py']}}"), "does not run on it"),
        (workflow("{pull_request: {branches: [other]}}"), "does not run on it"),
        (workflow("workflow_dispatch"), "does not run on it"),
    ],
    ids=["deleted", "disabled", "if: false", "narrowed", "excluded", "other branch", "no trigger"],
)
def test_r34_a_change_that_keeps_its_ci_from_running_is_missing(proposed: CiFile, words: str) -> None:
    verdict = found(proposed=proposed)

    assert verdict.kind is MISSING
    assert words in verdict.reason


def test_r34_the_pull_requests_own_copy_excuses_nothing() -> None:
    generous = workflow("{pull_request: {paths: ['docs/**']}}")

    assert found(DOCS, TARGET, generous).kind is NOT
    assert found(REQUEST, TARGET, generous).kind is MISSING


def test_r34_a_change_outside_the_targets_paths_is_not_applicable() -> None:
    assert found(DOCS) == Applicability(NOT, "no change that the target branch's CI file runs on")


def test_r34_a_change_outside_the_registered_paths_is_not_applicable() -> None:
    registered = SourceFilter(paths=("lib/**",))

    assert found(registered=registered) == Applicability(NOT, "no change in the registered paths")


@pytest.mark.parametrize("registered", [ANY, SourceFilter(paths=("lib/**",))])
def test_r34_a_change_of_unknown_files_has_to_be_attested(registered: SourceFilter) -> None:
    assert found(replace(REQUEST, changed_paths=None), registered=registered) == APPLICABLE


@pytest.mark.parametrize("copy", [b"on: [", b"", b"on: {pull_request: {paths: [a], paths-ignore: [b]}}"])
def test_r34_a_copy_that_cannot_be_read_excuses_nothing(copy: bytes) -> None:
    assert found(DOCS, parse_github_workflow(copy)) == APPLICABLE
    assert found(REQUEST, TARGET, parse_github_workflow(copy)).kind is APPLIES


def test_r34_a_copy_made_so_that_nobody_can_compare_it_in_time_excuses_nothing() -> None:
    patterns = ", ".join(f"'{'a*' * 500}{number}'" for number in range(300))
    hostile = workflow(f"{{pull_request: {{paths: [{patterns}]}}}}")
    paths = tuple(f"{'a' * 350}-{number}" for number in range(3000))
    change = replace(REQUEST, changed_paths=("src/app.py", *paths))

    assert found(change, TARGET, hostile) == APPLICABLE
    assert change.effort.left < 0


def test_the_change_that_brings_the_ci_file_has_to_be_attested() -> None:
    assert found(target=ABSENT, proposed=TARGET) == APPLICABLE


@pytest.mark.parametrize("proposed", [None, ABSENT])
def test_without_a_ci_file_on_either_side_the_attestation_is_missing(proposed: CiFile | None) -> None:
    assert found(target=ABSENT, proposed=proposed) == Applicability(MISSING, "there is no CI file")


def test_a_workflow_that_is_switched_off_at_the_forge_is_missing() -> None:
    assert found(target=replace(TARGET, is_enabled=False)).kind is MISSING


def test_r31_a_merge_queue_that_the_ci_file_does_not_know_is_waited_for_and_named() -> None:
    assert found(QUEUED) == Applicability(APPLIES, "the CI file has no merge_group trigger")


def test_r31_a_merge_queue_that_it_knows_is_an_ordinary_change() -> None:
    both = workflow("[pull_request, merge_group]")

    assert found(QUEUED, both, both) == APPLICABLE


def test_a_nightly_workflow_is_not_asked_for_on_a_pull_request() -> None:
    nightly = workflow("{schedule: [{cron: '0 0 * * *'}]}")

    assert found(target=nightly, proposed=nightly).kind is NOT
    assert found(QUEUED, nightly, nightly).kind is NOT


def test_an_event_that_the_workflow_is_registered_for_and_that_its_ci_file_lacks_is_named() -> None:
    pushed = workflow("{push: {branches: [main]}}")

    verdict = found(target=pushed, proposed=pushed, registered=SourceFilter(events=("pull_request",)))

    assert verdict == Applicability(APPLIES, "the CI file has no pull_request trigger")


@pytest.mark.parametrize(
    "trust",
    [
        FORK,
        HeadTrust(is_bot_without_secrets=True),
        HeadTrust(lacks_protected_token=True),
    ],
)
def test_r35_a_head_without_secrets_is_untrusted_and_says_why(trust: HeadTrust) -> None:
    verdict = found(trust=trust)

    assert verdict == Applicability(UNTRUSTED, trust.reason)
    assert verdict.reason


def test_r35_a_fork_that_touches_nothing_relevant_waits_for_nobody() -> None:
    assert found(DOCS, trust=FORK).kind is NOT


def test_r34_a_fork_that_deletes_the_ci_file_is_missing() -> None:
    assert found(proposed=ABSENT, trust=FORK).kind is MISSING


@pytest.mark.parametrize(
    ("registered", "change", "expected"),
    [
        ({}, REQUEST, True),
        ({"branches": ("main",)}, REQUEST, True),
        ({"branches": ("release/*",)}, REQUEST, False),
        ({"branches": ("main",)}, Change("push", "feature"), False),
        ({"branches": ("main",)}, Change("push", "main"), True),
        ({"events": ("push",)}, REQUEST, False),
        ({"paths": ("lib/**",)}, REQUEST, True),
    ],
)
def test_r33_the_set_is_chosen_by_branch_and_event_alone(
    registered: dict[str, Any], change: Change, expected: bool
) -> None:
    assert is_expected(SourceFilter(**registered), change) is expected


def test_what_is_not_registered_for_a_branch_is_not_applicable_there() -> None:
    verdict = found(registered=SourceFilter(branches=("release/*",)))

    assert verdict == Applicability(NOT, "not registered for pull_request on main")
