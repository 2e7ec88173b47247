from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from gitlab import GitlabError

from server.integrations.gitlab.hooks import never_taken
from server.integrations.gitlab.memory import MAX_PIPELINES, Memory, Posted
from server.integrations.gitlab.outcomes import MAX_WORDS, outcome_of, words
from server.integrations.gitlab.pipelines import Place, is_of
from server.model.deliveries import OutcomeKind


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("404 Project Not Found", "404 Project Not Found"),
        ({"name": ["has already been taken"], "ref": "is bad"}, "name: has already been taken; ref: is bad"),
        (["one", "two"], "one, two"),
        (b"not\n text \xff", "b'not\\n text \\xff'"),
        ("", "GitLab gave no reason"),
        ("x" * 1000, "x" * MAX_WORDS),
    ],
)
def test_what_gitlab_says_becomes_one_line(message: Any, said: str) -> None:
    assert words(GitlabError(message, 400)) == said


@pytest.mark.parametrize(
    ("status", "message", "kind", "code", "blames"),
    [
        (401, "401 Unauthorized", OutcomeKind.UNAUTHORIZED, "401", False),
        (403, "403 Forbidden", OutcomeKind.REFUSED, "permission-missing", False),
        (403, "insufficient_scope", OutcomeKind.REFUSED, "scope-missing", False),
        (404, "404 Project Not Found", OutcomeKind.REFUSED, "404", False),
        (404, "404 Commit Not Found", OutcomeKind.RETRY, "commit-unknown", False),
        (409, "Conflict", OutcomeKind.RETRY, "409", False),
        (422, "The number of jobs has exceeded the limit", OutcomeKind.REFUSED, "pipeline-full", False),
        (429, "Retry later", OutcomeKind.RETRY, "429", False),
        (408, "Request Timeout", OutcomeKind.RETRY, "408", False),
        (418, "teapot", OutcomeKind.REFUSED, "418", False),
        (503, "Service Unavailable", OutcomeKind.RETRY, "503", True),
        (None, "Failed to parse the server message", OutcomeKind.RETRY, "answer-unreadable", True),
    ],
)
def test_each_status_has_one_meaning(
    status: int | None, message: str, kind: OutcomeKind, code: str, blames: bool
) -> None:
    outcome = outcome_of(GitlabError(message, status), "the scope `api`", 1, {})

    assert (outcome.kind, outcome.code, outcome.blames_target) == (kind, code, blames)


@pytest.mark.parametrize(
    ("text", "pause"), [("30", timedelta(seconds=30)), ("", None), ("soon", None), ("9" * 30, None), ("-1", None)]
)
def test_a_pause_is_read_where_it_is_one(text: str, pause: timedelta | None) -> None:
    assert outcome_of(GitlabError("", 429), "", 1, {"retry-after": text}).retry_after == pause


def test_memory_of_another_version_is_none() -> None:
    assert Memory.read({"pipelines": "many"}) == Memory()


def test_memory_keeps_the_newest_pipelines() -> None:
    memory = Memory()
    for number in range(MAX_PIPELINES + 5):
        memory = memory.with_posted(Posted(1, number, "running"))
    memory = memory.with_posted(Posted(1, 7, "success"))

    assert len(memory.pipelines) == MAX_PIPELINES
    assert (memory.pipelines[-1].pipeline_id, memory.state_in(7), memory.state_in(0)) == (7, "success", None)
    assert Memory.read(memory.write()) == memory


def test_an_event_that_was_taken_once_is_taken() -> None:
    def event(number: int, key: str | None, status: str) -> dict[str, Any]:
        headers = {"Idempotency-Key": key} if key else {}
        return {"id": number, "request_headers": headers, "response_status": status}

    newest_first = [
        event(6, "b", "200"),
        event(5, "c", "internal error"),
        event(4, "b", "503"),
        event(3, "a", "500"),
        event(2, "a", "404"),
        event(1, None, "500"),
    ]

    assert never_taken(newest_first) == {"1": 1, "a": 3, "c": 5}


@pytest.mark.parametrize(("status", "is_it"), [({"pipeline_id": 4}, True), ({"pipeline_id": 5}, False), ({}, True)])
def test_statuses_of_other_pipelines_are_others(status: dict[str, Any], is_it: bool) -> None:
    """An older GitLab ignores the filter by pipeline; the oldest ones do not say of which pipeline a status is."""
    assert is_of(status, Place(1, 4)) is is_it
