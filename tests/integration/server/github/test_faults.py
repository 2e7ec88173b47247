"""What GitHub's refusals and silences mean for a delivery; no credential goes anywhere else (R45)."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta

import pytest

from server.egress.transport import Transport
from server.integrations.github.outcomes import MAX_SEARCHES, UNNAMED_PAUSE
from server.model.deliveries import Outcome, OutcomeKind
from server.model.verdict_kinds import VerdictKind
from tests.forges.clients import receiver
from tests.integration.server.github.conftest import Scene
from tests.unit.stub_server import Reply, stub_server


def tell(scene: Scene, attempt: int = 1) -> Outcome:
    return scene.tell(scene.content(VerdictKind.SUCCESS), attempt=attempt)


def test_a_server_error_is_tried_again_and_blames_the_target(by_token: Scene) -> None:
    by_token.forge.faults.server_error = 1

    outcome = tell(by_token)

    assert (outcome.kind, outcome.code[0], outcome.blames_target) == (OutcomeKind.RETRY, "5", True)
    assert len(by_token.forge.log) == 1


@pytest.mark.parametrize(("fault", "code"), [("rate_limited", "429"), ("secondary_limit", "403")])
def test_a_limit_is_kept(by_token: Scene, fault: str, code: str) -> None:
    setattr(by_token.forge.faults, fault, 1)
    by_token.forge.faults.retry_after_seconds = 77

    outcome = tell(by_token)

    assert (outcome.kind, outcome.code, outcome.retry_after) == (OutcomeKind.RETRY, code, timedelta(seconds=77))
    assert not outcome.blames_target


def test_a_used_up_hour_is_waited_for(by_token: Scene) -> None:
    by_token.forge.hourly_limit = 0

    outcome = tell(by_token)

    assert (outcome.kind, outcome.code) == (OutcomeKind.RETRY, "403")
    assert outcome.retry_after is not None
    assert timedelta(minutes=55) < outcome.retry_after <= timedelta(hours=1, minutes=1)


def test_a_lost_answer_is_told_again_with_the_same_words(by_token: Scene) -> None:
    by_token.forge.faults.lost_answer, by_token.forge.faults.count = 1, 1
    content = by_token.content(VerdictKind.SUCCESS)

    kinds = [by_token.tell(content, attempt=attempt).kind for attempt in (1, 2)]

    assert kinds == [OutcomeKind.RETRY, OutcomeKind.DELIVERED]
    first, second = by_token.forge.writes()
    assert first.sent == second.sent


def test_a_revoked_token_stops_the_registration(by_token: Scene) -> None:
    by_token.forge.revoke(by_token.target.credentials["token"])

    outcome = tell(by_token)

    assert (outcome.kind, outcome.code) == (OutcomeKind.UNAUTHORIZED, "401")
    assert "Bad credentials" in outcome.detail


def test_a_lacking_permission_is_named(by_token: Scene) -> None:
    forge = by_token.forge
    weak = forge.token("weak", "fine-grained", permissions={"metadata": "read"}, repositories=[by_token.repository])
    by_token.target = replace(by_token.target, credentials={"token": weak})

    outcome = tell(by_token)

    assert (outcome.kind, outcome.code) == (OutcomeKind.REFUSED, "permission-missing")
    assert "«Commit statuses: write»" in outcome.detail


def test_a_repository_that_is_not_shown_is_refused_with_what_is_needed(by_token: Scene) -> None:
    stranger = by_token.forge.token("stranger", "fine-grained", permissions={"statuses": "write"}, repositories=[])
    by_token.target = replace(by_token.target, credentials={"token": stranger})

    outcome = tell(by_token)

    assert (outcome.kind, outcome.code) == (OutcomeKind.REFUSED, "404")
    assert "«Commit statuses: write»" in outcome.detail


def test_the_thousandth_status_of_a_context_is_the_last(by_token: Scene) -> None:
    tell(by_token)
    of_commit = by_token.repository.statuses[by_token.sha]
    of_commit += [of_commit[0]] * 999

    outcome = tell(by_token, attempt=2)

    assert (outcome.kind, outcome.code) == (OutcomeKind.REFUSED, "status-limit")


def test_a_commit_that_github_does_not_know_yet_is_looked_for_a_while(by_token: Scene) -> None:
    content = by_token.content(VerdictKind.SUCCESS, sha="f" * 40)

    first, last = by_token.tell(content), by_token.tell(content, attempt=MAX_SEARCHES)

    assert [(each.kind, each.code) for each in (first, last)] == [
        (OutcomeKind.RETRY, "commit-unknown"),
        (OutcomeKind.REFUSED, "commit-unknown"),
    ]


def test_r45_a_redirect_to_another_host_is_not_followed_with_the_token(by_token: Scene) -> None:
    """R45: the other host sees no request at all."""
    with receiver() as elsewhere:
        by_token.forge.faults.redirect, by_token.forge.faults.redirect_to = 1, elsewhere.url
        outcome = tell(by_token)

    assert elsewhere.seen == []
    assert (outcome.kind, outcome.code) == (OutcomeKind.RETRY, "egress-refused")
    assert by_token.target.credentials["token"] not in outcome.detail


def test_a_forge_that_hangs_costs_no_more_than_a_request_may_take(by_token: Scene, transport: Transport) -> None:
    by_token.forge.faults.hang = 1
    began = time.monotonic()
    quick = _Quick(transport)
    by_token.tools = replace(by_token.tools, transport=quick)  # type: ignore[arg-type]

    outcome = tell(by_token)
    by_token.forge.release()

    assert (outcome.kind, outcome.code, outcome.blames_target) == (OutcomeKind.RETRY, "egress-timeout", True)
    assert time.monotonic() - began < 25


class _Quick:
    """The way out of the server with less patience."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def session(self, url: str, **options: object) -> object:
        return self._transport.session(url, **{**options, "seconds": 0.3})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reply", "kind", "code"),
    [
        (Reply(200, b"<html>maintenance</html>"), OutcomeKind.RETRY, "answer-unreadable"),
        (Reply(201, b'{"state": 7}'), OutcomeKind.RETRY, "answer-unreadable"),
        (Reply(403, b"not JSON"), OutcomeKind.REFUSED, "403"),
        (Reply(403, b'{"message": "You have exceeded a secondary rate limit"}'), OutcomeKind.RETRY, "403"),
        (Reply(403, b'{"message": "Repository was archived so is read-only."}'), OutcomeKind.REFUSED, "403"),
        (Reply(409, b'{"message": "Git Repository is empty."}'), OutcomeKind.RETRY, "409"),
        (
            Reply(422, b'{"message": "Validation Failed", "errors": ["x", {"message": "y"}]}'),
            OutcomeKind.REFUSED,
            "422",
        ),
        (Reply(451, b"{}"), OutcomeKind.REFUSED, "451"),
        (Reply(503, b"", cut=0), OutcomeKind.RETRY, "egress-unreachable"),
    ],
)
def test_odd_answers_have_a_meaning(by_token: Scene, reply: Reply, kind: OutcomeKind, code: str) -> None:
    with stub_server() as odd:
        odd.replies = [reply]
        outcome = _at(by_token, odd.url)

    assert (outcome.kind, outcome.code) == (kind, code)
    if code == "403" and kind is OutcomeKind.RETRY:
        assert outcome.retry_after == UNNAMED_PAUSE


def _at(scene: Scene, url: str) -> Outcome:
    bound = replace(scene.target.repositories[0], host=url)
    scene.target = replace(scene.target, host=url, repositories=(bound,))
    return scene.tell(scene.content(VerdictKind.SUCCESS, repository=replace(scene.place, host=url)))
