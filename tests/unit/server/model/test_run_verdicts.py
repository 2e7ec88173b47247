from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chainloop_ci.api.runs import RunState
from server.model.run_verdicts import RunVerdict, Standing, judge_run
from server.model.verdict_facts import Corroboration, Refused, Upcoming, VerdictSettings
from server.model.verdict_kinds import VerdictKind, is_passing, is_pending
from tests.unit.server.model.verdict_cases import LATER, NOW, a_run

PRIVATE = VerdictSettings()
PUBLIC = VerdictSettings(names_allowed=False)
LACKING = Refused("contract-not-met", "the material sbom is missing", 2, ("sbom", "junit"), contract_not_met=True)
WRONG_RUNNER = Refused("runner-mismatch", "runner must be GITHUB_ACTION", contract_not_met=True)
BAD_BYTES = Refused("attestation-refused", "the digest of sbom differs", 3)
SOON = Upcoming(8, LATER, ("sbom",))
OPEN = {"state": RunState.INITIALIZED}
ERROR = {"state": RunState.ERROR}

ROWS: list[tuple[dict[str, Any], VerdictKind, str]] = [
    (OPEN, VerdictKind.INITIALIZED, "attestation begun, waiting for push"),
    ({**OPEN, "present_count": 2}, VerdictKind.INITIALIZED, "3 of 5 materials missing"),
    ({**OPEN, "present_count": 5}, VerdictKind.COMPLETE, "all materials present, waiting for push"),
    ({**OPEN, "refused": BAD_BYTES}, VerdictKind.REFUSED, "refused: the digest of sbom differs"),
    ({**OPEN, "refused": LACKING}, VerdictKind.NOT_MET, "missing: sbom, junit"),
    ({}, VerdictKind.SUCCESS, "5/5 materials, signed, rev 7"),
    ({"required_count": 0}, VerdictKind.SUCCESS, "signed, rev 7"),
    ({"advisories": 2}, VerdictKind.ADVISORY, "2 advisory policy violations"),
    ({"gate_violations": ("cve",)}, VerdictKind.GATE_VIOLATION, "policy cve blocks"),
    ({"gate_violations": ("cve", "age")}, VerdictKind.GATE_VIOLATION, "policies block: cve, age"),
    ({"has_requirements": False}, VerdictKind.NO_REQUIREMENTS, "contract requires nothing"),
    ({"is_verified": False}, VerdictKind.UNVERIFIED, "not signed by a registered key"),
    ({**ERROR, "reason": "unverified"}, VerdictKind.UNVERIFIED, "not signed by a registered key"),
    ({**ERROR, "reason": "job-failed: exit 2"}, VerdictKind.CRAFTING_ERROR, "job-failed: exit 2"),
    (ERROR, VerdictKind.CRAFTING_ERROR, "the job failed before its attestation was stored"),
    ({**ERROR, "missing": ("sbom",)}, VerdictKind.NOT_MET, "missing: sbom"),
    ({**ERROR, "refused": WRONG_RUNNER}, VerdictKind.NOT_MET, "runner must be GITHUB_ACTION"),
    ({**ERROR, "refused": BAD_BYTES}, VerdictKind.REFUSED, "refused: the digest of sbom differs"),
    ({"state": RunState.CANCELED, "ended_by": "ops"}, VerdictKind.CANCELED, "run cancelled by ops"),
    ({"state": RunState.CANCELED, "reason": "too slow"}, VerdictKind.CANCELED, "run cancelled: too slow"),
    ({"state": RunState.EXPIRED}, VerdictKind.EXPIRED, "no push within 6 h"),
    ({"state": RunState.EXPIRED, "life_seconds": 0}, VerdictKind.EXPIRED, "no push before the run expired"),
    ({**OPEN, "expires_at": NOW}, VerdictKind.EXPIRED, "no push within 6 h"),
    (
        {"state": RunState.EXPIRED, "refused": LACKING},
        VerdictKind.EXPIRED,
        "no push within 6 h; last missing: sbom, junit",
    ),
]


def judged(settings: VerdictSettings = PRIVATE, **facts: Any) -> RunVerdict:
    return judge_run(a_run(**facts), None, settings, NOW)


