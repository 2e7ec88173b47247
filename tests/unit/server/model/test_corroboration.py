"""What proves the claim of a build of Jenkins, whose word is all that is told of it (R30, R46)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chainloop_ci.api.source_address import parse_source
from chainloop_ci.runners.types import CiIdentity
from server.model.corroboration import CLOCK_SKEW, Claim, CodeHead, corroborate, is_remote_of
from server.model.forge_facts import LONG_AGO, CiConclusion, CiStatus, ForgeRun
from server.model.sources import ExpectedRuns, StoredSource, StoredWorkflowSource
from server.model.verdict_facts import Corroboration

BEGAN = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
STORED = BEGAN + timedelta(minutes=5)
SHA, OTHER = "a" * 40, "b" * 40
JOB = StoredSource("s", "o", parse_source("jenkins:https://ci.acme.test/job/app"), BEGAN)
BOUND = StoredWorkflowSource("w", JOB, ExpectedRuns("Jenkinsfile"), BEGAN)
CLAIM = Claim(
    CiIdentity(
        provider="jenkins",
        server_url="https://ci.acme.test",
        repository="git@github.com:acme/app.git",
        run_id="17",
        job="app/main",
        head_sha=SHA,
    ),
    BEGAN,
    STORED,
)
BUILD = ForgeRun(
    source_id="s",
    organization_id="o",
    ci_run_id="app/main#17",
    attempt=1,
    head_sha=SHA,
    event="",
    status=CiStatus.ENDED,
    seen_at=STORED + timedelta(seconds=1),
    told_at=LONG_AGO,
    conclusion=CiConclusion.SUCCESS,
)
HEAD = CodeHead(parse_source("github:acme/app"), is_fork=False, closed_at=None)


def proven(claim: Claim = CLAIM, build: ForgeRun | None = BUILD, *heads: CodeHead) -> Corroboration:
    return corroborate(claim, BOUND, build, heads)


def of_job(**changes: Any) -> Claim:
    return replace(CLAIM, ci=replace(CLAIM.ci, **changes))


def test_r30_a_build_is_proven_by_its_word_and_by_the_forge_that_has_its_commit() -> None:
    assert CLAIM.ci_run_id == BUILD.ci_run_id
    assert proven(CLAIM, BUILD, HEAD) is Corroboration.CORROBORATED


@pytest.mark.parametrize(
    ("build", "heads"),
    [
        (None, (HEAD,)),
        (replace(BUILD, head_sha=""), (HEAD,)),
        (BUILD, ()),
        (BUILD, (replace(HEAD, address=parse_source("github:acme/other")),)),
        (BUILD, (replace(HEAD, closed_at=BEGAN - timedelta(minutes=3)),)),
    ],
    ids=["no word", "a word of no commit", "no head", "another repository's head", "a head no more"],
)
def test_r30_half_of_the_proof_is_a_claim(build: ForgeRun | None, heads: tuple[CodeHead, ...]) -> None:
    assert proven(CLAIM, build, *heads) is Corroboration.CLAIMED


@pytest.mark.parametrize(
    ("claim", "build", "head"),
    [
        (CLAIM, replace(BUILD, head_sha=OTHER), HEAD),
        (replace(CLAIM, ended_at=BUILD.seen_at + timedelta(minutes=3)), BUILD, HEAD),
        (of_job(server_url="https://ci.rival.test"), BUILD, HEAD),
        (of_job(job="other"), BUILD, HEAD),
        (of_job(job="app/../other"), BUILD, HEAD),
        (of_job(provider="github"), BUILD, HEAD),
        (CLAIM, BUILD, replace(HEAD, is_fork=True)),
    ],
    ids=["commit", "stored after the end", "server", "job", "way out of the job", "system", "fork"],
)
def test_r30_a_claim_that_a_build_or_a_forge_contradicts_is_a_lie(
    claim: Claim, build: ForgeRun, head: CodeHead
) -> None:
    assert proven(claim, build, head) is Corroboration.CONTRADICTED


def test_r20_what_comes_late_on_purpose_is_no_lie() -> None:
    late = replace(CLAIM, late=True, ended_at=BUILD.seen_at + timedelta(hours=1))

    assert proven(late, BUILD, HEAD) is Corroboration.CLAIMED


def test_r30_a_branch_goes_on_while_it_is_built() -> None:
    gone = replace(HEAD, closed_at=BEGAN + timedelta(minutes=1))

    assert proven(CLAIM, BUILD, gone) is Corroboration.CORROBORATED


def test_r30_a_commit_that_a_fork_has_too_is_proven_by_the_repository_s_own_head_and_not_by_the_fork_s() -> None:
    fork = replace(HEAD, is_fork=True)
    left_behind = replace(HEAD, closed_at=BEGAN - timedelta(minutes=3))

    assert proven(CLAIM, BUILD, fork, HEAD) is Corroboration.CORROBORATED
    assert proven(CLAIM, BUILD, fork, left_behind) is Corroboration.CLAIMED


def test_r30_the_clocks_of_jenkins_and_of_the_forge_may_differ_a_little() -> None:
    stored = replace(CLAIM, ended_at=BUILD.seen_at + CLOCK_SKEW)
    gone = replace(HEAD, closed_at=BEGAN - CLOCK_SKEW)

    assert proven(stored, BUILD, gone) is Corroboration.CORROBORATED


def test_r30_a_build_that_ends_twice_has_ended_with_the_last_of_its_attestations() -> None:
    second = replace(CLAIM, ended_at=BUILD.seen_at + timedelta(hours=1))
    ended = replace(BUILD, ended_at=BUILD.seen_at + timedelta(hours=1))

    assert proven(second, ended, HEAD) is Corroboration.CORROBORATED


def test_r30_the_first_and_the_last_times_there_are_can_be_compared() -> None:
    """Whoever has the secret of a source, or a forge of his own, may say them."""
    first, last = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)

    assert proven(CLAIM, replace(BUILD, ended_at=last), HEAD) is Corroboration.CORROBORATED
    assert proven(CLAIM, replace(BUILD, ended_at=first), HEAD) is Corroboration.CORROBORATED
    assert proven(CLAIM, BUILD, replace(HEAD, closed_at=last)) is Corroboration.CORROBORATED
    assert proven(CLAIM, BUILD, replace(HEAD, closed_at=first)) is Corroboration.CLAIMED


def test_r30_a_pipeline_without_variables_is_of_the_commit_that_it_attested() -> None:
    bare = replace(of_job(head_sha=None, repository=None), attested_commit=SHA)

    assert proven(bare, BUILD, HEAD) is Corroboration.CORROBORATED
    assert proven(replace(bare, attested_commit=OTHER), BUILD, HEAD) is Corroboration.CONTRADICTED


@pytest.mark.parametrize(
    ("remote", "source"),
    [
        ("https://github.com/Acme/App.git", "github:acme/app"),
        ("http://bot@github.com/acme/app/", "github:acme/app"),
        ("git@github.com:acme/app.git", "github:acme/app"),
        ("git@github.com:/acme/app.git", "github:acme/app"),
        ("ssh://git@github.com:22/acme/app.git", "github:acme/app"),
        (
            "https://git.acme.test:8443/gitlab/group/sub/app.git",
            "gitlab:https://git.acme.test:8443/gitlab//group/sub/app",
        ),
        ("git@git.acme.test:group/sub/app.git", "gitlab:https://git.acme.test/group/sub/app"),
    ],
)
def test_a_remote_is_a_repository_by_http_and_by_ssh(remote: str, source: str) -> None:
    assert is_remote_of(remote, parse_source(source))


@pytest.mark.parametrize(
    "remote",
    [
        "https://github.com/acme/app2.git",
        "https://github.com.evil.test/acme/app",
        "https://evil.test/github.com/acme/app",
        "git@evil.test:github.com/acme/app",
        "https://github.com/acme/app?x=/acme/app",
        "/srv/git/github.com/acme/app",
        "acme/app",
        "",
    ],
)
def test_another_remote_is_another_repository(remote: str) -> None:
    assert not is_remote_of(remote, parse_source("github:acme/app"))
