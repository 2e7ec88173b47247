"""Errors carry a stable code each; findings print their place first."""

from __future__ import annotations

import pytest

from chainloop_ci import errors
from chainloop_ci.errors import ChainloopError, Finding


def every_error() -> list[type[ChainloopError]]:
    return [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, ChainloopError) and value is not ChainloopError
    ]


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [error.code for error in every_error()]

    assert len(set(codes)) == len(codes)
    assert all(code == code.lower() and " " not in code for code in codes)


@pytest.mark.parametrize("error", every_error())
def test_every_error_is_named_and_explained(error: type[ChainloopError]) -> None:
    assert error.__name__.endswith("Error")
    assert error.__doc__


def test_a_finding_prints_line_column_and_path_before_the_message() -> None:
    finding = Finding("unknown-field", "unknown field 'materails'", path="/materails", line=3, column=1)

    assert str(finding) == "line 3:1 /materails: unknown field 'materails'"


def test_the_wire_form_of_a_finding_leaves_out_what_is_absent() -> None:
    finding = Finding("missing-material", "sbom is missing")

    assert finding.to_dict() == {"code": "missing-material", "message": "sbom is missing"}
