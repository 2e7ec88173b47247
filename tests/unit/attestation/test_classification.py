from __future__ import annotations

import json

import pytest

from chainloop_ci.attestation.classification import RULES, Origin, classify, leaves
from chainloop_ci.attestation.statement import render_statement
from tests.unit.attestation.states import BUILDER, FINISHED, full_state

STATEMENT = json.loads(render_statement(full_state(), finished_at=FINISHED, builder_id=BUILDER))


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
        ("predicate/env/GITHUB_SHA", Origin.TENANT_DECLARED),
        ("subject/[]/digest/sha1", Origin.TENANT_DECLARED),
    ],
)
def test_the_first_rule_that_covers_a_leaf_decides(path: str, origin: Origin) -> None:
    assert classify(tuple(path.split("/"))) is origin
