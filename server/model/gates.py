"""Whether something may be deployed: the verdicts of the workflows that a gate names (R33, R36).

Stricter than a commit status: what passes there without an attestation (not applicable, an untrusted head, a contract
without requirements) opens no gate. Only an operator's override of the commit does (R39).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from chainloop_ci.digests import Digest
from server.model.verdict import Verdict
from server.model.verdict_kinds import VerdictKind


@dataclass(frozen=True, slots=True)
class GateRun:
    """A stored attestation that names the digest in question, and the verdict of its workflow on its commit."""

    run_id: str
    sequence: int
    is_output: bool
    """The digest is an `output` subject of it; False: only a material that went in."""
    is_verified: bool
    """A registered key that is not revoked signed it; an override does not stand for that."""
    verdict: Verdict | None
    """Of the run's workflow on the run's commit, now; None: it names no commit."""

    @property
    def counts(self) -> bool:
        """Tell whether it counts for its commit, and the forge confirms what is said of that.

        What does not (replaced by a newer run, contradicted by the forge, only claimed) neither opens nor shuts: else
        whoever can attest anything shuts a gate for what others made.
        """
        verdict = self.verdict
        return verdict is not None and self.run_id in verdict.counted_run_ids and verdict.kind not in _UNCONFIRMED


_UNCONFIRMED = frozenset({VerdictKind.CLAIMED, VerdictKind.LATE})


@dataclass(frozen=True, slots=True)
class GateEvidence:
    """What is known of one workflow."""

    commit_verdict: Verdict | None = None
    """On the commit that is asked about; None: the gate asks about a digest, or nothing is known."""
    runs: tuple[GateRun, ...] = ()
    """Those that name the digest that is asked about."""
    has_source: bool = True
    """False: nobody said where its code lives, so that no forge confirms its runs (R30)."""


@dataclass(frozen=True, slots=True)
class GateReason:
    """What a gate says of one workflow that it requires."""

    workflow: str
    approved: bool
    code: str
    """Stable: the kind of the verdict, `not-registered`, `no-source`, `not-attested`, `no-commit`, `input-only`,
    `not-the-latest`, `empty`, `commit-unknown`."""
    message: str
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """The answer of a gate, with a reason for each workflow that it requires."""

    approved: bool
    reasons: tuple[GateReason, ...]


def gate(required: Sequence[str], evidence: Mapping[str, GateEvidence], *, digest: Digest | None = None) -> GateVerdict:
    """Return whether what is asked about, a commit or the content `digest`, may pass.

    Args:
        required: the workflows that the gate names; where it names none, the caller gives the set of the roll-up (R33).
        evidence: of registered workflows, by name; those that are not required change nothing.
        digest: None: the evidence is about a commit.
    """
    if not required:
        nothing = GateReason("", False, "empty", "the gate requires no workflow, and nothing is never enough")
        return GateVerdict(False, (nothing,))
    reasons = tuple(_reasons(dict.fromkeys(required), evidence, digest))
    return GateVerdict(all(reason.approved for reason in reasons), reasons)


def _reasons(
    required: Mapping[str, None], evidence: Mapping[str, GateEvidence], digest: Digest | None
) -> Iterator[GateReason]:
    for workflow in required:
        found = evidence.get(workflow)
        if found is None:
            yield GateReason(workflow, False, "not-registered", f"no workflow {workflow} is registered for it")
        elif not found.has_source:
            message = f"workflow {workflow} has no source, so that nothing confirms what its runs claim"
            yield GateReason(workflow, False, "no-source", message)
        elif digest is None:
            yield _about_commit(workflow, found.commit_verdict)
        else:
            yield _about_digest(workflow, found.runs, digest)


def _about_commit(workflow: str, verdict: Verdict | None) -> GateReason:
    if verdict is None:
        return GateReason(workflow, False, "not-attested", f"workflow {workflow} knows nothing of the commit")
    return _by_verdict(workflow, verdict, verdict.run_id)


def _about_digest(workflow: str, runs: Sequence[GateRun], digest: Digest) -> GateReason:
    outputs = [run for run in runs if run.is_output]
    if not outputs and runs:
        message = f"{digest} is only an input of what workflow {workflow} attested, not an output"
        return GateReason(workflow, False, "input-only", message)
    if not outputs:
        return GateReason(workflow, False, "not-attested", f"workflow {workflow} attested no output {digest}")
    claimed = [run for run in outputs if run.verdict and run.run_id in run.verdict.counted_run_ids]
    counted = [run for run in outputs if run.counts] or claimed
    latest = max(counted or outputs, key=lambda run: run.sequence)
    if latest.verdict is None:
        message = f"run {latest.run_id} of workflow {workflow} names no commit, so that nothing confirms it"
        return GateReason(workflow, False, "no-commit", message, latest.run_id)
    if not counted:
        message = f"run {latest.run_id} of workflow {workflow} counts no more for its commit, or never did"
        return GateReason(workflow, False, "not-the-latest", message, latest.run_id)
    if not latest.is_verified:
        message = f"no registered key signed the attestation of run {latest.run_id} of workflow {workflow}"
        return GateReason(workflow, False, VerdictKind.UNVERIFIED.value, message, latest.run_id)
    return _by_verdict(workflow, latest.verdict, latest.run_id)


def _by_verdict(workflow: str, verdict: Verdict, run_id: str | None) -> GateReason:
    approved = verdict.is_compliant or verdict.kind is VerdictKind.OVERRIDDEN
    return GateReason(workflow, approved, verdict.kind.value, f"{workflow}: {verdict.description}", run_id)
