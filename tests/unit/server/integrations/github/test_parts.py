from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from server.integrations.forge_parts import QUESTIONS
from server.integrations.github.entry import GITHUB
from server.integrations.github.parts import parts
from server.model.announcements import AnnouncedRequirement, AnnouncedWorkflow, Announcement
from server.model.events import Event, EventKind
from server.model.integrations import StoredAttachment
from tests.unit.server.model.test_runs import START
from tests.unit.server.model.test_verdict_content import CONTENT, REPOSITORY

CI = {"provider": "github", "serverUrl": "https://github.com/", "repository": "octo-org/app", "runId": "9"}
HEAD = {"sourceId": "s", "repository": {"kind": "github", "host": "h", "id": "1", "name": "a/b"}, "sha": "a" * 40}


def attachment(**settings: Any) -> StoredAttachment:
    return StoredAttachment("a", "o", "r", "github", START, "somebody", settings=settings)


def event(_kind: EventKind, **facts: Any) -> Event:
    return Event("e", "o", _kind, START, "x", run_id="r", facts=facts)


def test_a_verdict_is_one_part_in_the_lane_of_its_context() -> None:
    (part,) = parts(event(EventKind.VERDICT_CHANGED, **CONTENT.to_facts()), attachment())

    assert (part.name, part.lane, part.replaces_older) == ("verdict", CONTENT.lane, True)
    assert part.content == CONTENT.to_facts()


def test_a_comment_is_a_second_part_that_replaces_none() -> None:
    _, comment = parts(event(EventKind.VERDICT_CHANGED, **CONTENT.to_facts()), attachment(comment=True))

    assert (comment.name, comment.lane) == ("comment", "https://github.com/1001#5:comment")
    assert not comment.replaces_older


@pytest.mark.parametrize("change", [{"repository": {**CONTENT.to_facts()["repository"], "kind": "gitlab"}}])
def test_verdicts_of_other_forges_are_others(change: dict[str, Any]) -> None:
    facts = {**CONTENT.to_facts(), **change}

    assert parts(event(EventKind.VERDICT_CHANGED, **facts), attachment(comment=True)) == ()


def test_a_commit_of_no_pull_request_has_no_comment() -> None:
    facts = {**CONTENT.to_facts(), "pullRequest": None}

    assert [part.name for part in parts(event(EventKind.VERDICT_CHANGED, **facts), attachment(comment=True))] == [
        "verdict"
    ]


@pytest.mark.parametrize("kind", QUESTIONS)
def test_a_run_is_asked_for_when_it_begins_and_when_it_ends(kind: EventKind) -> None:
    (part,) = parts(event(kind, ci={**CI, "runAttempt": 2}), attachment())

    assert (part.name, part.lane, part.replaces_older) == ("ci-run", "ci-run:r", True)
    assert part.content == {
        "runId": "r",
        "host": "https://github.com",
        "repository": "octo-org/app",
        "ciRunId": "9",
        "attempt": 2,
    }
    assert kind.value in GITHUB.always


@pytest.mark.parametrize(
    "ci", [{}, {**CI, "provider": "gitlab"}, {**CI, "runId": None}, {**CI, "repository": None}, {**CI, "serverUrl": ""}]
)
def test_a_run_that_names_no_ci_run_of_github_asks_nothing(ci: dict[str, Any]) -> None:
    assert parts(event(EventKind.RUN_SUCCEEDED, ci=ci), attachment()) == ()


def test_a_head_is_asked_for_where_it_is_githubs() -> None:
    (part,) = parts(event(EventKind.HEAD_SEEN, **HEAD), attachment())

    assert (part.name, part.content["sha"]) == ("head", "a" * 40)
    assert parts(event(EventKind.HEAD_SEEN, **{**HEAD, "repository": {"kind": "gitlab"}}), attachment()) == ()
    assert EventKind.HEAD_SEEN.value in GITHUB.always


def test_other_events_say_nothing() -> None:
    assert parts(event(EventKind.TOKEN_CREATED), attachment()) == ()
    assert REPOSITORY.kind == GITHUB.kind


@pytest.mark.parametrize(
    ("settings", "fits"),
    [
        ({"repositories": ["octo-org/app"]}, True),
        ({"repositories": ["octo-org/app"], "appId": 1, "installationId": 2}, True),
        ({"repositories": ["octo-org/app"], "appId": 1}, False),
        ({"repositories": []}, False),
        ({"repositories": ["app"]}, False),
        ({"repositories": ["octo-org/app"], "url": "https://attacker.test"}, False),
        ({}, False),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], fits: bool) -> None:
    assert Draft202012Validator(GITHUB.settings_schema).is_valid(settings) is fits


@pytest.mark.parametrize(
    ("settings", "fits"),
    [({}, True), ({"surface": "check", "comment": True}, True), ({"surface": "note"}, False), ({"x": 1}, False)],
)
def test_settings_of_attachments_are_checked(settings: dict[str, Any], fits: bool) -> None:
    assert Draft202012Validator(GITHUB.attachment_schema).is_valid(settings) is fits


def announced(*, names_allowed: bool) -> dict[str, Any]:
    asked = (AnnouncedRequirement("the material sbom is required and was not added", "add it"),)
    workflow = AnnouncedWorkflow("w", "app", "build", "core", asked)
    return Announcement("c", "shared", 2, START, (workflow,), REPOSITORY, names_allowed).to_facts()


def test_a_notice_is_one_part_in_the_lane_of_its_revision() -> None:
    (part,) = parts(event(EventKind.CONTRACT_ANNOUNCED, **announced(names_allowed=True)), attachment())

    assert (part.name, part.lane) == ("notice", "notice:https://github.com/1001:c@2")
    assert "sbom" in repr(part.content)
    assert EventKind.CONTRACT_ANNOUNCED.value in GITHUB.always


def test_r47_a_notice_for_everybody_names_no_material() -> None:
    (part,) = parts(event(EventKind.CONTRACT_ANNOUNCED, **announced(names_allowed=False)), attachment())

    assert "sbom" not in repr(part.content)
    assert "build" in repr(part.content)


def test_notices_can_be_switched_off_and_what_comes_from_nowhere_is_no_issue() -> None:
    facts = announced(names_allowed=True)

    assert parts(event(EventKind.CONTRACT_ANNOUNCED, **facts), attachment(notices="off")) == ()
    del facts["repository"]
    assert parts(event(EventKind.CONTRACT_ANNOUNCED, **facts), attachment()) == ()
