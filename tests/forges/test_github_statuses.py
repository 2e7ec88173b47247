"""The GitHub of tests: commit statuses, with PyGithub and with every exchange checked against GitHub's description."""

from __future__ import annotations

from typing import Any

import pytest
from github import GithubException

from examples.forge.github import FakeGitHub
from examples.forge.github.life import MergeRefusedError
from tests.forges.clients import github_client


@pytest.fixture
def scene(fake_github: FakeGitHub) -> tuple[FakeGitHub, Any, str]:
    """Return a forge, a client's repository, and a commit of it."""
    repository = fake_github.repository("octo-org/app")
    sha = fake_github.push(repository, "feature", {"a.py": "1\n"})
    client = github_client(fake_github, fake_github.token("robot"))
    return fake_github, client.get_repo("octo-org/app"), sha


def test_the_newest_status_of_a_context_counts(scene: tuple[FakeGitHub, Any, str]) -> None:
    forge, repository, sha = scene
    commit = repository.get_commit(sha)

    commit.create_status("failure", context="chainloop/app/build")
    commit.create_status("success", "https://cp.test/runs/1", "5/5 materials", "chainloop/app/build")

    combined = commit.get_combined_status()
    assert (combined.state, combined.total_count) == ("success", 1)
    assert combined.statuses[0].description == "5/5 materials"
    assert [status.state for status in commit.get_statuses()] == ["success", "failure"]
    assert [status.state for status in forge.statuses(sha)] == ["failure", "success"]


@pytest.mark.parametrize(
    ("states", "combined"),
    [
        (("success", "pending"), "pending"),
        (("success", "error"), "failure"),
        (("success",), "success"),
        ((), "pending"),
    ],
)
def test_the_combined_state_is_the_worst(
    scene: tuple[FakeGitHub, Any, str], states: tuple[str, ...], combined: str
) -> None:
    _, repository, sha = scene
    for number, state in enumerate(states):
        repository.get_commit(sha).create_status(state, context=f"context {number}")

    assert repository.get_commit(sha).get_combined_status().state == combined


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"state": "passed"}, "state is not included in the list"),
        ({"state": "success", "description": "x" * 141}, "description is too long (maximum is 140 characters)"),
        ({"state": "success", "description": "\U0001f600"}, "description doesn't accept 4-byte Unicode"),
        ({"state": "success", "target_url": "ftp://x"}, "target_url must use http(s) scheme"),
    ],
)
def test_what_a_status_may_not_be_is_refused(
    scene: tuple[FakeGitHub, Any, str], options: dict[str, str], message: str
) -> None:
    forge, repository, sha = scene

    with pytest.raises(GithubException) as caught:
        repository.get_commit(sha).create_status(**options)

    assert (caught.value.status, caught.value.data["errors"][0]["message"]) == (422, message)
    assert forge.statuses(sha) == []


def test_a_description_of_140_characters_is_taken(scene: tuple[FakeGitHub, Any, str]) -> None:
    forge, repository, sha = scene

    repository.get_commit(sha).create_status("success", description="…" * 140)

    assert forge.statuses(sha)[0].description == "…" * 140


def test_a_commit_and_context_take_a_thousand_statuses(scene: tuple[FakeGitHub, Any, str]) -> None:
    forge, repository, sha = scene
    commit = repository.get_commit(sha)
    commit.create_status("pending", context="one")
    forge.repositories[repository.id].statuses[sha] *= 1000

    with pytest.raises(GithubException) as caught:
        commit.create_status("success", context="one")

    assert caught.value.status == 422
    assert "has reached the maximum number of statuses" in caught.value.data["errors"][0]["message"]
    assert commit.create_status("success", context="another").state == "success"


def test_an_unknown_commit_is_refused_in_githubs_words(scene: tuple[FakeGitHub, Any, str]) -> None:
    _, repository, _ = scene

    with pytest.raises(GithubException) as caught:
        repository.get_commit("f" * 40).create_status("success")

    assert (caught.value.status, caught.value.data["message"]) == (422, f"No commit found for SHA: {'f' * 40}")


def test_a_required_check_holds_a_merge_until_it_is_green(scene: tuple[FakeGitHub, Any, str]) -> None:
    forge, repository, sha = scene
    found = forge.repositories[repository.id]
    forge.protect(found, "main", {"chainloop/app/build": None})
    pull = forge.open_pull_request(found, "feature")

    with pytest.raises(MergeRefusedError, match="chainloop/app/build"):
        forge.merge(found, pull)
    assert repository.get_pull(pull.number).mergeable_state == "blocked"
    repository.get_commit(sha).create_status("success", context="chainloop/app/build")

    assert repository.get_pull(pull.number).mergeable_state == "clean"
    assert forge.merge(found, pull) == repository.get_branch("main").commit.sha


def test_the_log_names_tokens_and_never_holds_one(scene: tuple[FakeGitHub, Any, str]) -> None:
    forge, repository, sha = scene

    repository.get_commit(sha).create_status("success")

    (written,) = forge.writes()
    assert (written.method, written.who, written.answer.status) == ("POST", "robot", 201)
    assert written.path == f"/repos/octo-org/app/statuses/{sha}"
    assert written.request.headers["authorization"] == "token robot"
    assert not any(secret in repr(forge.log) for secret in forge.tokens)


def test_lists_have_pages_that_links_lead_through(scene: tuple[FakeGitHub, Any, str]) -> None:
    forge, repository, sha = scene
    for number in range(45):
        repository.get_commit(sha).create_status("pending", context=f"context {number}")

    found = list(repository.get_commit(sha).get_statuses())

    assert len(found) == 45
    assert [
        seen.request.query.get("page")
        for seen in forge.log
        if seen.template and seen.template.endswith("/statuses/{ref}")
    ] == [None, "2"]
