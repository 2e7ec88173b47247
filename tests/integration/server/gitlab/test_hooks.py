"""Our webhook of a project: created, repaired, rotated, and what it could not deliver asked for again."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest

from chainloop_ci.api.record import from_dict
from examples.forge.gitlab.world import Hook
from server.integrations.gitlab.hooks import EVENTS
from server.integrations.hook_tending import MAX_TRIES
from server.model.deliveries import Outcome, OutcomeKind
from server.model.forge_answers import HookAnswer, HookMode, HookState
from tests.forges.clients import receiver
from tests.integration.server.gitlab.conftest import Scene

URL = "https://chainloop.test/webhooks/gitlab/5f0c2f6e-2f0b-4c56-9a0e-6f1f3c0e7a11"
SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef" * 2).decode()
NEXT = "whsec_" + base64.b64encode(b"fedcba9876543210" * 2).decode()


@pytest.fixture
def watched(bare: Scene) -> Scene:
    bare.tools = replace(bare.tools, hook_secret=lambda organization, source: SECRET)
    return bare


def ask(scene: Scene, mode: HookMode, url: str = URL, **facts: Any) -> Outcome:
    place = scene.place
    repository = {"kind": "gitlab", "host": place.host, "id": place.id, "name": place.name}
    told = {"sourceId": "s", "repository": repository, "url": url, "mode": mode.value, **facts}
    return scene.deliver("hook", "hook:s", told)


def answer(outcome: Outcome) -> HookAnswer:
    assert outcome.answer is not None, outcome
    return from_dict(HookAnswer, outcome.answer)


def hooks(scene: Scene) -> list[Hook]:
    return list(scene.project.hooks.values())


def test_a_webhook_is_made_once_and_signs_instead_of_sending_its_secret(watched: Scene) -> None:
    first, second = answer(ask(watched, HookMode.SYNC)), answer(ask(watched, HookMode.SYNC))

    assert (first.state, second.state) == (HookState.CREATED, HookState.OK)
    (made,) = hooks(watched)
    assert first.hook_id == second.hook_id == str(made.id)
    assert (made.url, made.signing_token, made.token, made.verifies_tls) == (URL, SECRET, "", True)
    assert sorted(name for name, told in made.events.items() if told) == sorted(EVENTS)
    assert len(watched.writes()) == 2


def test_a_secret_that_cannot_sign_is_the_token(watched: Scene) -> None:
    watched.tools = replace(watched.tools, hook_secret=lambda organization, source: "of-our-own-choice")

    ask(watched, HookMode.SYNC)

    (made,) = hooks(watched)
    assert (made.token, made.signing_token) == ("of-our-own-choice", "")


def test_a_check_changes_nothing(watched: Scene) -> None:
    missing = answer(ask(watched, HookMode.CHECK))

    assert missing.state is HookState.MISSING
    assert missing.differences == ("there is no webhook that leads to this server",)
    assert watched.writes() == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"url": "https://old.test/webhooks/gitlab/x"}, "another address"),
        ({"verifies_tls": False}, "certificate"),
        ({"signing_token": ""}, "no secret"),
        ({"branch_filter": "main"}, "some branches only"),
        ({"events": {"push_events": True}}, "pipeline_events"),
    ],
)
def test_what_differs_is_told_and_repaired(watched: Scene, change: dict[str, Any], word: str) -> None:
    known = answer(ask(watched, HookMode.SYNC)).hook_id
    (made,) = hooks(watched)
    for name, value in change.items():
        setattr(made, name, value)

    found = answer(ask(watched, HookMode.CHECK, hookId=known))
    repaired = answer(ask(watched, HookMode.SYNC, hookId=known))

    assert found.state is HookState.DIFFERS
    assert word in found.differences[0]
    assert repaired.state is HookState.REPAIRED
    assert (made.url, made.signing_token, made.token, made.verifies_tls) == (URL, SECRET, "", True)
    assert answer(ask(watched, HookMode.CHECK, hookId=known)).state is HookState.OK


def test_a_webhook_that_gitlab_switched_off_is_told_of_and_works_again(watched: Scene) -> None:
    with receiver(503) as down:
        known = answer(ask(watched, HookMode.SYNC, down.url)).hook_id
        for number in range(4):
            watched.forge.push(watched.project, "main", {"a": str(number)})
            watched.forge.deliver()
        found = answer(ask(watched, HookMode.CHECK, down.url, hookId=known))

        ask(watched, HookMode.SYNC, down.url, hookId=known)

    assert "GitLab stopped sending to it" in found.differences[0]
    assert hooks(watched)[0].disabled_until is None


def test_a_new_secret_is_brought_to_the_forge(watched: Scene) -> None:
    ask(watched, HookMode.SYNC)
    watched.tools = replace(watched.tools, hook_secret=lambda organization, source: NEXT)

    assert answer(ask(watched, HookMode.SYNC)).state is HookState.REPAIRED
    assert hooks(watched)[0].signing_token == NEXT
    assert "whsec" not in repr(watched.memories)


def test_a_second_webhook_of_the_source_is_taken_away(watched: Scene) -> None:
    ask(watched, HookMode.SYNC)
    (ours,) = hooks(watched)
    now = watched.clock()
    watched.project.hooks[901] = Hook(901, URL, now)
    watched.project.hooks[902] = Hook(902, "https://elsewhere.test", now)

    assert answer(ask(watched, HookMode.CHECK, hookId=str(ours.id))).state is HookState.DIFFERS
    ask(watched, HookMode.SYNC, hookId=str(ours.id))

    assert [hook.id for hook in hooks(watched)] == [ours.id, 902]


def test_a_creation_whose_answer_was_lost_is_found_by_its_address(watched: Scene) -> None:
    faults = watched.forge.faults
    faults.lost_answer, faults.count, faults.only = 1, 1, "^POST .*hooks"

    kinds = [ask(watched, HookMode.SYNC).kind for _ in range(2)]

    assert kinds == [OutcomeKind.RETRY, OutcomeKind.DELIVERED]
    assert len(hooks(watched)) == 1
    assert hooks(watched)[0].token == ""


def test_what_was_never_taken_is_asked_for_again_a_few_times(watched: Scene) -> None:
    """3.5, rule 6."""
    with receiver(503) as down:
        known = answer(ask(watched, HookMode.SYNC, down.url)).hook_id
        watched.forge.push(watched.project, "main", {"a": "1"})
        watched.forge.deliver()
        found = answer(ask(watched, HookMode.CHECK, down.url, hookId=known))
        asked = [answer(ask(watched, HookMode.REDELIVER, down.url, hookId=known)) for _ in range(MAX_TRIES + 1)]

    assert (found.failed, found.asked_again) == (1, 0)
    assert [each.asked_again for each in asked] == [1] * MAX_TRIES + [0]


def test_what_came_through_later_is_left_alone(watched: Scene) -> None:
    with receiver(503) as down:
        known = answer(ask(watched, HookMode.SYNC, down.url)).hook_id
        watched.forge.push(watched.project, "main", {"a": "1"})
        watched.forge.deliver()
        down.replies = [replace(down.replies[0], status=200)]
        ask(watched, HookMode.REDELIVER, down.url, hookId=known)
        watched.forge.deliver()

        taken = answer(ask(watched, HookMode.REDELIVER, down.url, hookId=known))

    assert (taken.failed, taken.asked_again, len(down.seen)) == (0, 0, 2)


def test_a_source_without_a_secret_gets_no_webhook(bare: Scene) -> None:
    outcome = ask(bare, HookMode.SYNC)

    assert (outcome.kind, outcome.code) == (OutcomeKind.REFUSED, "not-found")
    assert bare.writes() == []


def test_a_token_that_may_not_says_what_is_needed(watched: Scene) -> None:
    secret = watched.forge.token("weak", level=30)
    watched.target = replace(watched.target, credentials={"token": secret})

    outcome = ask(watched, HookMode.SYNC)

    assert (outcome.kind, outcome.code) == (OutcomeKind.REFUSED, "permission-missing")
    assert "role Maintainer" in outcome.detail


def test_r44_a_webhook_of_a_project_that_is_not_listed_is_not_touched(watched: Scene) -> None:
    other = watched.forge.project("group/other")
    place = {"kind": "gitlab", "host": watched.place.host, "id": str(other.id), "name": other.path}

    assert ask(watched, HookMode.SYNC, repository=place).code == "repository-not-bound"
    assert watched.forge.log == []
