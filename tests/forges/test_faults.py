"""The forges of tests: faults come in the shares that were asked for, and do what they say."""

from __future__ import annotations

import socket
import threading
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from github import GithubException
from gitlab.exceptions import GitlabCreateError

from examples.forge.github import FakeGitHub
from examples.forge.gitlab import FakeGitLab
from tests.forges.clients import github_client, gitlab_client, receiver


@pytest.fixture
def commit(fake_github: FakeGitHub) -> Any:
    repository = fake_github.repository("octo-org/app")
    client = github_client(fake_github, fake_github.token("robot"))
    return client.get_repo("octo-org/app").get_commit(repository.branches["main"])


def statuses(fake_github: FakeGitHub, commit: Any, count: int) -> list[int]:
    """Return how each of so many writes ended."""
    found = []
    for number in range(count):
        try:
            commit.create_status("pending", context=f"context {number}")
            found.append(201)
        except GithubException as error:
            found.append(error.status)
    return found


def test_faults_have_their_shares_and_repeat_with_their_seed(fake_github: FakeGitHub, commit: Any) -> None:
    fake_github.faults.server_error, fake_github.faults.rate_limited = 0.3, 0.1
    first = statuses(fake_github, commit, 200)
    fake_github.faults.__init__(seed=1, server_error=0.3, rate_limited=0.1)  # type: ignore[misc]  # as it was at first

    assert statuses(fake_github, commit, 200) == first
    assert 40 < sum(status >= 500 for status in first) < 80
    assert 8 < first.count(429) < 35


def test_an_error_in_place_of_the_work_changes_nothing(fake_github: FakeGitHub, commit: Any) -> None:
    fake_github.faults.server_error = 1

    assert {status // 100 for status in statuses(fake_github, commit, 5)} == {5}
    assert fake_github.statuses(commit.sha) == []


def test_an_answer_can_be_lost_after_the_work_was_done(fake_github: FakeGitHub, commit: Any) -> None:
    fake_github.faults.lost_answer, fake_github.faults.count = 1, 1

    assert statuses(fake_github, commit, 2) == [502, 201]
    assert len(fake_github.statuses(commit.sha)) == 2


@pytest.mark.parametrize(("fault", "status"), [("rate_limited", 429), ("secondary_limit", 403)])
def test_a_limit_says_how_long_to_wait(fake_github: FakeGitHub, commit: Any, fault: str, status: int) -> None:
    setattr(fake_github.faults, fault, 1)
    fake_github.faults.retry_after_seconds = 7

    with pytest.raises(GithubException) as caught:
        commit.create_status("success")

    assert (caught.value.status, caught.value.headers["retry-after"]) == (status, "7")
    assert "secondary rate limit" in caught.value.data["message"]


def test_a_log_can_do_without_answers(fake_github: FakeGitHub, commit: Any) -> None:
    fake_github.keeps_answers = False

    commit.create_status("success")

    assert (fake_github.log[-1].answer.status, fake_github.log[-1].answer.document) == (201, None)


@pytest.mark.parametrize(
    ("fault", "statuses"), [("server_error", {500, 502, 503, 504}), ("rate_limited", {429}), ("lost_answer", {502})]
)
def test_gitlab_fails_in_its_own_words(fake_gitlab: FakeGitLab, fault: str, statuses: set[int]) -> None:
    project = fake_gitlab.project("group/app")
    setattr(fake_gitlab.faults, fault, 1)
    client = gitlab_client(fake_gitlab, fake_gitlab.token("robot"))
    commit = client.projects.get(project.id, lazy=True).commits.get(project.branches["main"], lazy=True)

    with pytest.raises(GitlabCreateError) as caught:
        commit.statuses.create({"state": "success"}, obey_rate_limit=False)

    assert caught.value.response_code in statuses
    assert len(fake_gitlab.pipelines(commit.get_id())) == (fault == "lost_answer")


def test_faults_meet_only_what_they_are_for(fake_github: FakeGitHub, commit: Any) -> None:
    fake_github.faults.server_error, fake_github.faults.only = 1, "^POST "

    assert commit.get_combined_status().state == "pending"
    assert fake_github.log[-1].fault is None


def test_what_hangs_is_let_go_at_the_end(fake_github: FakeGitHub) -> None:
    fake_github.faults.hang = 1
    ended = []

    def ask() -> None:
        try:
            requests.get(f"{fake_github.api_url}/rate_limit", timeout=30)
        except requests.ConnectionError:
            ended.append("hung up")

    asking = threading.Thread(target=ask)
    asking.start()
    while not fake_github.is_hanging:
        asking.join(timeout=0.01)
    fake_github.release()
    asking.join(timeout=10)

    assert ended == ["hung up"]
    assert [seen.fault for seen in fake_github.log] == ["hang"]


def test_a_redirect_leads_to_another_host(fake_github: FakeGitHub) -> None:
    with receiver() as stub:
        fake_github.faults.redirect, fake_github.faults.redirect_to = 1, stub.url
        answer = requests.get(f"{fake_github.api_url}/rate_limit", allow_redirects=False, timeout=5)

    assert (answer.status_code, answer.headers["Location"]) == (307, f"{stub.url}/api/v3/rate_limit")
    assert stub.seen == []


def test_a_link_leads_to_another_host(fake_github: FakeGitHub, commit: Any) -> None:
    statuses(fake_github, commit, 31)
    fake_github.faults.foreign_link = "https://attacker.test"

    url = f"{fake_github.api_url}/repos/octo-org/app/commits/{commit.sha}/statuses"
    answer = requests.get(url, timeout=5)

    assert answer.links["next"]["url"].startswith("https://attacker.test/repos/octo-org/app/")


def test_half_of_a_request_is_none(fake_github: FakeGitHub, commit: Any) -> None:
    parts = urlsplit(fake_github.url)
    with socket.create_connection((parts.hostname, parts.port)) as half:
        head = (
            f"POST /api/v3/repos/octo-org/app/statuses/{commit.sha} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"
        )
        half.sendall(head.encode() + b"{")
        half.shutdown(socket.SHUT_WR)

        assert half.recv(1) == b""
    assert fake_github.log == []
