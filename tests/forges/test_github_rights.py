"""The GitHub of tests: who may do what, and how GitHub says no to each kind of token."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from github import GithubException

from examples.forge.github import FakeGitHub
from tests.forges.clients import PUBLIC_PEM, app_client, github_client


def no(call: Any, *arguments: Any, **options: Any) -> tuple[int, str]:
    """Return status and message of a refusal."""
    with pytest.raises(GithubException) as caught:
        call(*arguments, **options)
    return caught.value.status, caught.value.data["message"]


def post_status(forge: FakeGitHub, secret: str | None, name: str = "octo-org/app") -> Any:
    found = forge.find_repository(name)
    assert found is not None
    commit = github_client(forge, secret).get_repo(name).get_commit(found.branches["main"])
    return lambda: commit.create_status("success")


def test_an_unknown_or_expired_token_is_a_bad_credential(fake_github: FakeGitHub) -> None:
    fake_github.repository("octo-org/app")
    old = fake_github.token("old", expires_at=fake_github.clock() - timedelta(seconds=1))
    revoked = fake_github.token("revoked")
    fake_github.revoke(revoked)

    for secret in ("ghp_never", old, revoked):
        assert no(post_status(fake_github, secret)) == (401, "Bad credentials")
    assert no(post_status(fake_github, None)) == (401, "Requires authentication")


@pytest.mark.parametrize(
    ("scopes", "can_push", "allowed"),
    [
        (("repo",), True, True),
        (("repo:status",), True, True),
        (("repo",), False, False),
        (("read:org",), True, False),
    ],
)
def test_a_classic_token_without_the_scope_does_not_find_the_place(
    fake_github: FakeGitHub, scopes: tuple[str, ...], can_push: bool, allowed: bool
) -> None:
    fake_github.repository("octo-org/app")
    write = post_status(fake_github, fake_github.token("robot", scopes=scopes, can_push=can_push))

    if allowed:
        assert write().state == "success"
    else:
        assert no(write) == (404, "Not Found")


def test_a_private_repository_does_not_exist_for_others(fake_github: FakeGitHub) -> None:
    fake_github.repository("octo-org/app", is_private=True)
    other = fake_github.repository("octo-org/other")
    chosen = fake_github.token("chosen", "fine-grained", permissions={"statuses": "write"}, repositories=[other])

    for secret in (None, chosen, fake_github.token("status only", scopes=("repo:status",))):
        client = github_client(fake_github, secret)
        assert no(lambda asked=client: asked.get_repo("octo-org/app").complete()) == (404, "Not Found")


def test_a_fine_grained_token_needs_repository_and_permission(fake_github: FakeGitHub) -> None:
    first = fake_github.repository("octo-org/app")
    fake_github.repository("octo-org/other")
    options: dict[str, Any] = {"kind": "fine-grained", "repositories": [first]}
    reader = fake_github.token("reader", permissions={"statuses": "read"}, **options)
    writer = fake_github.token("writer", permissions={"statuses": "write"}, **options)
    refused = (403, "Resource not accessible by personal access token")

    assert no(post_status(fake_github, reader)) == refused
    assert no(post_status(fake_github, writer, "octo-org/other")) == refused
    assert post_status(fake_github, writer)().state == "success"


def test_the_end_of_a_token_stands_in_every_answer(fake_github: FakeGitHub) -> None:
    ends = datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)
    client = github_client(fake_github, fake_github.token("robot", scopes=("repo",), expires_at=ends))

    headers, _ = client.requester.requestJsonAndCheck("GET", "/user")

    assert headers["github-authentication-token-expiration"] == "2027-01-02 03:04:05 UTC"
    assert headers["x-oauth-scopes"] == "repo"


def test_check_runs_are_for_apps(fake_github: FakeGitHub) -> None:
    fake_github.repository("octo-org/app")
    repository = github_client(fake_github, fake_github.token("robot")).get_repo("octo-org/app")

    assert no(repository.create_check_run, "chainloop", "f" * 40) == (403, "You must authenticate via a GitHub App.")


@pytest.mark.parametrize(
    ("seconds", "message"),
    [
        (1200, "'Expiration time' claim ('exp') is too far in the future"),
        (-100, "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the"),
    ],
)
def test_a_web_token_lives_ten_minutes_at_most(fake_github: FakeGitHub, seconds: int, message: str) -> None:
    app = fake_github.app("chainloop", PUBLIC_PEM, {"checks": "write"})

    status, said = no(app_client(fake_github, app.id, seconds).requester.requestJsonAndCheck, "GET", "/app")

    assert (status, said[: len(message)]) == (401, message)


def test_a_web_token_of_another_key_is_refused(fake_github: FakeGitHub) -> None:
    app = fake_github.app("chainloop", PUBLIC_PEM, {"checks": "write"})
    other = rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    refused = (401, "A JSON web token could not be decoded")

    client = app_client(fake_github, app.id, key=other.decode())
    assert no(client.requester.requestJsonAndCheck, "GET", "/app") == refused
    client = github_client(fake_github, fake_github.token("robot"))
    assert no(client.requester.requestJsonAndCheck, "GET", "/app") == refused


def test_the_hourly_limit_is_a_refusal_that_says_so(fake_github: FakeGitHub) -> None:
    fake_github.repository("octo-org/app")
    fake_github.hourly_limit = 1
    write = post_status(fake_github, fake_github.token("robot"))
    write()

    status, message = no(write)

    assert (status, message.startswith("API rate limit exceeded for user ID")) == (403, True)
