"""What a GitLab that fails, is slow, or leads elsewhere makes of a delivery (R44, R45)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import chain, repeat
from typing import Any

import pytest

from examples.forge.gitlab import FakeGitLab
from server.integrations.gitlab.access import PAGE
from server.integrations.types import TRY_SECONDS
from server.model.deliveries import OutcomeKind
from server.model.integrations import BoundRepository
from server.model.verdict_kinds import VerdictKind
from tests.forges.checked import checked_gitlab
from tests.integration.server.gitlab.conftest import Scene
from tests.unit.stub_server import Reply, stub_server


def test_a_server_error_is_tried_again_and_blames_the_target(scene: Scene) -> None:
    scene.forge.faults.server_error = 1.0

    outcome = scene.tell(scene.content(VerdictKind.SUCCESS))

    assert (outcome.kind, outcome.blames_target, outcome.code[0]) == (OutcomeKind.RETRY, True, "5")
    # The dispatcher tries again, not the library.
    assert len(scene.requests()) == 1


def test_too_many_requests_wait_as_long_as_gitlab_asks_and_blame_nobody(scene: Scene) -> None:
    scene.forge.faults.rate_limited, scene.forge.faults.retry_after_seconds = 1.0, 47

    outcome = scene.tell(scene.content(VerdictKind.SUCCESS))

    assert (outcome.kind, outcome.code, outcome.blames_target) == (OutcomeKind.RETRY, "429", False)
    assert outcome.retry_after == timedelta(seconds=47)
    assert len(scene.requests()) == 1


def test_a_token_that_is_not_taken_pauses_the_registration(scene: Scene) -> None:
    scene.forge.revoke(scene.target.credentials["token"])

    outcome = scene.tell(scene.content(VerdictKind.SUCCESS))

    assert (outcome.kind, outcome.code) == (OutcomeKind.UNAUTHORIZED, "401")
    assert scene.target.credentials["token"] not in outcome.detail


@pytest.mark.parametrize(
    ("token", "code", "needed"),
    [
        ({"scopes": ("read_api",)}, "scope-missing", "scope `api`"),
        ({"level": 20}, "permission-missing", "role Developer"),
    ],
)
def test_what_the_token_may_not_is_refused_with_what_it_needs(
    scene: Scene, token: dict[str, Any], code: str, needed: str
) -> None:
    secret = scene.forge.token("weak", **token)
    scene.target = replace(scene.target, credentials={"token": secret})

    outcome = scene.tell(scene.content(VerdictKind.SUCCESS))

    assert (outcome.kind, outcome.code) == (OutcomeKind.REFUSED, code)
    assert needed in outcome.detail


def test_a_commit_that_gitlab_does_not_know_is_looked_for_and_given_up(scene: Scene) -> None:
    content = scene.content(VerdictKind.MISSING, sha="f" * 40, pull_request=None)

    early, late = scene.tell(content, attempt=3), scene.tell(content, attempt=8)

    assert [(item.kind, item.code) for item in (early, late)] == [
        (OutcomeKind.RETRY, "commit-unknown"),
        (OutcomeKind.REFUSED, "commit-unknown"),
    ]


@pytest.mark.parametrize(
    "bound", [(), (BoundRepository("https://gitlab.elsewhere.test", "1", "group/app"),), "another number"]
)
def test_r44_only_listed_projects_are_written_to(scene: Scene, bound: Any) -> None:
    if bound == "another number":
        bound = (BoundRepository(scene.forge.url, "1", scene.project.path),)
    scene.target = replace(scene.target, repositories=bound)

    outcome = scene.tell(scene.content(VerdictKind.SUCCESS))

    assert (outcome.kind, outcome.code, scene.requests()) == (OutcomeKind.REFUSED, "repository-not-bound", [])


def test_r44_a_token_is_not_sent_to_another_host_that_a_verdict_names(scene: Scene) -> None:
    elsewhere = "http://127.0.0.2:1"
    listed = BoundRepository(elsewhere, str(scene.project.id), scene.project.path)
    scene.target = replace(scene.target, repositories=(listed,))

    outcome = scene.tell(scene.content(VerdictKind.SUCCESS, repository=replace(scene.place, host=elsewhere)))

    assert (outcome.code, scene.requests()) == ("repository-not-bound", [])


@pytest.fixture
def stranger() -> Iterator[FakeGitLab]:
    """Return another GitLab, which must not hear anything."""
    with checked_gitlab() as forge:
        yield forge


def test_r45_a_redirect_to_another_host_is_not_followed(scene: Scene, stranger: FakeGitLab) -> None:
    scene.forge.faults.redirect, scene.forge.faults.redirect_to = 1.0, stranger.url

    outcome = scene.tell(scene.content(VerdictKind.SUCCESS))

    assert (outcome.kind, outcome.code, stranger.log) == (OutcomeKind.RETRY, "egress-refused", [])


def test_r45_pages_are_asked_of_the_host_itself_whatever_a_link_says(scene: Scene, stranger: FakeGitLab) -> None:
    """A merge request with more pipelines than a page has; the right one is on the second."""
    for _ in range(PAGE):
        scene.forge.start_pipeline(scene.project, scene.request.merge_sha, "feature", jobs=())
    scene.forge.faults.foreign_link = stranger.url

    outcome = scene.tell(scene.content(VerdictKind.SUCCESS))

    assert (outcome.kind, stranger.log) == (OutcomeKind.DELIVERED, [])
    assert sum(asked.endswith("/pipelines") for asked in scene.requests()) == 2


def test_a_host_that_the_operator_did_not_open_is_not_spoken_to(scene: Scene) -> None:
    closed = "http://10.0.0.1"
    listed = BoundRepository(closed, str(scene.project.id), scene.project.path)
    scene.target = replace(scene.target, host=closed, repositories=(listed,))

    outcome = scene.tell(scene.content(VerdictKind.SUCCESS, repository=replace(scene.place, host=closed)))

    assert (outcome.kind, outcome.code) == (OutcomeKind.RETRY, "egress-refused")


def test_the_requests_of_a_try_share_its_time_so_that_one_that_hangs_is_left_before_the_lease_ends(
    scene: Scene,
) -> None:
    began = scene.clock()
    later = began + timedelta(seconds=TRY_SECONDS - 0.2)
    # The time of the begin is asked for once; after the first answer there is almost none left.
    moments = chain([began], repeat(later))
    scene.tools = replace(scene.tools, now=lambda: next(moments))
    scene.forge.faults.hang, scene.forge.faults.only = 1.0, "POST "

    outcome = scene.tell(scene.content(VerdictKind.SUCCESS))

    assert (outcome.kind, outcome.code, outcome.blames_target) == (OutcomeKind.RETRY, "egress-timeout", True)
    assert scene.forge.is_hanging


@pytest.mark.parametrize("body", [b"<html>sign in</html>", b"[]", b"null"])
def test_an_answer_that_is_no_gitlab_is_tried_again_or_shows_no_pipeline(scene: Scene, body: bytes) -> None:
    with stub_server() as stub:
        stub.replies = [Reply(200, body)]
        listed = BoundRepository(stub.url, str(scene.project.id), scene.project.path)
        scene.target = replace(scene.target, host=stub.url, repositories=(listed,))

        outcome = scene.tell(scene.content(VerdictKind.SUCCESS, repository=replace(scene.place, host=stub.url)))

    assert (outcome.kind, outcome.code) == (OutcomeKind.RETRY, "no-pipeline" if body == b"[]" else "answer-unreadable")


def test_a_part_of_a_newer_server_is_refused_by_name(scene: Scene) -> None:
    assert scene.deliver("poem", "lane", {}).code == "part-unknown"
