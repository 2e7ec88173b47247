"""Commit statuses with a token: every row of table 3.3, one request each, and nothing twice or out of order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from server.model.deliveries import OutcomeKind
from server.model.verdict_kinds import SURFACES, VerdictKind
from tests.integration.server.github.conftest import CONTEXT, URL, Scene


def shown(scene: Scene, context: str = CONTEXT) -> list[tuple[str, str | None]]:
    return [(status.state, status.description) for status in scene.forge.statuses(scene.sha, context)]


@pytest.mark.parametrize("kind", VerdictKind)
def test_each_kind_of_verdict_is_one_request(by_token: Scene, kind: VerdictKind) -> None:
    outcome = by_token.tell(by_token.content(kind))

    assert outcome.kind is OutcomeKind.DELIVERED
    assert by_token.requests() == [f"POST /statuses/{by_token.sha}"]
    (status,) = by_token.forge.statuses(by_token.sha)
    assert (status.context, status.target_url) == (CONTEXT, URL)
    assert (status.state, status.description) == (SURFACES[kind].github.value, f"it is {kind}")


def test_a_life_ends_with_its_last_word(by_token: Scene) -> None:
    for kind in (VerdictKind.EXPECTED, VerdictKind.INITIALIZED, VerdictKind.COMPLETE, VerdictKind.SUCCESS):
        by_token.tell(by_token.content(kind))

    assert [state for state, _ in shown(by_token)] == ["pending", "pending", "pending", "success"]


def test_what_github_shows_already_is_not_told_again(by_token: Scene) -> None:
    content = by_token.content(VerdictKind.SUCCESS)
    by_token.tell(content)

    assert by_token.tell(replace(content, version=2)).code == "unchanged"
    assert len(shown(by_token)) == 1


def test_a_verdict_that_somebody_overwrote_is_told_again(by_token: Scene) -> None:
    """R40: a forged status of our context is corrected."""
    content = by_token.content(VerdictKind.NOT_MET)
    by_token.tell(content)

    by_token.tell(replace(content, version=2, is_repeat=True))

    assert [state for state, _ in shown(by_token)] == ["failure", "failure"]


def test_an_operator_who_replays_a_delivery_has_it_sent_again(by_token: Scene) -> None:
    content = by_token.content(VerdictKind.SUCCESS)
    by_token.tell(content)

    assert by_token.tell(content, attempt=2).kind is OutcomeKind.DELIVERED
    assert len(shown(by_token)) == 2


def test_an_older_verdict_does_not_replace_a_newer_one(by_token: Scene) -> None:
    older, newer = by_token.content(VerdictKind.SUCCESS), by_token.content(VerdictKind.BLOCKED)
    by_token.tell(newer)

    assert by_token.tell(older, attempt=2).code == "older"
    assert [state for state, _ in shown(by_token)] == ["failure"]


def test_a_description_is_cut_to_what_github_takes(by_token: Scene) -> None:
    by_token.tell(by_token.content(VerdictKind.NOT_MET, description="missing: " + "sbom-\N{PACKAGE} " * 40))

    ((_, description),) = shown(by_token)
    assert description is not None
    assert len(description) <= 140
    assert description.endswith("…")


def test_an_older_name_of_a_context_gets_the_same_verdict(by_token: Scene) -> None:
    by_token.tell(by_token.content(VerdictKind.SUCCESS, prior_contexts=("chainloop/app/old",)))

    assert shown(by_token, "chainloop/app/old") == [("success", f"now {CONTEXT}: it is success")]


def test_a_verdict_without_a_page_has_no_link(by_token: Scene) -> None:
    by_token.tell(by_token.content(VerdictKind.SUCCESS, target_url=None))

    assert by_token.forge.statuses(by_token.sha)[0].target_url is None


def test_a_check_run_takes_an_app(by_token: Scene) -> None:
    by_token.settings["surface"] = "check"

    outcome = by_token.tell(by_token.content(VerdictKind.SUCCESS))

    assert (outcome.kind, outcome.code) == (OutcomeKind.REFUSED, "app-needed")
    assert by_token.forge.writes() == []


def test_r44_a_repository_that_is_not_listed_is_not_spoken_for(by_token: Scene) -> None:
    """R44: neither another repository that the token could write to, nor the same number on another host."""
    other = by_token.forge.repository("octo-org/other")
    place = by_token.place

    for repository in (replace(place, id=str(other.id)), replace(place, host="https://github.com")):
        outcome = by_token.tell(by_token.content(VerdictKind.SUCCESS, repository=repository))
        assert (outcome.kind, outcome.code) == (OutcomeKind.REFUSED, "repository-not-bound")

    assert by_token.forge.log == []


def test_r44_a_name_that_is_another_repositorys_now_leads_nowhere(by_token: Scene) -> None:
    """R44: the number counts. Who gets the old name of a repository gets none of its verdicts."""
    by_token.repository.full_name = "octo-org/renamed"
    squatter = by_token.forge.repository("octo-org/app", id=9999)

    by_token.tell(by_token.content(VerdictKind.SUCCESS))

    assert [status.state for status in by_token.repository.statuses[by_token.sha]] == ["success"]
    assert squatter.statuses == {}


def test_r31_a_verdict_is_posted_on_the_head_that_the_facts_name(by_token: Scene) -> None:
    """R31: on the pull request's head, and never on the test merge commit."""
    by_token.forge.push(by_token.repository, "feature", {"a": "1"})
    pull = by_token.forge.open_pull_request(by_token.repository, "feature")

    by_token.tell(by_token.content(VerdictKind.SUCCESS, sha=pull.head_sha, pull_request=pull.number))

    assert list(by_token.repository.statuses) == [pull.head_sha]
