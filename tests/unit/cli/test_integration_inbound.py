from __future__ import annotations

import json
from typing import Any

from tests.unit.cli.answers import DIGEST, RUN, WORKFLOW, page, problem, reply, workflow
from tests.unit.cli.test_workflow_source import claimed, source

SECRET = "whsec_" + "A" * 43 + "="


def webhook(**more: Any) -> dict[str, Any]:
    """Return a webhook that came in."""
    return {
        "id": RUN, "receiver": "github", "event": "workflow_run", "outcome": "handled", "action": "completed",
        "receivedAt": "2026-11-30T06:00:00Z", "bodyDigest": DIGEST, "bodyBytes": 12, "source": "github:acme/app",
        "durationMilliseconds": 41, "headers": {"x-github-event": "workflow_run"}, **more,
    }  # fmt: skip


def hook_secret(**more: Any) -> dict[str, Any]:
    """Return a secret that was just made."""
    url = f"https://chainloop.acme.test/webhooks/github/{RUN}"
    return {"sourceId": RUN, "source": "github:acme/app", "url": url, "secret": SECRET, **more}


def test_list_shows_what_came_and_what_became_of_it(operate, stub) -> None:
    stub.replies = [page(webhook())]

    result = operate("integration", "inbound", "list", "--outcome", "handled", "--event", "workflow_run")

    assert result.status == 0, result.err
    assert "github:acme/app" in result.out
    assert "41" in result.out
    assert "event=workflow_run&outcome=handled" in stub.seen[-1].path


def test_describe_shows_headers_and_why_it_was_ignored(operate, stub) -> None:
    stub.replies = [reply(webhook(outcome="ignored", reason="nothing in it concerns us", canBeReplayed=False))]

    result = operate("integration", "inbound", "describe", RUN)

    assert "nothing in it concerns us" in result.out
    assert "x-github-event" in result.out
    assert "not kept" in result.out


def test_replay_asks_once_and_shows_the_webhook(operate, stub) -> None:
    stub.replies = [reply(webhook(outcome="received", replays=1))]

    result = operate("integration", "inbound", "replay", RUN, "-o", "json")

    assert json.loads(result.out)["replays"] == 1
    assert stub.seen[-1].path.endswith(f"/inbound-webhooks/{RUN}/replay")


def test_a_secret_is_made_for_the_source_of_a_workflow_and_shown(operate, stub) -> None:
    stub.replies = [reply(workflow()), reply(source()), reply(hook_secret(), 201)]

    result = operate("workflow", "source", "secret", "create", WORKFLOW)

    assert result.status == 0, result.err
    assert SECRET in result.out
    assert SECRET not in result.err
    assert stub.seen[-1].path.endswith(f"/sources/{RUN}/secret")


def test_rotate_sends_the_overlap_in_seconds(operate, stub) -> None:
    stub.replies = [reply(workflow()), reply(source()), reply(hook_secret(previousUntil="2026-12-01T06:00:00Z"))]

    result = operate("workflow", "source", "secret", "rotate", WORKFLOW, "--overlap", "1h")

    assert json.loads(stub.seen[-1].body) == {"overlapSeconds": 3600}
    assert "2026-12-01" in result.out or "01 Dec" in result.out


def test_a_source_that_is_only_claimed_gets_no_secret(operate, stub) -> None:
    stub.replies = [reply(workflow()), reply(claimed())]

    result = operate("workflow", "source", "secret", "create", WORKFLOW)

    assert result.status == 1
    assert "source accept" in result.err


def test_a_second_secret_is_refused_with_the_way_on(operate, stub) -> None:
    stub.replies = [
        reply(workflow()),
        reply(source()),
        problem(409, "conflict", "it has a secret already", hint="rotate it"),
    ]

    result = operate("workflow", "source", "secret", "create", WORKFLOW)

    assert result.status == 1
    assert "rotate it" in result.err
