"""What a run is pinned to, and what its workflow asks of it. Pure: the store finds the facts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from server.model.contracts import StoredRevision
from server.model.organizations import StoredOrganization
from server.model.revisions import Enforcement, Minimum, minimum_of
from server.model.workflows import StoredWorkflow


@dataclass(frozen=True, slots=True)
class Block:
    """Why nothing of a workflow is begun at present (R39)."""

    reason: str
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Pin:
    """A workflow, whose settings hold for it, and a revision of its contract."""

    workflow: StoredWorkflow
    organization: StoredOrganization
    revision: StoredRevision | None
    """The one that was asked for; None: the workflow's contract has no such revision."""
    enforced: Enforcement | None
    """The newest revision of the workflow's contract whose enforcement date has passed."""
    default_revision: int
    """What a run is held to that asks for no revision: the enforced one, or a newer minimum (R19, R38)."""
    block: Block | None = None
    """R39: nothing of the workflow is begun; None: it is not blocked."""

    @property
    def run_life_seconds(self) -> int:
        """Return how long a new run lives after an accepted request (R15)."""
        return self.workflow.run_expiry_seconds or self.organization.run_expiry_seconds

    @property
    def minimum(self) -> Minimum | None:
        """Return the oldest contract revision that the workflow takes at present (R19); None: any."""
        workflow = self.workflow
        return minimum_of(
            self.enforced, set_revision=workflow.minimum_revision, changed_at=workflow.minimum_revision_since
        )
