"""Facts of the machine for the runners."""

from __future__ import annotations

import pytest

from chainloop_ci.errors import UsageError
from chainloop_ci.runners.types import Pod
from chainloop_ci.workspace.facts import collect_facts, look_around


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


def test_looking_around_takes_only_what_recognises_a_runner(tmp_path):
    facts = look_around({"GITHUB_EVENT_PATH": str(tmp_path / "absent")})

    assert (facts.event, facts.pod) == ({}, Pod())


def test_kubernetes_is_asked_only_where_the_runner_makes_something_of_it(tmp_path):
    asked: list[object] = []

    facts = collect_facts(
        {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, cwd=tmp_path, read_pod=lambda *given: asked.append(given)
    )

    assert (facts.pod, asked) == (Pod(), [])


@pytest.mark.parametrize(("typed", "expected"), [("3", "3"), ("", None), (None, None)])
def test_the_matrix_leg_that_was_typed_is_a_fact(tmp_path, typed, expected):
    assert collect_facts({}, cwd=tmp_path, job_index=typed).job_index == expected


@pytest.mark.parametrize("typed", ["x" * 129, "a\nb", "$(leg)"])
def test_a_matrix_leg_that_cannot_be_recorded_is_refused(tmp_path, typed):
    with pytest.raises(UsageError, match="--job-index: expected one line of at most 128 characters"):
        collect_facts({}, cwd=tmp_path, job_index=typed)
