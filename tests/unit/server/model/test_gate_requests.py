from __future__ import annotations

import pytest

from server.model.gate_requests import MAX_COMMENT, GateContent, GateState, StoredGateRequest, content_of, decide
from server.model.gates import GateReason, GateVerdict
from server.model.verdict_kinds import VerdictKind
from tests.unit.server.model.forge_cases import SHA
from tests.unit.server.model.verdict_cases import NOW

REQUEST = StoredGateRequest("o", "r", "https://github.com", "4711", "acme/app", "77", "production", SHA, NOW)
PASSES = GateReason("app/api", True, "success", "app/api: met")


def refused(*codes: str) -> GateVerdict:
    return GateVerdict(False, (PASSES, *(GateReason("app/web", False, code, f"app/web: {code}") for code in codes)))


def content(*messages: str) -> GateContent:
    reasons = tuple(GateReason("w", False, "missing", message) for message in messages)
    return content_of(REQUEST, GateVerdict(False, reasons), "github")


def test_r36_what_every_workflow_agrees_to_is_approved() -> None:
    assert decide(GateVerdict(True, (PASSES,))) is GateState.APPROVED


@pytest.mark.parametrize("kind", [VerdictKind.EXPECTED, VerdictKind.CLAIMED, VerdictKind.PARTIAL])
def test_r36_a_deployment_waits_for_what_may_still_come(kind: VerdictKind) -> None:
    assert decide(refused(kind.value, VerdictKind.INITIALIZED.value)) is GateState.WAITING


@pytest.mark.parametrize("code", ["missing", "not-registered", "no-source", "empty", "not-met"])
def test_r36_one_reason_that_waiting_does_not_mend_rejects_it(code: str) -> None:
    assert decide(refused(VerdictKind.EXPECTED.value, code)) is GateState.REJECTED


def test_a_comment_says_of_each_workflow_what_holds() -> None:
    verdict = refused("missing")

    assert (
        content_of(REQUEST, verdict, "github").comment == "- passes: app/api&#58; met\n- stops it: app/web&#58; missing"
    )


def test_a_comment_holds_nothing_that_a_forge_acts_upon() -> None:
    assert not set("@#<[`") & set(content("@all [x](http://evil.test) <b> `c`").comment.replace("&#", ""))


def test_a_long_comment_is_cut_between_workflows_and_says_how_many_are_left() -> None:
    comment = content(*("x" * 300 for _ in range(50))).comment

    assert len(comment) <= MAX_COMMENT
    assert comment.splitlines()[-1] == "- and 44 more"
    assert set(map(len, comment.splitlines()[:-1])) == {len("- stops it: ") + 300}


@pytest.mark.parametrize("length", range(50, 70))
def test_a_comment_of_any_lines_is_no_longer_than_a_forge_takes(length: int) -> None:
    assert len(content(*("x" * length for _ in range(50))).comment) <= MAX_COMMENT


def test_answers_of_one_environment_of_one_ci_run_replace_each_other() -> None:
    first, second = content("a"), content("b")

    assert first.lane == second.lane == "gate:https://github.com/4711:77:production"
    assert GateContent.from_facts(first.to_facts()) == first
