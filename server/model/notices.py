"""What a team is told once of a contract revision that waits for its date (R38). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chainloop_ci.contract.upcoming import NewRequirement


@dataclass(frozen=True, slots=True)
class Notice:
    """What a workflow's last successful attestation lacks of a revision that will be enforced."""

    organization_id: str
    contract_id: str
    contract: str
    revision: int
    enforced_from: datetime
    project_id: str
    project: str
    workflow_id: str
    workflow: str
    team: str
    requirements: tuple[NewRequirement, ...]
    """Each with what to type about it."""


@dataclass(frozen=True, slots=True)
class EnforcedRevision:
    """A revision with its date: from then on new runs are held to it."""

    organization_id: str
    contract_id: str
    contract: str
    revision: int
    enforced_from: datetime
