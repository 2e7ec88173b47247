"""The comment of a pull request: one, kept in place, with the verdicts of its newest head."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from examples.forge.github.world import Comment, PullRequest
from server.integrations.github.comments import MARK
from server.model.deliveries import OutcomeKind
from server.model.verdict_content import VerdictContent
from server.model.verdict_kinds import VerdictKind
from tests.integration.server.github.conftest import CONTEXT, Scene


@pytest.fixture
def pull(by_token: Scene) -> PullRequest:
    by_token.forge.push(by_token.repository, "feature", {"a": "1"})
    return by_token.forge.open_pull_request(by_token.repository, "feature")


def of(scene: Scene, pull: PullRequest, kind: VerdictKind, **options: Any) -> VerdictContent:
    return scene.content(kind, **{"sha": pull.head_sha, "pull_request": pull.number, **options})


def comments(scene: Scene, pull: PullRequest) -> list[str]:
    return [comment.body for comment in scene.repository.issues[pull.number].comments.values()]


def test_the_verdicts_of_a_head_share_one_comment(by_token: Scene, pull: PullRequest) -> None:
    by_token.tell(of(by_token, pull, VerdictKind.NOT_MET), "comment")
    by_token.tell(of(by_token, pull, VerdictKind.SUCCESS, context="chainloop/app/scan"), "comment")
    by_token.tell(of(by_token, pull, VerdictKind.SUCCESS), "comment")

    (body,) = comments(by_token, pull)
    assert body.startswith(MARK)
    assert body.splitlines()[-2:] == [
        f"| success | [{CONTEXT}](https://chainloop.test/runs/5f0c2f6e) | it is success |",
        "| success | [chainloop/app/scan](https://chainloop.test/runs/5f0c2f6e) | it is success |",
    ]


def test_a_new_head_begins_a_new_list_and_an_old_one_is_not_heard_any_more(by_token: Scene, pull: PullRequest) -> None:
    older = of(by_token, pull, VerdictKind.NOT_MET)
    by_token.tell(older, "comment")
    by_token.forge.push(by_token.repository, "feature", {"a": "2"})
    by_token.tell(of(by_token, pull, VerdictKind.SUCCESS, context="chainloop/app/scan"), "comment")

    late = by_token.tell(replace(older, kind=VerdictKind.EXPIRED, version=9), "comment")

    assert late.kind is OutcomeKind.SKIPPED
    (body,) = comments(by_token, pull)
    assert pull.head_sha[:12] in body
    assert CONTEXT not in body


def test_a_comment_that_is_not_remembered_is_found(by_token: Scene, pull: PullRequest) -> None:
    faults = by_token.forge.faults
    faults.lost_answer, faults.count, faults.only = 1, 1, "^POST .*comments"
    content = of(by_token, pull, VerdictKind.SUCCESS)

    kinds = [by_token.tell(content, "comment", attempt=attempt).kind for attempt in (1, 2)]

    assert kinds == [OutcomeKind.RETRY, OutcomeKind.DELIVERED]
    assert len(comments(by_token, pull)) == 1


def test_a_comment_of_somebody_else_with_our_mark_is_not_touched(by_token: Scene, pull: PullRequest) -> None:
    now = by_token.clock()
    theirs = Comment(1, "mallory", f"{MARK}\nall is well", now, now)
    by_token.repository.issues[pull.number].comments[1] = theirs

    by_token.tell(of(by_token, pull, VerdictKind.NOT_MET), "comment")

    untouched, ours = comments(by_token, pull)
    assert untouched == f"{MARK}\nall is well"
    assert "failure" in ours


def test_a_comment_that_somebody_took_away_is_made_again(by_token: Scene, pull: PullRequest) -> None:
    by_token.tell(of(by_token, pull, VerdictKind.NOT_MET), "comment")
    by_token.repository.issues[pull.number].comments.clear()

    by_token.tell(of(by_token, pull, VerdictKind.SUCCESS), "comment")

    assert len(comments(by_token, pull)) == 1


def test_an_app_finds_its_own_comment(by_app: Scene) -> None:
    by_app.forge.push(by_app.repository, "feature", {"a": "1"})
    pull = by_app.forge.open_pull_request(by_app.repository, "feature")
    by_app.tell(of(by_app, pull, VerdictKind.NOT_MET), "comment")
    by_app.memories.clear()

    by_app.tell(of(by_app, pull, VerdictKind.SUCCESS), "comment")

    (body,) = comments(by_app, pull)
    assert "| success |" in body


def test_nothing_in_a_verdict_is_markup_or_mentions_anybody(by_token: Scene, pull: PullRequest) -> None:
    """T54: a name of a material is a developer's to choose."""
    evil = "missing: @octo-org/admins #1 ![x](https://attacker.test/p.png) | <script> `a`"

    by_token.tell(of(by_token, pull, VerdictKind.NOT_MET, description=evil), "comment")

    row = comments(by_token, pull)[0].splitlines()[-1]
    assert not set("@#![<>`") & set(row.rpartition(" | ")[2].replace("&#", ""))
    assert row.count("|") == 4
