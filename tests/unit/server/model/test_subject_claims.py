from __future__ import annotations

from dataclasses import replace

import pytest

from chainloop_ci.attestation.view import SubjectView
from chainloop_ci.digests import hex_of, sha256_digest
from chainloop_ci.errors import Finding
from server.model.subject_claims import check_subjects, is_output
from tests.unit.server.model.statements import (
    BINARY,
    BINARY_SUBJECT,
    COMMIT,
    COMMIT_SUBJECT,
    CONTRACT,
    VIEW,
    WORD,
    WORKFLOW_SUBJECT,
    codes,
)

HONEST = (WORKFLOW_SUBJECT, COMMIT_SUBJECT, BINARY_SUBJECT)
WORD_SUBJECT = SubjectView("", {"sha256": hex_of(sha256_digest(b"hello"))}, material_name="word")


def check(*subjects: SubjectView) -> tuple[Finding, ...]:
    return check_subjects(replace(VIEW, subjects=subjects, materials=(BINARY, WORD)), "build", CONTRACT)


@pytest.mark.parametrize("subjects", [HONEST, (WORKFLOW_SUBJECT, BINARY_SUBJECT)], ids=["all", "no commit"])
def test_r11_the_workflow_the_commit_and_the_outputs_are_subjects(subjects: tuple[SubjectView, ...]) -> None:
    assert check(*subjects) == ()


def test_r36_only_a_file_that_the_contract_calls_an_output_is_one() -> None:
    assert is_output(BINARY, CONTRACT)
    assert not is_output(WORD, CONTRACT)
    assert not is_output(replace(BINARY, name="log"), CONTRACT)
    assert not is_output(replace(BINARY, name="unknown"), CONTRACT)


def test_a_text_is_no_subject_even_where_the_contract_calls_it_an_output() -> None:
    findings = check(*HONEST, WORD_SUBJECT)

    assert codes(findings) == [("unexpected-subject", "/subject")]


@pytest.mark.parametrize("left_out", [WORKFLOW_SUBJECT, BINARY_SUBJECT], ids=["workflow", "output"])
def test_r11_a_missing_subject_is_named(left_out: SubjectView) -> None:
    findings = check(*(subject for subject in HONEST if subject is not left_out))

    assert codes(findings) == [("missing-subject", "/subject")]


@pytest.mark.parametrize("subject", HONEST, ids=["workflow", "commit", "output"])
def test_r11_no_subject_stands_there_twice(subject: SubjectView) -> None:
    findings = check(*HONEST, subject)

    assert codes(findings) == [("unexpected-subject", "/subject")]


@pytest.mark.parametrize(
    "stranger",
    [SubjectView("other", WORKFLOW_SUBJECT.digests), replace(BINARY_SUBJECT, material_name="unknown")],
    ids=["name", "material"],
)
def test_r11_a_subject_that_is_nothing_of_this_is_unexpected(stranger: SubjectView) -> None:
    findings = check(*HONEST, stranger)

    assert codes(findings) == [("unexpected-subject", "/subject")]


@pytest.mark.parametrize(
    "digests",
    [
        {},
        {"sha256": "0" * 63},
        {"sha256": "A" * 64},
        {"sha256": "0" * 64 + "\n"},
        {"sha512": "0" * 64},
        {"sha1": COMMIT, "sha256": "0" * 64},
    ],
)
def test_r11_a_subject_has_one_digest_of_a_known_kind(digests: dict[str, str]) -> None:
    findings = check(WORKFLOW_SUBJECT, replace(COMMIT_SUBJECT, digests=digests), BINARY_SUBJECT)

    assert codes(findings) == [("subject-digest", "/subject/1/digest")]


def test_only_the_commit_is_named_by_sha1() -> None:
    findings = check(replace(WORKFLOW_SUBJECT, digests={"sha1": COMMIT}), COMMIT_SUBJECT, BINARY_SUBJECT)

    assert codes(findings) == [("subject-digest", "/subject/0/digest")]


def test_r11_an_output_is_named_as_its_material_s_file() -> None:
    findings = check(WORKFLOW_SUBJECT, COMMIT_SUBJECT, replace(BINARY_SUBJECT, name="evil.bin"))

    assert codes(findings) == [("subject-mismatch", "/subject/2/name")]


def test_r11_an_output_has_its_material_s_type() -> None:
    typed = replace(BINARY_SUBJECT, annotations={"chainloop.material.type": "SARIF"})

    findings = check(WORKFLOW_SUBJECT, COMMIT_SUBJECT, typed)

    assert codes(findings) == [("subject-mismatch", "/subject/2/annotations/chainloop.material.type")]
