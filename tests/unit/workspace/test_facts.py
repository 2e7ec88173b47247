"""Facts of the machine for the runners."""

from __future__ import annotations

from chainloop_ci.workspace.facts import collect_facts


def test_the_event_document_is_found_from_the_current_folder(tmp_path):
    (tmp_path / "event.json").write_text('{"number": 1}')

    facts = collect_facts({"GITHUB_EVENT_PATH": "event.json"}, cwd=tmp_path)

    assert facts.event == {"number": 1}
    assert facts.env == {"GITHUB_EVENT_PATH": "event.json"}


def test_a_broken_event_document_is_told_and_left_out(tmp_path):
    notices: list[str] = []

    facts = collect_facts({"GITHUB_EVENT_PATH": str(tmp_path / "absent")}, cwd=tmp_path, notify=notices.append)

    assert facts.event == {}
    assert len(notices) == 1


def test_without_an_event_there_is_nothing_to_tell(tmp_path):
    notices: list[str] = []

    facts = collect_facts({}, cwd=tmp_path, notify=notices.append)

    assert (facts.event, notices) == ({}, [])
