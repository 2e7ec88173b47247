"""Our webhook of a repository: created, repaired, rotated, and what it could not deliver asked for again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chainloop_ci.api.record import from_dict
from chainloop_ci.api.source_hooks import HookMode, HookState
from examples.forge.github.world import Hook
from server.integrations.github.hooks import EVENTS
from server.integrations.hook_tending import MAX_TRIES
from server.model.deliveries import Outcome, OutcomeKind
from server.model.forge_answers import HookAnswer
from tests.forges.clients import receiver
from tests.integration.server.github.conftest import Scene

URL = "https://chainloop.test/webhooks/github/5f0c2f6e-2f0b-4c56-9a0e-6f1f3c0e7a11"
SECRET = "whsec_of-the-source"


@pytest.fixture
def scene(by_token: Scene) -> Scene:
    by_token.tools = replace(by_token.tools, hook_secret=lambda organization, source: SECRET)
    return by_token


def ask(scene: Scene, mode: HookMode, url: str = URL, **facts: Any) -> Outcome:
    place = scene.place
    repository = {"kind": "github", "host": place.host, "id": place.id, "name": place.name}
    told = {"sourceId": "s", "repository": repository, "url": url, "mode": mode.value, **facts}
    return scene.deliver("hook", "hook:s", told)


def answer(outcome: Outcome) -> HookAnswer:
    assert outcome.answer is not None, outcome
    return from_dict(HookAnswer, outcome.answer)


def hooks(scene: Scene) -> list[Hook]:
    return list(scene.repository.hooks.values())


def test_a_webhook_is_made_once(scene: Scene) -> None:
    first, second = answer(ask(scene, HookMode.SYNC)), answer(ask(scene, HookMode.SYNC))

    assert (first.state, second.state) == (HookState.CREATED, HookState.OK)
    (made,) = hooks(scene)
    assert first.hook_id == second.hook_id == str(made.id)
    assert (made.url, made.secret, made.content_type, made.insecure_ssl) == (URL, SECRET, "json", "0")
    assert (sorted(made.events), made.is_active) == (list(EVENTS), True)
    assert len(scene.forge.writes()) == 1


def test_a_check_changes_nothing(scene: Scene) -> None:
    missing = answer(ask(scene, HookMode.CHECK))

    assert (missing.state, missing.differences) == (
        HookState.MISSING,
        ("there is no webhook that leads to this server",),
    )
    assert scene.forge.writes() == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"url": "https://old.test/webhooks/github/x"}, "another address"),
        ({"content_type": "form"}, "forms"),
        ({"insecure_ssl": "1"}, "certificate"),
        ({"secret": ""}, "no secret"),
        ({"is_active": False}, "switched off"),
        ({"events": ["push"]}, "merge_group"),
    ],
)
def test_what_differs_is_told_and_repaired(scene: Scene, change: dict[str, Any], word: str) -> None:
    known = answer(ask(scene, HookMode.SYNC)).hook_id
    (made,) = hooks(scene)
    for name, value in change.items():
        setattr(made, name, value)

    found = answer(ask(scene, HookMode.CHECK, hookId=known))
    repaired = answer(ask(scene, HookMode.SYNC, hookId=known))

    assert found.state is HookState.DIFFERS
    assert word in found.differences[0]
    assert repaired.state is HookState.REPAIRED
    assert (made.url, made.secret, made.content_type, made.insecure_ssl) == (URL, SECRET, "json", "0")
    assert (sorted(made.events), made.is_active) == (list(EVENTS), True)


def test_a_new_secret_is_brought_to_the_forge(scene: Scene) -> None:
    ask(scene, HookMode.SYNC)
    scene.tools = replace(scene.tools, hook_secret=lambda organization, source: "whsec_the-next-one")

    assert answer(ask(scene, HookMode.SYNC)).state is HookState.REPAIRED
    assert hooks(scene)[0].secret == "whsec_the-next-one"
    assert "whsec" not in repr(scene.memories)


def test_a_second_webhook_of_the_source_is_taken_away(scene: Scene) -> None:
    ask(scene, HookMode.SYNC)
    (ours,) = hooks(scene)
    now = scene.clock()
    scene.repository.hooks[901] = Hook(901, URL, "other", ["push"], now)
    scene.repository.hooks[902] = Hook(902, "https://elsewhere.test", "other", ["push"], now)

    assert answer(ask(scene, HookMode.CHECK, hookId=str(ours.id))).state is HookState.DIFFERS
    ask(scene, HookMode.SYNC, hookId=str(ours.id))

    assert [hook.id for hook in hooks(scene)] == [ours.id, 902]


def test_a_creation_whose_answer_was_lost_is_found_by_its_address(scene: Scene) -> None:
    faults = scene.forge.faults
    faults.lost_answer, faults.count, faults.only = 1, 1, "^POST .*hooks"

    kinds = [ask(scene, HookMode.SYNC).kind for _ in range(2)]

    assert kinds == [OutcomeKind.RETRY, OutcomeKind.DELIVERED]
    assert len(hooks(scene)) == 1


def test_what_was_never_taken_is_asked_for_again(scene: Scene) -> None:
    """3.5, rule 6: GitHub sends nothing again by itself; a few times we ask it to."""
    with receiver(503) as down:
        known = answer(ask(scene, HookMode.SYNC, down.url)).hook_id
        scene.forge.push(scene.repository, "main", {"a": "1"})
        scene.forge.deliver()
        assert len(down.seen) == 2
        found = answer(ask(scene, HookMode.CHECK, down.url, hookId=known))
        asked = [answer(ask(scene, HookMode.REDELIVER, down.url, hookId=known)) for _ in range(MAX_TRIES + 1)]
        scene.forge.deliver()

    assert (found.failed, found.asked_again) == (2, 0)
    assert [each.asked_again for each in asked] == [2] * MAX_TRIES + [0]


def test_what_came_through_later_or_is_too_old_is_left_alone(scene: Scene) -> None:
    with receiver(503) as down:
        known = answer(ask(scene, HookMode.SYNC, down.url)).hook_id
        scene.forge.deliver()
        down.replies = [replace(down.replies[0], status=200)]
        ask(scene, HookMode.REDELIVER, down.url, hookId=known)
        scene.forge.deliver()
        taken = answer(ask(scene, HookMode.CHECK, down.url, hookId=known))
        down.replies = [replace(down.replies[0], status=503)]
        scene.forge.push(scene.repository, "main", {"a": "1"})
        scene.forge.deliver()
        scene.clock.moment += timedelta(days=3, minutes=1)
        old = answer(ask(scene, HookMode.REDELIVER, down.url, hookId=known))

    assert (taken.failed, old.failed, old.asked_again) == (0, 0, 0)


def test_a_source_without_a_secret_gets_no_webhook(by_token: Scene) -> None:
    outcome = ask(by_token, HookMode.SYNC)

    assert (outcome.kind, outcome.code) == (OutcomeKind.REFUSED, "not-found")
    assert "secret" in outcome.detail
    assert by_token.forge.writes() == []


def test_a_credential_that_may_not_says_what_is_needed(scene: Scene) -> None:
    rights = {"metadata": "read", "repository_hooks": "read"}
    weak = scene.forge.token("weak", "fine-grained", permissions=rights, repositories=[scene.repository])
    scene.target = replace(scene.target, credentials={"token": weak})

    outcome = ask(scene, HookMode.SYNC)

    assert outcome.kind is OutcomeKind.REFUSED
    assert "«Webhooks: write»" in outcome.detail


def test_r44_a_webhook_of_a_repository_that_is_not_listed_is_not_touched(scene: Scene) -> None:
    """R44: the list of the registration counts, not what an event says."""
    other = scene.forge.repository("octo-org/other")
    place = {"kind": "github", "host": scene.place.host, "id": str(other.id), "name": other.full_name}

    assert ask(scene, HookMode.SYNC, repository=place).code == "repository-not-bound"
    assert scene.forge.log == []
