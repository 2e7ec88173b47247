from __future__ import annotations

import pytest

from chainloop_ci import errors
from chainloop_ci.cli.exit_codes import EXIT_STATUSES, exit_status
from chainloop_ci.errors import AttestationRefusedError, ChainloopError, Finding, UnreachableError

CODES = {value.code for value in vars(errors).values() if isinstance(value, type) and issubclass(value, ChainloopError)}


def test_every_error_has_exactly_one_exit_status() -> None:
    assert set(EXIT_STATUSES) == CODES


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("usage", 2),
        ("contract-not-met", 3),
        ("runner-mismatch", 3),
        ("material-rejected", 3),
        ("signing-key-missing", 5),
        ("not-allowed", 5),
        ("unreachable", 6),
        ("signature-invalid", 7),
        ("signer-not-trusted", 8),
        ("nothing-to-verify", 9),
    ],
)
def test_the_statuses_are_those_of_the_decision(code, expected) -> None:
    assert EXIT_STATUSES[code] == expected


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (["missing-material", "digest-mismatch"], 3),
        (["missing-material", "signer-unknown"], 5),
        (["field-mismatch"], 1),
        ([], 1),
    ],
)
def test_a_refused_store_ends_with_what_was_found(codes, expected) -> None:
    error = AttestationRefusedError("refused", findings=[Finding(code, "x") for code in codes])

    assert exit_status(error) == expected


def test_an_instance_has_the_status_of_its_class() -> None:
    assert exit_status(UnreachableError("no answer")) == 6