@pytest.mark.parametrize(("facts", "kind", "said"), ROWS, ids=[f"{row[1]}: {row[2][:30]}" for row in ROWS])
def test_a_corroborated_run_says_what_became_of_it(facts: dict[str, Any], kind: VerdictKind, said: str) -> None:
    found = judged(**facts)

    assert (found.kind, found.description) == (kind, said)


@pytest.mark.parametrize("facts", [row[0] for row in ROWS])
def test_the_standing_of_a_run_agrees_with_its_kind(facts: dict[str, Any]) -> None:
    found = judged(**facts)

    assert (found.standing is Standing.PASSED) is is_passing(found.kind)
    assert (found.standing is Standing.OPEN) is is_pending(found.kind)


@pytest.mark.parametrize("facts", [row[0] for row in ROWS])
@pytest.mark.parametrize("corroboration", [Corroboration.CLAIMED, Corroboration.CONTRADICTED])
@pytest.mark.parametrize("late", [False, True])
def test_r30_a_run_that_is_only_claimed_never_has_the_last_word(
    facts: dict[str, Any], corroboration: Corroboration, late: bool
) -> None:
    found = judged(**facts, corroboration=corroboration, late=late)

    assert is_pending(found.kind)


def test_r30_a_claimed_run_says_that_its_commit_is_claimed() -> None:
    found = judged(corroboration=Corroboration.CLAIMED)

    assert (found.kind, found.description) == (VerdictKind.CLAIMED, "commit claimed, not corroborated")


def test_r30_an_authenticated_run_needs_no_word_of_the_forge() -> None:
    assert judged(corroboration=Corroboration.AUTHENTICATED).kind is VerdictKind.SUCCESS


def test_r20_a_late_run_waits_and_says_so() -> None:
    found = judged(corroboration=Corroboration.CLAIMED, late=True)

    assert (found.kind, found.description) == (VerdictKind.LATE, "late, not corroborated")


def test_r20_a_late_run_that_the_forge_confirmed_counts() -> None:
    assert judged(late=True).kind is VerdictKind.SUCCESS


def test_r37_a_contract_without_requirements_is_not_made_better_by_advice() -> None:
    assert judged(has_requirements=False, advisories=0, upcoming=SOON).kind is VerdictKind.NO_REQUIREMENTS


def test_r38_before_its_date_a_new_requirement_only_warns() -> None:
    found = judged(upcoming=SOON)

    assert found.kind is VerdictKind.UPCOMING
    assert found.description == "met; required from 2026-11-30 18:00 UTC by rev 8, missing: sbom"


def test_r38_from_its_date_on_it_fails() -> None:
    found = judge_run(a_run(upcoming=SOON), None, PRIVATE, LATER)

    assert found.kind is VerdictKind.NOT_MET
    assert found.description == "missing: sbom; required since 2026-11-30 18:00 UTC by rev 8"


def test_r38_a_moment_before_its_date_it_does_not() -> None:
    moment = LATER - timedelta(microseconds=1)

    assert judge_run(a_run(upcoming=SOON), None, PRIVATE, moment).kind is VerdictKind.UPCOMING


SECRETS = ("ops", "sbom", "junit", "cve", "age", "exit 2", "too slow", "digest")


@pytest.mark.parametrize("facts", [row[0] for row in ROWS] + [{"upcoming": SOON}])
def test_r47_a_public_repository_learns_no_name_and_no_text_of_the_job(facts: dict[str, Any]) -> None:
    said = judged(PUBLIC, **facts).description

    assert not [word for word in SECRETS if word in said]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({**ERROR, "missing": ("sbom", "junit")}, "2 of 5 materials missing"),
        ({**OPEN, "refused": BAD_BYTES}, "refused: attestation-refused"),
        ({"gate_violations": ("cve",)}, "1 policy blocks"),
        ({"gate_violations": ("cve", "age")}, "2 policies block"),
        ({**ERROR, "refused": WRONG_RUNNER}, "contract not met: 1 finding"),
    ],
)
def test_r47_a_count_stands_for_the_names(facts: dict[str, Any], said: str) -> None:
    assert judged(PUBLIC, **facts).description == said
