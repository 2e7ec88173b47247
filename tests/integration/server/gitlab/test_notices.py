"""R38: an issue of a GitLab project that says what a contract revision will ask of its workflows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from server.model.announcements import AnnouncedRequirement, AnnouncedWorkflow, Announcement
from server.model.deliveries import OutcomeKind
from tests.integration.server.gitlab.conftest import Scene

ASKED = AnnouncedRequirement("the material sbom is required and was not added", "chainloop attestation add --name sbom")
DATE = datetime(2026, 12, 4, 12, 0, tzinfo=UTC)


@pytest.fixture
def announced(scene: Scene) -> Announcement:
    workflow = AnnouncedWorkflow("w", "app", "build", "core", (ASKED,))
    return Announcement("c", "shared", 2, DATE, (workflow,), scene.place, names_allowed=True)


def test_an_issue_names_what_will_be_asked_and_a_later_team_gets_a_note(scene: Scene, announced: Announcement) -> None:
    later = replace(announced, workflows=(AnnouncedWorkflow("x", "app", "late", "newcomers", (ASKED,)),))

    first = scene.deliver("notice", announced.lane, announced.to_facts())
    scene.deliver("notice", announced.lane, later.to_facts())
    scene.deliver("notice", announced.lane, later.to_facts())

    (issue,) = scene.project.issues.values()
    (note,) = issue.notes.values()
    assert first.kind is OutcomeKind.DELIVERED
    assert "2026-12-04" in issue.title
    assert "`app/build` (team `core`)" in (issue.description or "")
    assert "`chainloop attestation add --name sbom`" in (issue.description or "")
    assert "newcomers" in note.body


def test_an_issue_whose_answer_was_lost_is_not_written_again(scene: Scene, announced: Announcement) -> None:
    scene.deliver("notice", announced.lane, announced.to_facts())
    scene.memories.clear()

    again = scene.deliver("notice", announced.lane, announced.to_facts())

    assert again.kind is OutcomeKind.DELIVERED
    assert len(scene.project.issues) == 1


def test_what_others_wrote_is_shown_and_not_carried_out(scene: Scene, announced: Announcement) -> None:
    evil = AnnouncedRequirement("`/close @everyone` [x](javascript:y)\n/close", "a `b`\n/assign me")
    workflow = AnnouncedWorkflow("w", "app", "build", "x\n/close", (evil,))

    scene.deliver("notice", announced.lane, replace(announced, workflows=(workflow,)).to_facts())

    (issue,) = scene.project.issues.values()
    assert not [line for line in (issue.description or "").splitlines() if line.lstrip().startswith("/")]


def test_r44_a_project_that_the_registration_does_not_list_gets_no_issue(scene: Scene, announced: Announcement) -> None:
    foreign = replace(announced, repository=replace(scene.place, id="999"))

    outcome = scene.deliver("notice", foreign.lane, foreign.to_facts())

    assert (outcome.kind, outcome.code) == (OutcomeKind.REFUSED, "repository-not-bound")
    assert not scene.project.issues
