from __future__ import annotations

from dataclasses import replace

from chainloop_ci.attestation.reader import read_statement
from chainloop_ci.attestation.referrers import extract
from chainloop_ci.attestation.statement import render_statement
from chainloop_ci.attestation.view import MaterialView
from chainloop_ci.digests import sha256_digest
from tests.unit.attestation.states import BUILDER, COMMIT, FINISHED, full_state

VIEW = read_statement(render_statement(full_state(), finished_at=FINISHED, builder_id=BUILDER))
BUNDLE = sha256_digest(b"bundle")


def test_the_attestation_its_commit_and_its_materials_are_nodes() -> None:
    nodes = extract(VIEW, BUNDLE)

    assert [node.key for node in nodes] == [
        (BUNDLE, "ATTESTATION"),
        ("sha1:" + COMMIT, "GIT_HEAD_COMMIT"),
        *((entry.digest, entry.type) for entry in VIEW.materials),
    ]
    assert [node.downloadable for node in nodes if node.kind == "ARTIFACT"] == [True, False, True]


def test_the_attestation_s_node_says_what_it_is_about() -> None:
    nodes = extract(VIEW, BUNDLE)

    assert nodes[0].metadata == {
        "name": "build",
        "team": "core",
        "project": "demo",
        "hasPolicyViolations": "false",
        "hasGatedPolicyViolations": "false",
        "projectVersion": "v1.2.0",
        "projectVersionPrerelease": "true",
        "organization": "acme",
        "contractName": "contract",
        "contractVersion": "3",
    }
    assert nodes[0].annotations == {"owner": "ann"}


def test_equal_materials_are_one_node_and_those_without_digest_none() -> None:
    one = MaterialView("a", "ARTIFACT", sha256_digest(b"same"))
    view = replace(
        VIEW, materials=(one, replace(one, name="b"), MaterialView("c", "STRING")), subjects=VIEW.subjects[:1]
    )

    nodes = extract(view, BUNDLE)

    assert [node.kind for node in nodes] == ["ATTESTATION", "ARTIFACT"]


def test_one_digest_of_two_kinds_is_two_nodes() -> None:
    digest = sha256_digest(b"same")
    view = replace(VIEW, materials=(MaterialView("a", "ARTIFACT", digest), MaterialView("b", "SARIF", digest)))

    nodes = extract(view, BUNDLE)

    assert {node.kind for node in nodes if node.digest == digest} == {"ARTIFACT", "SARIF"}
