"""External status checks: answered for each context by name, or by the roll-up (R41)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from server.model.deliveries import OutcomeKind
from server.model.roll_up import ROLL_UP_CONTEXT
from server.model.verdict_kinds import SURFACES, VerdictKind
from tests.integration.server.gitlab.conftest import CONTEXT, PUBLIC_URL, Scene, start


@pytest.fixture
def checked(bare: Scene) -> Scene:
    """Return a merge request in a project that asks for our check."""
    bare.settings["surface"] = "external-check"
    bare.forge.status_check(bare.project, CONTEXT, "https://elsewhere.test/hook")
    return bare


def answers(scene: Scene) -> list[str]:
    return [seen.request.document()["status"] for seen in scene.forge.writes("status_check_responses")]


@pytest.mark.parametrize("kind", VerdictKind)
def test_each_kind_of_verdict_is_one_answer(checked: Scene, kind: VerdictKind) -> None:
    outcome = checked.tell(checked.content(kind))

    assert outcome.kind is OutcomeKind.DELIVERED
    assert answers(checked) == [SURFACES[kind].gitlab_check.value]
    assert checked.forge.statuses(checked.sha) == []


def test_what_is_pending_is_answered_at_once_and_again_when_it_is_final(checked: Scene) -> None:
    checked.tell_all(VerdictKind.INITIALIZED, VerdictKind.SUCCESS)

    assert answers(checked) == ["pending", "passed"]


def test_the_check_that_calls_us_is_the_roll_ups(bare: Scene) -> None:
    bare.settings["surface"] = "external-check"
    bare.forge.status_check(bare.project, "Attestations", f"{PUBLIC_URL}/webhooks/gitlab/1")

    of_one = bare.tell(bare.content(VerdictKind.SUCCESS))
    of_all = bare.tell(bare.content(VerdictKind.NOT_MET, context=ROLL_UP_CONTEXT))

    assert (of_one.kind, of_one.code) == (OutcomeKind.SKIPPED, "no-own-check")
    assert of_all.kind is OutcomeKind.DELIVERED
    assert answers(bare) == ["failed"]


def test_without_a_check_of_ours_an_operator_is_told_which_one_to_make(bare: Scene) -> None:
    bare.settings["surface"] = "external-check"
    bare.forge.status_check(bare.project, "other", f"{PUBLIC_URL}.elsewhere.test/")

    outcome = bare.tell(bare.content(VerdictKind.SUCCESS))

    assert (outcome.kind, outcome.code) == (OutcomeKind.REFUSED, "status-check-missing")
    assert CONTEXT in outcome.detail


def test_an_answer_for_a_head_that_moved_on_is_superseded(checked: Scene) -> None:
    content = checked.content(VerdictKind.SUCCESS)
    checked.forge.push(checked.project, "feature", {"a.py": "2\n"})

    outcome = checked.tell(content)

    assert (outcome.kind, outcome.code) == (OutcomeKind.SKIPPED, "superseded")


def test_a_commit_without_a_merge_request_has_no_check(checked: Scene) -> None:
    outcome = checked.tell(checked.content(VerdictKind.SUCCESS, pull_request=None))

    assert (outcome.kind, outcome.code, checked.requests()) == (OutcomeKind.SKIPPED, "no-merge-request", [])


def test_r40_switching_the_surface_leaves_no_status_behind(checked: Scene) -> None:
    start(checked)
    checked.settings["surface"] = "status"
    checked.tell(checked.content(VerdictKind.INITIALIZED))
    checked.settings["surface"] = "external-check"

    checked.tell(checked.content(VerdictKind.SUCCESS))

    assert (answers(checked), checked.states()) == (["passed"], ["success"])


def test_r40_a_surface_that_nobody_made_leaves_no_status_running(scene: Scene) -> None:
    scene.tell(scene.content(VerdictKind.INITIALIZED))
    scene.settings["surface"] = "external-check"

    outcome = scene.tell(scene.content(VerdictKind.SUCCESS))

    assert (outcome.code, scene.states()) == ("status-check-missing", ["success"])


def test_r40_switching_back_answers_the_check_too(checked: Scene) -> None:
    start(checked)
    checked.tell(checked.content(VerdictKind.INITIALIZED))
    checked.settings["surface"] = "status"

    checked.tell(checked.content(VerdictKind.NOT_MET))

    assert (answers(checked), checked.states()) == (["pending", "failed"], ["failed"])


def test_a_pending_check_that_gitlab_gave_up_passes_later(checked: Scene) -> None:
    """GitLab fails what is pending for two minutes; the last word is told all the same."""
    moment = checked.clock() + timedelta(minutes=3)
    checked.tell(checked.content(VerdictKind.INITIALIZED))
    checked.forge.clock = lambda: moment

    checked.tell(checked.content(VerdictKind.SUCCESS))

    assert [state for state, _ in checked.request.responses.values()] == ["passed"]
