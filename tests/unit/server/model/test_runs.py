from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chainloop_ci.api.runs import RunState, StateLocation
from chainloop_ci.api.words import CancelTrigger
from chainloop_ci.digests import sha256_digest
from chainloop_ci.errors import NotAllowedError, RunEndedError
from chainloop_ci.runners.types import CiIdentity
from server.model.runs import Run, RunNames

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
LIFE = timedelta(hours=6)
DIGEST = sha256_digest(b"bundle")
RUN = Run(
    id="4a1c0c4e-58a6-4d0e-9a0e-6f1f3c0e7a11",
    organization_id="o",
    project_id="p",
    workflow_id="w",
    contract_id="c",
    contract_revision=1,
    contract_digest=sha256_digest(b"contract"),
    runner_type="GITHUB_ACTION",
    handle_sha256=hashlib.sha256(b"handle").hexdigest(),
    request_digest=sha256_digest(b"request"),
    token_id="t",
    created_at=START,
    last_accepted_at=START,
    expires_at=START + LIFE,
    ci=CiIdentity("github"),
    names=RunNames(project="app", workflow="build"),
)

ENDED = [
    replace(RUN, state=RunState.SUCCESS, finished_at=START, attestation_digest=DIGEST),
    replace(RUN, state=RunState.ERROR, finished_at=START, reason="tests failed"),
    replace(RUN, state=RunState.CANCELED, finished_at=START, reason="stuck"),
    replace(RUN, state=RunState.EXPIRED, finished_at=START),
]


@pytest.mark.parametrize(
    ("after", "state"), [(timedelta(), RunState.INITIALIZED), (LIFE, RunState.EXPIRED), (2 * LIFE, RunState.EXPIRED)]
)
def test_r15_an_overdue_run_counts_as_expired(after: timedelta, state: RunState) -> None:
    assert RUN.state_at(START + after) is state


@pytest.mark.parametrize("run", ENDED)
def test_an_ended_run_stays_as_it_ended(run: Run) -> None:
    assert run.state_at(START + 10 * LIFE) is run.state


@pytest.mark.parametrize("run", [*ENDED, replace(RUN, expires_at=START)])
def test_r15_no_transition_leads_out_of_an_end(run: Run) -> None:
    with pytest.raises(RunEndedError, match="takes nothing more"):
        run.attested(DIGEST, START, verified=True)
    with pytest.raises(RunEndedError):
        run.canceled(CancelTrigger.FAILURE, "another reason", START)
    with pytest.raises(RunEndedError):
        run.require_open(START)


def test_r15_the_refusal_says_which_command_goes_on() -> None:
    with pytest.raises(RunEndedError) as caught:
        ENDED[1].require_open(START)

    assert "ended as error at 2026-11-20T12:00:00Z (tests failed)" in caught.value.message
    assert "`chainloop attestation init --workflow build --project app --replace`" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("verified", "state", "reason"), [(True, RunState.SUCCESS, ""), (False, RunState.ERROR, "unverified")]
)
def test_r4_only_a_verified_attestation_is_a_success(verified: bool, state: RunState, reason: str) -> None:
    ended = RUN.attested(DIGEST, START, verified=verified)

    assert (ended.state, ended.reason, ended.finished_at, ended.attestation_digest) == (state, reason, START, DIGEST)


@pytest.mark.parametrize(
    ("trigger", "state", "reason"),
    [
        (CancelTrigger.FAILURE, RunState.ERROR, ""),
        (CancelTrigger.CANCELLATION, RunState.CANCELED, ""),
        (CancelTrigger.SUPERSEDED, RunState.CANCELED, "superseded"),
    ],
)
def test_r17_the_trigger_decides_how_a_run_is_canceled(trigger: CancelTrigger, state: RunState, reason: str) -> None:
    ended = RUN.canceled(trigger, "", START)

    assert (ended.state, ended.reason, ended.finished_at) == (state, reason, START)


def test_canceling_the_same_way_again_changes_nothing() -> None:
    once = RUN.canceled(CancelTrigger.FAILURE, "why", START)

    assert once.canceled(CancelTrigger.FAILURE, "why", START + LIFE) is once


def test_a_run_that_ended_unverified_is_not_canceled_again_under_that_reason() -> None:
    unverified = RUN.attested(DIGEST, START, verified=False)

    with pytest.raises(RunEndedError):
        unverified.canceled(CancelTrigger.FAILURE, "unverified", START)


