from __future__ import annotations

import json
from dataclasses import replace

import pytest

from chainloop_ci.attestation.classification import RULES, Origin, classify, leaves
from chainloop_ci.attestation.statement import render_statement
from chainloop_ci.materials.annotations import EVIDENCE_ID, LENIENT, SCAN_TYPES, TOOLS, VALIDATION
from tests.unit.attestation.states import BUILDER, FINISHED, full_state, material

# Facts that a check finds in other documents than those of the full state.
FOUND = {SCAN_TYPES: "sast", EVIDENCE_ID: "e-1", TOOLS: '["syft@1"]', VALIDATION: LENIENT}
STATE = full_state()
SCAN = material("scan", annotations=FOUND)
STATEMENT = json.loads(
    render_statement(
        replace(STATE, materials={**STATE.materials, "scan": SCAN}), finished_at=FINISHED, builder_id=BUILDER
    )
)


def test_r13_every_leaf_of_a_full_statement_is_classified() -> None:
    unclassified = ["/".join(path) for path in leaves(STATEMENT) if classify(path) is None]

    assert unclassified == []


def test_r13_every_rule_covers_a_leaf_of_a_full_statement() -> None:
    paths = list(leaves(STATEMENT))

    assert [rule.pattern for rule in RULES if not any(rule.covers(path) for path in paths)] == []


def test_r13_a_new_leaf_is_not_classified_by_accident() -> None:
    assert classify(("predicate", "newFact")) is None
    assert classify(("predicate", "metadata", "newFact")) is None
    assert classify(("predicate", "materials", "[]", "newFact")) is None


@pytest.mark.parametrize(
    ("path", "origin"),
    [
        ("predicate/metadata/workflowRunID", Origin.SERVER_CHECKED),
        ("predicate/metadata/contractVersion", Origin.SERVER_MADE),
        ("predicate/materials/[]/annotations/chainloop.material.type", Origin.SERVER_CHECKED),
        ("predicate/materials/[]/annotations/team", Origin.TENANT_DECLARED),
        ("predicate/materials/[]/annotations/chainloop.material.size", Origin.SERVER_CHECKED),
        ("predicate/materials/[]/annotations/chainloop.material.tool.name", Origin.SERVER_CHECKED),
        ("predicate/materials/[]/annotations/chainloop.material.image.tag", Origin.TENANT_DECLARED),
        ("predicate/materials/[]/annotations/chainloop.material.newFact", Origin.TENANT_DECLARED),
        ("predicate/runnerURL", Origin.SERVER_CHECKED),
        ("predicate/runnerEnvironment", Origin.SERVER_CHECKED),
        ("predicate/chainloopCi/ci/headSha", Origin.SERVER_CHECKED),
        ("predicate/env/GITHUB_SHA", Origin.TENANT_DECLARED),
        ("subject/[]/digest/sha1", Origin.TENANT_DECLARED),
    ],
)
def test_the_first_rule_that_covers_a_leaf_decides(path: str, origin: Origin) -> None:
    assert classify(tuple(path.split("/"))) is origin


def test_r13_what_the_record_has_from_the_job_itself_is_said_to_be_claimed() -> None:
    claimed = {rule.pattern for rule in RULES if "claimed at init" in rule.reason}

    assert claimed == {
        "predicate/chainloopCi/ci/*",
        "predicate/metadata/projectVersion",
        "predicate/runnerEnvironment",
        "predicate/runnerType",
        "predicate/runnerURL",
    }
