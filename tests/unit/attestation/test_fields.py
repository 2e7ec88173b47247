"""Fields of a document that somebody else wrote."""

from __future__ import annotations

import pytest

from chainloop_ci.attestation.fields import Fields
from chainloop_ci.errors import Finding


@pytest.mark.parametrize("value", [7, "7"])
def test_a_whole_number_is_read_as_number_and_as_text(value: object) -> None:
    findings: list[Finding] = []

    assert Fields({"size": value}, findings).number("size") == 7
    assert findings == []


def test_a_text_of_sixteen_digits_is_still_a_number() -> None:
    assert Fields({"size": "1" * 16}, []).number("size") == int("1" * 16)


@pytest.mark.parametrize("value", [-1, "-1", "1" * 17, 2**53 + 1, True, 1.5, "1e3", "\u0661", [1]])
def test_what_is_no_size_becomes_a_finding(value: object) -> None:
    findings: list[Finding] = []

    assert Fields({"size": value}, findings).number("size") is None
    assert [(finding.code, finding.path) for finding in findings] == [("invalid-field", "/size")]
