from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from server.integrations.forge_parts import QUESTIONS
from server.integrations.gitlab.entry import GITLAB
from server.integrations.gitlab.parts import parts
from server.model.events import Event, EventKind
from server.model.integrations import StoredAttachment
from server.model.verdict_content import ForgeRepository
from tests.unit.server.model.test_runs import START
from tests.unit.server.model.test_verdict_content import CONTENT as OF_GITHUB

CONTENT = replace(OF_GITHUB, repository=ForgeRepository("gitlab", "https://gitlab.com", "1001", "group/app"))
CI = {"provider": "gitlab", "serverUrl": "https://gitlab.com/", "repository": "group/app", "runId": "9", "job": "77"}
PLACE = {"kind": "gitlab", "host": "h", "id": "1", "name": "a/b"}
HEAD = {"sourceId": "s", "repository": PLACE, "sha": "a" * 40}
HOOK = {"sourceId": "s", "repository": PLACE, "url": "https://chainloop.test/webhooks/gitlab/s", "mode": "sync"}


def attachment(**settings: Any) -> StoredAttachment:
    return StoredAttachment("a", "o", "r", "gitlab", START, "somebody", settings=settings)


def event(_kind: EventKind, **facts: Any) -> Event:
    return Event("e", "o", _kind, START, "x", run_id="r", facts=facts)


def test_a_verdict_is_one_part_in_the_lane_of_its_context() -> None:
    (part,) = parts(event(EventKind.VERDICT_CHANGED, **CONTENT.to_facts()), attachment())

    assert (part.name, part.lane, part.replaces_older) == ("verdict", CONTENT.lane, True)
    assert part.content == CONTENT.to_facts()


def test_a_note_of_all_verdicts_is_a_second_part_that_replaces_none() -> None:
    _, note = parts(event(EventKind.VERDICT_CHANGED, **CONTENT.to_facts()), attachment(note="always"))

    assert (note.name, note.lane, note.replaces_older) == ("note", "https://gitlab.com/1001!5:note", False)


@pytest.mark.parametrize("settings", [{}, {"note": "last-resort"}, {"note": "never"}])
def test_the_note_of_all_verdicts_is_off_unless_it_is_asked_for(settings: dict[str, str]) -> None:
    told = parts(event(EventKind.VERDICT_CHANGED, **CONTENT.to_facts()), attachment(**settings))

    assert [part.name for part in told] == ["verdict"]


def test_verdicts_of_other_forges_are_others() -> None:
    assert parts(event(EventKind.VERDICT_CHANGED, **OF_GITHUB.to_facts()), attachment(note="always")) == ()


def test_a_commit_of_no_merge_request_has_no_note() -> None:
    facts = {**CONTENT.to_facts(), "pullRequest": None}

    told = parts(event(EventKind.VERDICT_CHANGED, **facts), attachment(note="always"))

    assert [part.name for part in told] == ["verdict"]


@pytest.mark.parametrize("kind", QUESTIONS)
def test_a_run_is_asked_for_when_it_begins_and_when_it_ends(kind: EventKind) -> None:
    (part,) = parts(event(kind, ci=CI), attachment())

    assert (part.name, part.lane, part.replaces_older) == ("ci-run", "ci-run:r", True)
    assert part.content == {
        "runId": "r",
        "host": "https://gitlab.com",
        "repository": "group/app",
        "ciRunId": "9",
    }
    assert kind.value in GITLAB.always


@pytest.mark.parametrize(
    "ci", [{}, {**CI, "provider": "github"}, {**CI, "runId": None}, {**CI, "repository": None}, {**CI, "serverUrl": ""}]
)
def test_a_run_that_names_no_pipeline_of_gitlab_asks_nothing(ci: dict[str, Any]) -> None:
    assert parts(event(EventKind.RUN_SUCCEEDED, ci=ci), attachment()) == ()


@pytest.mark.parametrize(("kind", "facts"), [(EventKind.HEAD_SEEN, HEAD), (EventKind.HOOK_ASKED, HOOK)])
def test_heads_and_webhooks_are_asked_for_where_they_are_gitlabs(kind: EventKind, facts: dict[str, Any]) -> None:
    (part,) = parts(event(kind, **facts), attachment())

    assert part.content == facts
    assert parts(event(kind, **{**facts, "repository": {**PLACE, "kind": "github"}}), attachment()) == ()
    assert kind.value in GITLAB.always


def test_other_events_say_nothing() -> None:
    assert parts(event(EventKind.TOKEN_CREATED), attachment()) == ()


@pytest.mark.parametrize(
    ("settings", "fits"),
    [
        ({}, True),
        ({"repositories": ["group/app", "group/sub/deeper/app"]}, True),
        ({"repositories": []}, False),
        ({"repositories": ["app"]}, False),
        ({"repositories": ["group/app?x=1"]}, False),
        ({"url": "https://attacker.test"}, False),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], fits: bool) -> None:
    assert Draft202012Validator(GITLAB.settings_schema).is_valid(settings) is fits


@pytest.mark.parametrize(
    ("settings", "fits"),
    [
        ({}, True),
        ({"surface": "external-check", "note": "always"}, True),
        ({"surface": "check"}, False),
        ({"note": True}, False),
        ({"x": 1}, False),
    ],
)
def test_settings_of_attachments_are_checked(settings: dict[str, Any], fits: bool) -> None:
    assert Draft202012Validator(GITLAB.attachment_schema).is_valid(settings) is fits
