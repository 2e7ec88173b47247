"""What a contract would mean for a workflow, by the last successful attestation that it has (R38)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chainloop_ci.api.problems import problem_findings
from chainloop_ci.api.requirements import ContractImpact, ImpactOutcome
from chainloop_ci.errors import Finding
from server.model.runs import Run


@dataclass(frozen=True, slots=True)
class ContractUser:
    """A workflow that uses a contract."""

    workflow_id: str
    workflow: str
    project_id: str
    project: str
    team: str
    last_success: int | None
    """Sequence of its last successful run; None: it has none, or they are not trusted any more (R39)."""


def impact_of(
    user: ContractUser, run: Run | None, findings: tuple[Finding, ...], attested_at: datetime | None
) -> ContractImpact:
    """Return the wire form; `run` is the one whose attestation was judged."""
    judged = ImpactOutcome.NOT_MET if findings else ImpactOutcome.MET
    return ContractImpact(
        workflow_id=user.workflow_id,
        workflow=user.workflow,
        project=user.project,
        outcome=judged if run else ImpactOutcome.NO_ATTESTATION,
        team=user.team,
        run_id=run.id if run else None,
        attestation_digest=run.attestation_digest if run else None,
        attested_at=attested_at,
        contract_revision=run.contract_revision if run else None,
        findings=problem_findings(findings),
    )
