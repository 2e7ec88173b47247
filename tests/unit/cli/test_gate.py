"""`chainloop gate` and `workflow drift`: what is asked, what is shown, how it ends."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.cli.answers import RUN, problem, reply

COMMIT = "6417e226" * 5
DIGEST = "sha256:" + "c" * 64


def reason(workflow: str, code: str, message: str, *, approved: bool = False, **more: Any) -> dict[str, Any]:
    return {"workflow": workflow, "approved": approved, "code": code, "message": message, **more}


def answer(*reasons: dict[str, Any]) -> Any:
    return reply({"approved": all(item["approved"] for item in reasons), "reasons": list(reasons), "commit": COMMIT})


AGREES = reason("hello/build", "success", "hello/build: 2/2 materials, signed, rev 3", approved=True, runId=RUN)
MISSING = reason("hello/scan", "missing", "hello/scan: no attestation within 30 min")


def test_an_open_gate_ends_with_0(operate: Any, stub: Any) -> None:
    stub.replies = [answer(AGREES)]

    result = operate("gate", "--workflow", "hello/build", "--commit", COMMIT)

    assert result.status == 0
    assert json.loads(stub.seen[0].body) == {"workflows": ["hello/build"], "commit": COMMIT}
    assert "2/2 materials, signed, rev 3" in result.out


def test_a_closed_gate_ends_with_4_and_says_who_does_not_agree_and_what_to_do(operate: Any, stub: Any) -> None:
    stub.replies = [answer(AGREES, MISSING)]

    result = operate("gate", "--commit", COMMIT)

    assert result.status == 4
    assert "no attestation within 30 min" in result.out
    assert "the gate is closed: 1 of 2 workflows does not agree: hello/scan" in result.err
    assert "run the CI workflow on the commit" in result.err


def test_why_does_not_repeat_the_workflow_that_stands_beside_it(operate: Any, stub: Any) -> None:
    stub.replies = [answer(AGREES)]

    result = operate("gate", "--commit", COMMIT)

    assert "hello/build:" not in result.out


def test_an_output_that_nobody_attested_is_not_said_to_be_passed_by_an_override(operate: Any, stub: Any) -> None:
    stub.replies = [answer(reason("hello/scan", "not-attested", f"workflow hello/scan attested no output {DIGEST}"))]

    result = operate("gate", "--workflow", "hello/scan", "--digest", DIGEST)

    assert result.status == 4
    assert "an override does not stand for an output" in result.err
    assert "workflow override`" not in result.err


def test_as_json_the_answer_is_the_document_whichever_it_is(operate: Any, stub: Any) -> None:
    stub.replies = [answer(AGREES, MISSING)]

    result = operate("gate", "--commit", COMMIT, "-o", "json")

    assert (result.status, result.json["approved"], result.json["reasons"][1]["code"]) == (4, False, "missing")


@pytest.mark.parametrize("typed", [DIGEST, "c" * 64, f"registry.example.com/app@{DIGEST}"])
def test_a_digest_may_be_typed_as_it_stands_elsewhere(operate: Any, stub: Any, typed: str) -> None:
    stub.replies = [answer(AGREES)]

    operate("gate", "--workflow", "hello/build", "--digest", typed)

    assert json.loads(stub.seen[0].body)["digest"] == DIGEST


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "say with --commit or with --digest"),
        (("--commit", COMMIT, "--digest", DIGEST), "say with --commit or with --digest"),
        (("--commit", "6417e226"), "the whole hash"),
        (("--digest", DIGEST), "--digest needs --workflow"),
        (("--workflow", "hello/build", "--digest", "app:latest"), "not its tag"),
        (("--workflow", "build", "--commit", COMMIT), "expected PROJECT/NAME"),
        (("--workflow", "hello/build", "--commit", COMMIT, "--source", "github:a/b"), "--source is for"),
    ],
)
def test_a_question_that_cannot_be_read_is_not_asked_and_is_no_closed_gate(
    operate: Any, stub: Any, words: tuple[str, ...], said: str
) -> None:
    result = operate("gate", *words)

    assert (result.status, said in result.err) == (2, True), result.err
    assert stub.seen == []


@pytest.mark.parametrize(("http", "code", "status"), [(401, "not-authenticated", 5), (403, "not-allowed", 5)])
def test_a_token_that_may_not_ask_ends_with_5(operate: Any, stub: Any, http: int, code: str, status: int) -> None:
    stub.replies = [problem(http, code, "no")]

    assert operate("gate", "--commit", COMMIT).status == status


def test_what_drifted_is_shown_with_since_when_and_what_to_do(operate: Any, stub: Any) -> None:
    item = {
        "kind": "failing", "since": "2026-11-07T15:13:06Z", "message": "the last run ended as error",
        "advice": "look at it", "project": "hello", "workflow": "build", "workflowId": RUN,
    }  # fmt: skip
    stub.replies = [reply({"items": [item], "nextCursor": "more"})]

    result = operate("workflow", "drift", "--kind", "failing", "--project", "hello")

    assert stub.seen[0].path.endswith("/drift?kind=failing&project=hello")
    for text in ("failing", "hello", "build", "the last run ended as error", "look at it"):
        assert text in result.out
    assert "--next more" in result.err
