"""How content is refused."""

from __future__ import annotations

from chainloop_ci.errors import Finding
from chainloop_ci.materials.rejection import cap_findings, rejected


def test_a_rejection_names_what_was_expected_and_what_was_found():
    error = rejected("a cat", "a dog", hint="look again")

    assert error.message == "expected a cat, found a dog"
    assert [finding.to_dict() for finding in error.findings] == [
        {"code": "wrong-content", "message": "expected a cat, found a dog", "hint": "look again"}
    ]


def test_twenty_findings_are_listed_without_a_count():
    findings = [Finding("x", str(number)) for number in range(20)]

    assert cap_findings(findings, 20) == tuple(findings)


def test_the_twenty_first_finding_is_counted():
    findings = [Finding("x", str(number)) for number in range(21)]

    assert cap_findings(findings, 21)[-1].message == "and 1 more"
