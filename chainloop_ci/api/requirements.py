"""What a contract would mean for the workflows that use it, on the wire (R38)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from chainloop_ci.api.problems import ProblemFinding
from chainloop_ci.api.record import about
from chainloop_ci.digests import Digest
from chainloop_ci.records import record


class ImpactOutcome(StrEnum):
    """Whether a workflow's last successful attestation would meet a contract."""

    MET = "met"
    NOT_MET = "not-met"
    NO_ATTESTATION = "no-attestation"
    """It never had a successful one that is still trusted: there is nothing to judge."""


@record
class ContractImpact:
    """What a contract would mean for one workflow; nothing was stored."""

    workflow_id: str
    workflow: str
    project: str
    outcome: ImpactOutcome
    team: str = ""
    run_id: Annotated[str | None, about("Of the attestation that was judged.")] = None
    attestation_digest: Digest | None = None
    attested_at: datetime | None = None
    contract_revision: Annotated[int | None, about("The one that its run was held to.")] = None
    findings: Annotated[tuple[ProblemFinding, ...], about("What it would fail on.")] = ()