def test_r15_an_accepted_request_begins_the_life_anew() -> None:
    later = START + timedelta(hours=5)

    assert RUN.accepted(later).expires_at == later + LIFE
    assert RUN.accepted(later).accepted(later + LIFE / 2).expires_at == later + LIFE / 2 + LIFE


def test_r15_a_refusal_changes_nothing_but_its_count() -> None:
    assert RUN.refused() == replace(RUN, refusals=1)


def test_r14_the_handle_opens_the_run() -> None:
    RUN.require_handle("handle")


@pytest.mark.parametrize(
    ("handle", "word"), [("Handle", "wrong"), ("", "missing"), (None, "missing"), ("\udcff", "wrong")]
)
def test_r14_any_other_handle_does_not(handle: str | None, word: str) -> None:
    with pytest.raises(NotAllowedError, match=word) as caught:
        RUN.require_handle(handle)

    assert RUN.handle_sha256 not in caught.value.message


def test_r15_an_overdue_run_says_why_before_anybody_wrote_it_down() -> None:
    later = START + LIFE

    assert RUN.api(later, has_requirements=True).reason == "no request was accepted for 6 h"
    assert RUN.expired(later).api(later, has_requirements=True).reason == "no request was accepted for 6 h"
    assert RUN.api(START, has_requirements=True).reason == ""


def test_an_upload_counts_its_bytes_and_prolongs_the_run() -> None:
    later = START + timedelta(hours=1)

    assert RUN.with_upload(7, later) == replace(RUN.accepted(later), stored_bytes=7)


GITHUB = CiIdentity("github", repository="acme/app", run_id="77", run_attempt=1)
SHARED = replace(RUN, ci=GITHUB, state_location=StateLocation.SHARED)
AGAIN = "begin a new run with `chainloop attestation init --workflow build --project app"


def succeeded(run: Run, attempt: int) -> Run:
    ci = replace(GITHUB, run_attempt=attempt, job="another")
    return run.succeeded_by(f"run-{attempt}", ci, token_id="t2", token_name="ci", address="::1", now=START + 2 * LIFE)


def test_r16_a_successor_is_open_with_pin_handle_and_identity_of_the_run_before_it() -> None:
    ended = replace(SHARED, state=RunState.ERROR, reason="tests failed", finished_at=START, refusals=3, stored_bytes=7)

    run = succeeded(ended, 2)

    assert (run.state, run.reason, run.finished_at, run.refusals) == (RunState.INITIALIZED, "", None, 0)
    assert (run.handle_sha256, run.contract_revision, run.stored_bytes) == (ended.handle_sha256, 1, 7)
    assert (run.ci, run.token_id, run.names.token) == (replace(GITHUB, run_attempt=2), "t2", "ci")
    assert run.expires_at - run.created_at == LIFE


def test_r16_a_successor_has_neither_the_attestation_nor_the_commit_of_the_run_before_it() -> None:
    attested = replace(SHARED, ci=replace(GITHUB, head_sha="a" * 40)).attested(
        DIGEST, START, verified=False, commit="b" * 40
    )

    run = succeeded(attested, 2)

    assert (attested.commit, run.commit, run.attestation_digest) == ("b" * 40, "a" * 40, None)


def test_r16_every_successor_knows_the_first_run_and_keeps_its_pin() -> None:
    second = succeeded(SHARED, 2)

    third = succeeded(second, 3)

    assert (second.predecessor_id, second.first_run_id, second.held_since) == (RUN.id, RUN.id, START)
    assert (third.predecessor_id, third.first_run_id, third.held_since) == ("run-2", RUN.id, START)


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (replace(RUN, ci=GITHUB), f"{AGAIN} --replace`"),
        (replace(SHARED, ci=replace(GITHUB, run_attempt=None)), f"{AGAIN} --remote-state`"),
        (SHARED, "re-run the failed jobs of CI run 77"),
    ],
    ids=["state file", "no attempts", "attempts"],
)
def test_r15_the_refusal_says_what_goes_on_with_a_shared_run(run: Run, words: str) -> None:
    with pytest.raises(RunEndedError) as refused:
        replace(run, state=RunState.CANCELED, finished_at=START).require_open(START)

    assert (refused.value.hint or "").startswith(words)
