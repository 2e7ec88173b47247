"""What a worker believes of a child: the form of its answer, and nothing else."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from chainloop_ci.contract.types import MaterialType
from chainloop_ci.errors import Finding, MaterialRejectedError
from chainloop_ci.materials.types import Checked
from server.content_check.wire import (
    AnswerInvalidError,
    Job,
    Stopped,
    StopReason,
    Task,
    read_answer,
    receive_frame,
    render_checked,
    render_rejected,
    render_stopped,
    send_frame,
)

FACT = "chainloop.material.tool.name"


def test_a_job_survives_the_way() -> None:
    job = Job(MaterialType.SARIF, Task.CHECK, strict=False)

    assert Job.from_bytes(job.to_bytes()) == job


def test_facts_and_warnings_survive_the_way() -> None:
    checked = Checked({FACT: "trivy"}, warnings=("one", "two"))

    assert read_answer(render_checked(checked)) == checked


def test_a_rejection_survives_the_way() -> None:
    error = MaterialRejectedError("no", hint="mend", findings=[Finding("a-b", "c", path="/x", line=1, column=2)])

    with pytest.raises(MaterialRejectedError) as caught:
        read_answer(render_rejected(error))

    assert (caught.value.message, caught.value.hint) == ("no", "mend")
    assert caught.value.findings == error.findings


def test_a_place_that_is_no_number_is_left_out() -> None:
    finding = {"code": "a", "message": "b", "line": True, "column": 2.0}
    answer = {"rejected": {"message": "no", "hint": "", "findings": [finding]}}

    with pytest.raises(MaterialRejectedError) as caught:
        read_answer(json.dumps(answer).encode())

    assert (caught.value.findings[0].line, caught.value.findings[0].column) == (None, None)


def test_half_characters_are_written_out() -> None:
    error = MaterialRejectedError("no", findings=[Finding("a", "b", path="\udcff.xml")])

    with pytest.raises(MaterialRejectedError) as caught:
        read_answer(render_rejected(error))

    assert caught.value.findings[0].path == "\\udcff.xml"


def test_a_stop_survives_the_way() -> None:
    answer = render_stopped(StopReason.MEMORY, "x")

    assert read_answer(answer) == Stopped(StopReason.MEMORY, "x")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\xff",
        b"[]",
        b"{",
        b'{"stopped": "bored"}',
        b'{"annotations": {}, "annotations": {}, "warnings": []}',
        b'{"annotations": [], "warnings": []}',
        b'{"annotations": {"chainloop.material.cas": "true"}, "warnings": []}',
        b'{"annotations": {"chainloop.material.tool.name": 1}, "warnings": []}',
        b'{"annotations": {}, "warnings": "x"}',
        b'{"annotations": {}, "warnings": [1]}',
        b'{"rejected": "no"}',
        b'{"rejected": {"message": "a", "hint": "", "findings": [1]}}',
        b'{"rejected": {"message": "a", "hint": ""}}',
        b'{"rejected": {"message": ["a"], "hint": "", "findings": []}}',
        b"[" * 100_000,
    ],
)
def test_an_answer_of_any_other_form_is_none(answer: bytes) -> None:
    with pytest.raises(AnswerInvalidError):
        read_answer(answer)


def test_more_findings_and_warnings_than_checks_make_are_no_answer() -> None:
    findings = [{"code": "a", "message": "b"}] * 1000

    for answer in (
        {"rejected": {"message": "a", "hint": "", "findings": findings}},
        {"annotations": {}, "warnings": ["w"] * 1000},
    ):
        with pytest.raises(AnswerInvalidError):
            read_answer(json.dumps(answer).encode())


def test_a_rejection_with_more_findings_than_an_answer_may_have_survives_the_way() -> None:
    error = MaterialRejectedError("no", findings=[Finding("a", str(number)) for number in range(1000)])

    with pytest.raises(MaterialRejectedError) as caught:
        read_answer(render_rejected(error))

    assert [finding.message for finding in caught.value.findings] == [str(number) for number in range(51)]


def test_long_texts_are_cut() -> None:
    checked: Any = read_answer(render_checked(Checked(warnings=("w" * 10_000,))))

    assert len(checked.warnings[0]) == 2000


def test_frames_are_bounded_and_whole() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        send_frame(ours, b"four")
        send_frame(ours, b"four")
        ours.sendall(b"\x00\x00\x00\x09half")
        ours.shutdown(socket.SHUT_WR)

        assert receive_frame(theirs, 4) == b"four"
        with pytest.raises(AnswerInvalidError, match="4 bytes"):
            receive_frame(theirs, 3)
        theirs.recv(4)
        with pytest.raises(AnswerInvalidError, match="broke off"):
            receive_frame(theirs, 9)
