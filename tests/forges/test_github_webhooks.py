"""The GitHub of tests: webhooks, their signatures, their payloads against `@octokit/webhooks-schemas`, deliveries."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
from github import GithubException

from examples.forge.github import FakeGitHub
from tests.forges.clients import PUBLIC_PEM, github_client, receiver

SECRET = "a secret of the hook"
EVENTS = ["push", "pull_request", "workflow_run", "workflow_job", "merge_group", "status", "check_run"]


def register(forge: FakeGitHub, url: str, events: list[str] = EVENTS) -> Any:
    repository = forge.repository("octo-org/app")
    client = github_client(forge, forge.token("robot")).get_repo("octo-org/app")
    client.create_hook("web", {"url": url, "content_type": "json", "secret": SECRET}, events)
    return repository


def test_a_new_hook_gets_a_ping(fake_github: FakeGitHub) -> None:
    with receiver() as stub:
        register(fake_github, f"{stub.url}/webhooks")

        (sent,) = fake_github.deliver()

    assert (sent.event, sent.reply.status) == ("ping", 200)
    assert json.loads(stub.seen[0].body)["hook"]["config"]["secret"] == "********"


def test_every_webhook_is_signed_over_its_bytes(fake_github: FakeGitHub) -> None:
    with receiver() as stub:
        repository = register(fake_github, f"{stub.url}/webhooks/github/1")
        fake_github.push(repository, "main", {"b.py": "2\n"})

        fake_github.deliver()

    seen = stub.seen[-1]
    signed = hmac.new(SECRET.encode(), seen.body, hashlib.sha256).hexdigest()
    assert seen.path == "/webhooks/github/1"
    assert seen.headers["X-Hub-Signature-256"] == f"sha256={signed}"
    assert (seen.headers["X-GitHub-Event"], seen.headers["Content-Type"]) == ("push", "application/json")


def test_a_pull_request_tells_its_whole_life(fake_github: FakeGitHub) -> None:
    repository = register(fake_github, "http://127.0.0.1:1/")
    fake_github.outbox.drop()
    fake_github.push(repository, "feature", {"a.py": "1\n"})
    pull = fake_github.open_pull_request(repository, "feature")
    sha = fake_github.push(repository, "feature", {"a.py": "2\n"})
    run = fake_github.start_run(repository, ".github/workflows/ci.yml", sha, "pull_request", pulls=[pull])
    fake_github.finish_run(run, "failure")
    fake_github.rerun(run, only_failed=True)
    fake_github.finish_run(run)
    fake_github.enqueue(repository, pull)
    fake_github.merge(repository, pull)

    told = [(sent.event, sent.action) for sent in fake_github.outbox.drop()]

    started = [("workflow_run", "requested"), ("workflow_job", "queued"), ("workflow_run", "in_progress")]
    started += [("workflow_job", "in_progress"), ("workflow_job", "completed"), ("workflow_run", "completed")]
    assert told == [
        ("push", None),
        ("pull_request", "opened"),
        ("push", None),
        ("pull_request", "synchronize"),
        *started,
        *started,
        ("merge_group", "checks_requested"),
        ("push", None),
        ("pull_request", "closed"),
    ]


def test_a_run_of_a_pull_request_names_its_head_and_not_the_trial_merge(fake_github: FakeGitHub) -> None:
    repository = register(fake_github, "http://127.0.0.1:1/")
    sha = fake_github.push(repository, "feature", {"a.py": "1\n"})
    pull = fake_github.open_pull_request(repository, "feature")
    fake_github.outbox.drop()

    fake_github.start_run(repository, ".github/workflows/ci.yml", sha, "pull_request", pulls=[pull])

    (told, *_) = fake_github.outbox.drop()
    assert told.document["workflow_run"]["head_sha"] == pull.head_sha == sha
    assert pull.merge_sha != sha
    assert told.document["workflow_run"]["pull_requests"][0]["number"] == pull.number


def test_a_run_of_a_fork_lists_no_pull_request(fake_github: FakeGitHub) -> None:
    repository = register(fake_github, "http://127.0.0.1:1/")
    fork = fake_github.repository("stranger/app", fork_of=repository)
    sha = fake_github.push(fork, "feature", {"a.py": "1\n"})
    pull = fake_github.open_pull_request(repository, "feature", head_repository=fork)
    fake_github.outbox.drop()

    fake_github.start_run(
        repository, ".github/workflows/ci.yml", sha, "pull_request", "feature", head_repository=fork, pulls=[pull]
    )

    (told, *_) = fake_github.outbox.drop()
    assert told.document["workflow_run"]["pull_requests"] == []
    assert told.document["workflow_run"]["head_repository"]["full_name"] == "stranger/app"


def test_a_redelivery_keeps_its_guid_and_its_bytes(fake_github: FakeGitHub) -> None:
    with receiver(503) as stub:
        repository = register(fake_github, stub.url, ["push"])
        fake_github.push(repository, "main", {"b.py": "2\n"})
        fake_github.deliver()
        client = github_client(fake_github, fake_github.token("second")).get_repo("octo-org/app")
        hook = client.get_hooks()[0]
        failed = next(one for one in client.get_hook_deliveries(hook.id) if one.event == "push")
        stub.replies = [stub.replies[0].__class__(200, b"{}")]

        hook._requester.requestJsonAndCheck("POST", f"{hook.url}/deliveries/{failed.id}/attempts")
        (again,) = fake_github.deliver()

    assert (failed.status_code, failed.redelivery) == (503, False)
    assert (again.reply.status, again.is_redelivery, again.guid) == (200, True, failed.guid)
    assert stub.seen[-1].body == stub.seen[-2].body


def test_one_event_has_one_guid_at_every_hook(fake_github: FakeGitHub) -> None:
    repository = register(fake_github, "http://127.0.0.1:1/one", ["push"])
    client = github_client(fake_github, fake_github.token("second")).get_repo("octo-org/app")
    client.create_hook("web", {"url": "http://127.0.0.1:1/two", "content_type": "json"}, ["push"])
    fake_github.outbox.drop()

    fake_github.push(repository, "main", {"b.py": "2\n"})

    sent = fake_github.outbox.drop()
    assert [one.url for one in sent] == ["http://127.0.0.1:1/one", "http://127.0.0.1:1/two"]
    assert len({one.guid for one in sent}) == 1


def test_a_status_tells_who_set_it(fake_github: FakeGitHub) -> None:
    repository = register(fake_github, "http://127.0.0.1:1/", ["status"])
    fake_github.outbox.drop()
    intruder = github_client(fake_github, fake_github.token("intruder", login="intruder")).get_repo("octo-org/app")

    intruder.get_commit(repository.branches["main"]).create_status("success", context="chainloop/app/build")

    (told,) = fake_github.outbox.drop()
    assert (told.event, told.document["sender"]["login"]) == ("status", "intruder")
    assert (told.document["context"], told.document["branches"][0]["name"]) == ("chainloop/app/build", "main")


def test_the_same_hook_twice_is_refused(fake_github: FakeGitHub) -> None:
    register(fake_github, "http://127.0.0.1:1/")
    client = github_client(fake_github, fake_github.token("second")).get_repo("octo-org/app")

    with pytest.raises(GithubException) as caught:
        client.create_hook("web", {"url": "http://127.0.0.1:1/"}, EVENTS)

    assert caught.value.data["errors"][0]["message"] == "Hook already exists on this repository"


def test_an_edit_without_the_secret_takes_it_away(fake_github: FakeGitHub) -> None:
    repository = register(fake_github, "http://127.0.0.1:1/")
    hook = github_client(fake_github, fake_github.token("second")).get_repo("octo-org/app").get_hooks()[0]
    fake_github.outbox.drop()

    hook.edit("web", {"url": "http://127.0.0.1:1/", "content_type": "json"}, events=["push"])
    fake_github.push(repository, "main", {"b.py": "2\n"})

    assert "X-Hub-Signature-256" not in fake_github.outbox.drop()[0].headers


def test_webhooks_can_leave_in_the_background(fake_github: FakeGitHub) -> None:
    with receiver() as stub:
        register(fake_github, stub.url)
        fake_github.outbox.send_in_background()

        fake_github.outbox.stop()

    assert [seen.headers["X-GitHub-Event"] for seen in stub.seen] == ["ping"]


def test_an_apps_webhook_names_its_installation_and_asks_for_deployments(fake_github: FakeGitHub) -> None:
    repository = fake_github.repository("octo-org/app")
    events = ["deployment_protection_rule", "check_run", "check_suite"]
    app = fake_github.app("chainloop", PUBLIC_PEM, {"checks": "write"}, events, "http://127.0.0.1:1/", SECRET)
    one = fake_github.install(app, "octo-org", [repository])
    run = fake_github.start_run(repository, ".github/workflows/deploy.yml", repository.branches["main"])
    check = fake_github.set_check_run(repository, app, run.sha, "chainloop/app/build", "success")
    fake_github.ask_deployment(run, "production")
    fake_github.rerequest(repository, check)
    fake_github.rerequest_suite(repository, check)
    fake_github.change_installation(one, [], [repository])
    fake_github.suspend(one)
    fake_github.uninstall(one)

    told = fake_github.outbox.drop()

    assert [(sent.event, sent.action) for sent in told] == [
        ("installation", "created"),
        ("check_run", "created"),
        ("check_run", "completed"),
        ("deployment_protection_rule", "requested"),
        ("check_run", "rerequested"),
        ("check_suite", "rerequested"),
        ("installation_repositories", "removed"),
        ("installation", "suspend"),
        ("installation", "deleted"),
    ]
    assert all(sent.document["installation"]["id"] == one.id for sent in told)
