from __future__ import annotations

from typing import Any

import pytest

from chainloop_ci.api.runs import RunState
from chainloop_ci.digests import Digest, sha256_digest
from server.model.gates import GateEvidence, GateRun, GateVerdict, gate
from server.model.verdict import judge
from server.model.verdict_facts import Corroboration, CountedRun, OverrideKind
from server.model.verdict_kinds import COMPLIANT, VerdictKind
from tests.unit.server.model.verdict_cases import LATER, NOW, a_context, a_run, a_verdict, an_override

DIGEST = sha256_digest(b"app.tar.gz")


def named_by(run: CountedRun, *others: CountedRun, overrides: Any = (), **facts: Any) -> GateRun:
    """Return a run that names the digest, and the verdict on its commit, which has other runs."""
    verdict = judge(a_context(run, *others, overrides=overrides), NOW)
    return GateRun(
        **{"run_id": run.id, "sequence": run.sequence, "is_output": True, "is_verified": True, **facts}, verdict=verdict
    )


def by_digest(*runs: GateRun) -> GateVerdict:
    return gate(["api"], {"api": GateEvidence(runs=runs)}, digest=DIGEST)


def codes(verdict: GateVerdict) -> list[str]:
    return [reason.code for reason in verdict.reasons]


def test_r36_an_output_of_the_latest_compliant_run_passes() -> None:
    assert by_digest(named_by(a_run(1))).approved


def test_r36_a_digest_that_is_only_an_input_does_not_pass() -> None:
    found = by_digest(named_by(a_run(1), is_output=False))

    assert (found.approved, codes(found)) == (False, ["input-only"])


def test_r36_a_run_that_a_newer_one_of_its_job_replaced_opens_nothing() -> None:
    found = by_digest(named_by(a_run(1), a_run(2, state=RunState.ERROR)))

    assert (found.approved, codes(found)) == (False, ["not-the-latest"])


def test_r36_the_latest_run_decides_and_not_an_older_compliant_one() -> None:
    failed = a_run(2, state=RunState.ERROR, reason="unverified")

    found = by_digest(named_by(a_run(1)), named_by(failed))

    assert (found.approved, codes(found)) == (False, ["unverified"])


def test_r36_another_job_of_the_commit_that_failed_shuts_it() -> None:
    found = by_digest(named_by(a_run(1), a_run(2, job="scan", state=RunState.ERROR)))

    assert (found.approved, codes(found)) == (False, ["crafting-error"])


def test_r36_a_claimed_run_opens_nothing() -> None:
    found = by_digest(named_by(a_run(1, corroboration=Corroboration.CLAIMED)))

    assert (found.approved, codes(found)) == (False, ["claimed"])


def test_r36_a_lie_that_the_forge_contradicts_shuts_nothing() -> None:
    lie = a_run(2, corroboration=Corroboration.CONTRADICTED)

    assert by_digest(named_by(a_run(1)), named_by(lie)).approved


@pytest.mark.parametrize("is_late", [False, True])
def test_r36_a_newer_run_whose_commit_nobody_confirms_shuts_nothing(is_late: bool) -> None:
    claim = a_run(2, late=is_late, corroboration=Corroboration.CLAIMED)

    assert by_digest(named_by(a_run(1)), named_by(claim)).approved


def test_r36_a_run_that_names_no_commit_opens_nothing_and_is_named() -> None:
    found = by_digest(GateRun("run-1", 1, is_output=True, is_verified=True, verdict=None))

    assert (found.approved, codes(found), found.reasons[0].run_id) == (False, ["no-commit"], "run-1")


def test_r36_a_throw_away_workflow_does_not_open_the_gate() -> None:
    thrown_away = GateEvidence(a_verdict(VerdictKind.SUCCESS, "run-9"))

    found = gate(["api"], {"throw-away": thrown_away})

    assert (found.approved, codes(found)) == (False, ["not-registered"])


@pytest.mark.parametrize("digest", [None, DIGEST])
def test_r36_a_workflow_without_a_source_opens_nothing_whatever_it_attested(digest: Digest | None) -> None:
    attested = GateEvidence(a_verdict(VerdictKind.SUCCESS), (named_by(a_run(1)),), has_source=False)

    found = gate(["api"], {"api": attested}, digest=digest)

    assert (found.approved, codes(found)) == (False, ["no-source"])


def test_r33_a_gate_that_requires_nothing_is_shut() -> None:
    assert not gate([], {"api": GateEvidence(a_verdict(VerdictKind.SUCCESS))}).approved


def test_all_reasons_are_given_at_once() -> None:
    evidence = {
        "api": GateEvidence(a_verdict(VerdictKind.SUCCESS)),
        "web": GateEvidence(a_verdict(VerdictKind.MISSING)),
        "docs": GateEvidence(),
    }

    found = gate(["api", "web", "docs", "gone", "api"], evidence)

    assert (found.approved, codes(found)) == (False, ["success", "missing", "not-attested", "not-registered"])


@pytest.mark.parametrize("kind", VerdictKind)
def test_r36_r37_only_compliance_and_an_operators_override_open_a_gate_for_a_commit(kind: VerdictKind) -> None:
    found = gate(["api"], {"api": GateEvidence(a_verdict(kind))})

    assert found.approved is (kind in {*COMPLIANT, VerdictKind.OVERRIDDEN})


def test_r39_an_override_opens_the_gate_for_what_the_commits_runs_made() -> None:
    override = an_override(OverrideKind.OVERRIDE, until=LATER)
    late = a_run(1, late=True, corroboration=Corroboration.CLAIMED)

    assert by_digest(named_by(late, overrides=[override])).approved


def test_r39_an_override_does_not_stand_for_a_signature() -> None:
    override = an_override(OverrideKind.OVERRIDE, until=LATER)

    found = by_digest(named_by(a_run(1), overrides=[override], is_verified=False))

    assert (found.approved, codes(found)) == (False, ["unverified"])


def test_r39_a_blocked_workflow_shuts_the_gate() -> None:
    found = by_digest(named_by(a_run(1), overrides=[an_override(OverrideKind.BLOCK)]))

    assert (found.approved, codes(found)) == (False, ["blocked"])


def test_a_digest_that_nobody_attested_does_not_pass() -> None:
    found = by_digest()

    assert codes(found) == ["not-attested"]
    assert DIGEST in found.reasons[0].message
