from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chainloop_ci.api.source_address import SourceAddress, SourceKind
from server.model.forge_facts import CiFileTexts, Head
from server.model.head_changes import expected_heads, judge_heads
from server.model.sources import ExpectedRuns
from server.model.verdict_facts import ApplicabilityKind
from tests.unit.server.model.forge_cases import BOUND, CI_FILE, HEAD

BUILD = "on: [push, pull_request]\njobs: {build: {}}\n"
NIGHTLY = "on: {schedule: [{cron: '0 0 * * *'}]}\njobs: {build: {}}\n"
APPLIES, NOT, MISSING, UNTRUSTED = (
    ApplicabilityKind.APPLICABLE,
    ApplicabilityKind.NOT_APPLICABLE,
    ApplicabilityKind.MISSING,
    ApplicabilityKind.UNTRUSTED_HEAD,
)


def a_head(base: str | None = BUILD, head: str | None = BUILD, *, is_enabled: bool = True, **facts: Any) -> Head:
    return replace(HEAD, ci_files={CI_FILE: CiFileTexts(base, head, is_enabled)}, **facts)


def kind(*heads: Head) -> ApplicabilityKind:
    found = {judge_heads(BOUND, order).kind for order in (heads, heads[::-1])}
    assert len(found) == 1, found
    return found.pop()


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (a_head(), APPLIES),
        (a_head(head=None), MISSING),
        (a_head(base=NIGHTLY), NOT),
        (a_head(head=NIGHTLY), MISSING),
        (a_head(is_enabled=False), MISSING),
        (a_head(base=None), APPLIES),
    ],
    ids=["ordinary", "deleted", "the target does not run", "narrowed", "disabled", "new"],
)
def test_r34_the_target_s_file_decides_and_the_change_s_own_copy_excuses_nothing(
    head: Head, expected: ApplicabilityKind
) -> None:
    assert kind(head) is expected


@pytest.mark.parametrize("trust", [{"is_fork": True}, {"is_bot": True}])
def test_r35_a_head_whose_job_has_no_secrets_is_untrusted(trust: dict[str, bool]) -> None:
    assert kind(a_head(**trust)) is UNTRUSTED


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"is_protected": False}, UNTRUSTED),
        ({"is_protected": True}, APPLIES),
        ({"is_protected": None}, APPLIES),
        ({"base_branch": "main", "is_protected": True, "is_source_protected": False}, UNTRUSTED),
        ({"base_branch": "main", "is_protected": False, "is_source_protected": True}, APPLIES),
        ({"base_branch": "main", "is_protected": False}, APPLIES),
    ],
    ids=["push", "protected push", "not told", "request", "protected request", "request that is not told of"],
)
def test_r35_where_the_token_is_a_protected_variable_a_head_of_an_unprotected_branch_is_untrusted(
    facts: dict[str, Any], expected: ApplicabilityKind
) -> None:
    protected = replace(BOUND, source=replace(BOUND.source, token_is_protected=True))

    assert judge_heads(protected, [a_head(**facts)]).kind is expected
    assert judge_heads(BOUND, [a_head(**facts)]).kind is APPLIES, "every job has the token"


def test_r35_a_head_of_a_fork_stays_untrusted_when_a_branch_has_the_commit_too() -> None:
    assert kind(a_head(), a_head(pull_request="7", event="pull_request", is_fork=True)) is UNTRUSTED


def test_r34_of_several_heads_what_keeps_one_from_being_attested_decides() -> None:
    assert kind(a_head(is_fork=True), a_head(head=None)) is MISSING


def test_what_asks_for_an_attestation_decides_before_what_does_not() -> None:
    assert kind(a_head(base=NIGHTLY), a_head()) is APPLIES


@pytest.mark.parametrize("files", [None, {}])
def test_r34_as_long_as_the_forge_was_not_asked_an_attestation_is_waited_for(files: dict[str, CiFileTexts]) -> None:
    assert kind(replace(HEAD, ci_files=files)) is APPLIES


def test_a_file_of_gitlab_is_read_as_one() -> None:
    address = SourceAddress(SourceKind.GITLAB, "https://gitlab.com", "acme/app")
    bound = replace(BOUND, source=replace(BOUND.source, address=address), expected=ExpectedRuns(".gitlab-ci.yml"))
    files = {".gitlab-ci.yml": CiFileTexts("build: {when: never}", "build: {script: make}")}

    assert judge_heads(bound, [replace(HEAD, ci_files=files)]).kind is NOT


def test_r33_the_heads_of_registered_branches_and_events_are_expected() -> None:
    bound = replace(BOUND, expected=ExpectedRuns(CI_FILE, branch="main", event="push"))
    other, request = replace(HEAD, branch="other"), replace(HEAD, event="pull_request", base_branch="main")

    assert expected_heads(bound, [HEAD, other, request]) == [HEAD]
    assert expected_heads(BOUND, [HEAD, other, request]) == [HEAD, other, request]
