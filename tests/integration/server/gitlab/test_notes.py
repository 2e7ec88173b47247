"""Notes of a merge request: kept in place, and without anything in them that GitLab would carry out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from server.integrations.gitlab.notes import MARK
from server.model.deliveries import OutcomeKind
from server.model.verdict_kinds import VerdictKind
from tests.forges.clients import gitlab_client
from tests.integration.server.gitlab.conftest import CONTEXT, Scene

LATER = 8


def test_one_note_lists_all_contexts_and_is_kept_in_place(scene: Scene) -> None:
    scene.tell(scene.content(VerdictKind.INITIALIZED), "note")
    scene.tell(scene.content(VerdictKind.NOT_MET, context="chainloop/app/scan"), "note")
    scene.tell(scene.content(VerdictKind.SUCCESS), "note")

    (note,) = scene.notes()
    assert note.startswith(MARK)
    assert f"- **success** [`{CONTEXT}`](https://chainloop.test/runs/5f0c2f6e): `it is success`" in note
    assert "- **failed** [`chainloop/app/scan`]" in note


def test_a_new_head_begins_the_note_anew_and_an_old_one_says_nothing_more(scene: Scene) -> None:
    late = scene.content(VerdictKind.NOT_MET, version=99)
    scene.tell(scene.content(VerdictKind.INITIALIZED), "note")
    scene.forge.push(scene.project, "feature", {"a.py": "2\n"})
    scene.tell(scene.content(VerdictKind.EXPECTED), "note")

    assert scene.tell(late, "note").code == "nothing-new"
    (note,) = scene.notes()
    assert (scene.sha[:12] in note, "failed" in note) == (True, False)


def test_a_note_that_was_lost_from_memory_is_found_by_mark_and_author(scene: Scene) -> None:
    forger = gitlab_client(scene.forge, scene.forge.token("forger", user="mallory"))
    request = forger.projects.get(scene.project.id).mergerequests.get(scene.request.iid)
    request.notes.create({"body": f"{MARK}\n- **success** all is well"})
    scene.tell(scene.content(VerdictKind.INITIALIZED), "note")
    scene.memories.clear()

    scene.tell(scene.content(VerdictKind.NOT_MET), "note")

    theirs, ours = scene.notes()
    assert "all is well" in theirs
    assert "**failed**" in ours


def test_a_note_that_somebody_took_away_is_written_again(scene: Scene) -> None:
    scene.tell(scene.content(VerdictKind.INITIALIZED), "note")
    scene.request.notes.clear()

    scene.tell(scene.content(VerdictKind.SUCCESS), "note")

    assert ["**success**" in note for note in scene.notes()] == [True]


def test_a_note_of_the_last_resort_is_one_for_each_context_and_kept_in_place(bare: Scene) -> None:
    for context in (CONTEXT, "chainloop/app/scan"):
        bare.tell(bare.content(VerdictKind.UNTRUSTED_HEAD, context=context), attempt=LATER)
    bare.tell(bare.content(VerdictKind.UNTRUSTED_HEAD_PASSES), attempt=LATER)

    ours, other = bare.notes()
    assert "**success**" in ours
    assert "**running**" in other


def test_a_note_of_the_last_resort_says_the_same_once_there_is_a_status(bare: Scene) -> None:
    bare.tell(bare.content(VerdictKind.UNTRUSTED_HEAD), attempt=LATER)
    bare.forge.start_pipeline(bare.project, bare.sha, "feature")

    bare.tell(bare.content(VerdictKind.SUCCESS))

    assert bare.states() == ["success"]
    assert ["**success**" in note for note in bare.notes()] == [True]


def test_a_note_is_not_written_for_a_head_that_moved_on(bare: Scene) -> None:
    content = bare.content(VerdictKind.UNTRUSTED_HEAD)
    bare.forge.push(bare.project, "feature", {"a.py": "2\n"})

    outcome = bare.tell(content, attempt=LATER)

    assert (outcome.kind, outcome.code, bare.notes()) == (OutcomeKind.SKIPPED, "head-moved", [])


@pytest.mark.parametrize(
    "text", ["@all see !1", "/merge\n/approve", "` `` <img src=x>", "a](https://evil.test) [b", "~bug $1 %2 &3 #4"]
)
def test_texts_of_others_are_shown_and_not_carried_out(scene: Scene, text: str) -> None:
    content = scene.content(VerdictKind.NOT_MET)
    scene.tell(replace(content, description=text, context=text), "note")

    (note,) = scene.notes()
    *_, line = note.splitlines()
    assert line.startswith("- **failed** [`")
    shown = line.split("`")
    # Between the marks of code there is all of it, and outside nothing of it.
    assert len(shown) == 5
    assert "".join(shown[0::2]) == "- **failed** [](https://chainloop.test/runs/5f0c2f6e): "


def test_a_link_that_could_end_early_is_left_out(scene: Scene) -> None:
    scene.tell(scene.content(VerdictKind.SUCCESS, target_url="https://x.test/a) [b](https://evil.test"), "note")

    assert "evil.test" not in scene.notes()[0]
