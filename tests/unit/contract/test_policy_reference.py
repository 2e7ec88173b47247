"""The form of policy references (reference section 2.2)."""

from __future__ import annotations

import pytest

from chainloop_ci.contract.policy_reference import find_reference_problem

DIGEST = "@sha256:" + "a" * 64


@pytest.mark.parametrize(
    "reference",
    [
        "sbom-freshness",
        "chainloop://sbom-freshness" + DIGEST,
        "provider:org/name",
        "org/name" + DIGEST,
        "file://policies/sbom.yaml",
        "file:///abs/sbom.yaml" + DIGEST,
        "https://host.test/a/b.yaml?x=1",
    ],
)
def test_good_references_have_no_problem(reference):
    assert find_reference_problem(reference) is None


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "Name",
        "a/b/c",
        "a b",
        "name@sha256:abc",
        "ftp://host/x.yaml",
        "file://policy",
        "file://dir/.",
        "https://host.yaml",
        "-a",
    ],
)
def test_bad_references_have_one(reference):
    assert find_reference_problem(reference) is not None


def test_a_hostile_reference_is_judged_in_linear_time():
    assert find_reference_problem("file://" + "." * 1_000_000 + "!") is not None
