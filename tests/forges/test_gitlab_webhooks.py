"""The GitLab of tests: webhooks, the two ways to prove them, pauses after failures, calls of external status checks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from examples.forge.gitlab import FakeGitLab
from tests.forges.checked import checked_gitlab
from tests.forges.clients import gitlab_client, receiver

EVENTS = ("push", "tag_push", "merge_requests", "pipeline", "job")
SIGNING = "whsec_" + base64.b64encode(b"k" * 32).decode()


def register(forge: FakeGitLab, url: str, **options: Any) -> Any:
    project = forge.project("group/app")
    events = {f"{name}_events": True for name in EVENTS}
    client = gitlab_client(forge, forge.token("robot"))
    client.projects.get(project.id).hooks.create({"url": url, **events, **options})
    return project


def test_a_hook_shows_that_it_has_secrets_and_not_which(fake_gitlab: FakeGitLab) -> None:
    project = register(fake_gitlab, "http://127.0.0.1:1/", token="plain", signing_token=SIGNING)

    (hook,) = gitlab_client(fake_gitlab, fake_gitlab.token("second")).projects.get(project.id).hooks.list(get_all=True)

    assert (hook.token_present, hook.signing_token_present) == (True, True)
    assert "plain" not in hook.to_json()
    assert SIGNING not in hook.to_json()


def test_a_webhook_carries_its_token_and_a_signature_over_id_time_and_body(fake_gitlab: FakeGitLab) -> None:
    with receiver() as stub:
        project = register(fake_gitlab, f"{stub.url}/webhooks/gitlab/1", token="plain", signing_token=SIGNING)
        fake_gitlab.push(project, "main", {"a": "1\n"})
        fake_gitlab.deliver()

    headers, body = stub.seen[0].headers, stub.seen[0].body
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = base64.b64encode(hmac.new(b"k" * 32, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{digest}"
    assert headers["webhook-id"] == headers["Idempotency-Key"]
    assert (headers["X-Gitlab-Token"], headers["X-Gitlab-Event"]) == ("plain", "Push Hook")
    assert json.loads(body)["object_kind"] == "push"


def test_a_repeated_webhook_keeps_its_key_and_its_body(fake_gitlab: FakeGitLab) -> None:
    with receiver() as stub:
        project = register(fake_gitlab, stub.url, signing_token=SIGNING)
        fake_gitlab.push(project, "main", {"a": "1\n"})
        (sent,) = fake_gitlab.deliver()

        fake_gitlab.repeat(sent)
        fake_gitlab.deliver()

    first, second = stub.seen
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
    assert first.body == second.body


def test_a_merge_request_tells_its_whole_life(fake_gitlab: FakeGitLab) -> None:
    project = register(fake_gitlab, "http://127.0.0.1:1/")
    fake_gitlab.push(project, "feature", {"a": "1\n"})
    request = fake_gitlab.open_merge_request(project, "feature")
    sha = fake_gitlab.push(project, "feature", {"a": "2\n"})
    pipeline = fake_gitlab.start_pipeline(
        project, sha, "refs/merge-requests/1/head", "merge_request_event", request=request
    )
    fake_gitlab.finish_pipeline(pipeline, "failed")
    fake_gitlab.close_merge_request(request)
    fake_gitlab.tag(project, "v1", sha)

    told = fake_gitlab.outbox.drop()

    assert [(sent.event, sent.action) for sent in told] == [
        ("push", None),
        ("merge_request", "open"),
        ("push", None),
        ("merge_request", "update"),
        ("pipeline", "pending"),
        ("build", "pending"),
        ("pipeline", "running"),
        ("build", "running"),
        ("build", "failed"),
        ("pipeline", "failed"),
        ("merge_request", "close"),
        ("tag_push", None),
    ]
    update, ended = told[3].document, told[9].document
    assert (update["object_attributes"]["last_commit"]["id"], "oldrev" in update["object_attributes"]) == (sha, True)
    assert (ended["merge_request"]["iid"], ended["builds"][0]["status"]) == (1, "failed")


def test_in_a_job_webhook_the_commits_id_is_the_pipelines_number(fake_gitlab: FakeGitLab) -> None:
    project = register(fake_gitlab, "http://127.0.0.1:1/")
    pipeline = fake_gitlab.start_pipeline(project, project.branches["main"], "main")

    told = [sent.document for sent in fake_gitlab.outbox.drop() if sent.event == "build"]

    assert {each["commit"]["id"] for each in told} == {each["pipeline_id"] for each in told} == {pipeline.id}
    assert {each["sha"] for each in told} == {pipeline.sha}


def test_a_status_that_somebody_sets_changes_the_pipeline_and_is_no_job(fake_gitlab: FakeGitLab) -> None:
    project = register(fake_gitlab, "http://127.0.0.1:1/")
    client = gitlab_client(fake_gitlab, fake_gitlab.token("second"))
    commit = client.projects.get(project.id).commits.get(project.branches["main"])

    commit.statuses.create({"state": "success", "name": "chainloop"})

    assert [(sent.event, sent.action) for sent in fake_gitlab.outbox.drop()] == [("pipeline", "success")]


def test_a_hook_that_fails_four_times_in_a_row_pauses() -> None:
    now = [datetime.now(UTC)]
    with receiver(500) as stub, checked_gitlab(clock=lambda: now[0]) as forge:
        project = register(forge, stub.url)
        for number in range(6):
            forge.push(project, "main", {"a": f"{number}\n"})
            forge.deliver()
        paused = len(stub.seen)
        now[0] += timedelta(minutes=2)
        forge.push(project, "main", {"a": "again\n"})
        forge.deliver()

        (hook,) = project.hooks.values()
        assert (paused, len(stub.seen), hook.failures) == (4, 5, 5)


def test_an_external_check_is_asked_with_a_signature_of_its_own(fake_gitlab: FakeGitLab) -> None:
    with receiver() as stub:
        project = fake_gitlab.project("group/app")
        check = fake_gitlab.status_check(project, "chainloop", f"{stub.url}/check", secret="shared")
        fake_gitlab.push(project, "feature", {"a": "1\n"})
        fake_gitlab.open_merge_request(project, "feature")
        fake_gitlab.push(project, "feature", {"a": "2\n"})
        fake_gitlab.deliver()

    seen = stub.seen[0]
    assert seen.headers["X-Gitlab-Signature"] == hmac.new(b"shared", seen.body, hashlib.sha256).hexdigest()
    assert json.loads(seen.body)["external_approval_rule"]["id"] == check.id
    assert [json.loads(each.body)["object_attributes"]["action"] for each in stub.seen] == ["open", "update"]
