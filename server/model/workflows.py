"""Workflows as they are stored, and the names of what they refer to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from chainloop_ci.api.limits import MAX_NAME
from chainloop_ci.api.runs import RunState
from chainloop_ci.api.workflows import Workflow
from server.model.contracts import StoredContract
from server.model.runs import shown_state

MAX_PROJECTS = 1000
"""Of one organization."""
MAX_WORKFLOWS = 10_000
"""Of one organization."""
MAX_CONTRACT_NAME = 2 * MAX_NAME + 1
"""An automatic contract is named `<project>-<workflow>`."""

EMPTY_CONTRACT = "apiVersion: chainloop.dev/v1\nkind: Contract\nmetadata:\n  name: {name}\nspec: {{}}\n"
"""What a workflow without a contract of its own gets: it asks for nothing."""


@dataclass(frozen=True, slots=True)
class LastRun:
    """What a list of workflows shows of the newest run."""

    id: str
    state: RunState
    """As stored."""
    created_at: datetime
    expires_at: datetime
    runner_type: str
    late: bool = False
    """R20."""
    distrusted: bool = False
    """R39."""

    def state_at(self, now: datetime) -> RunState:
        """Return the state that counts (`shown_state`)."""
        return shown_state(self.state, self.expires_at, now)


@dataclass(frozen=True, slots=True)
class StoredWorkflow:
    """A row of `workflows`."""

    id: str
    organization_id: str
    organization: str
    project_id: str
    project: str
    contract_id: str
    contract: str
    contract_revision: int
    """The newest."""
    name: str
    created_at: datetime
    team: str = ""
    description: str = ""
    run_expiry_seconds: int | None = None
    """None: the organization's."""
    runs_count: int = 0
    last_run: LastRun | None = None
    minimum_revision: int | None = None
    """R19; None: the contract's enforced revision."""
    minimum_revision_since: datetime | None = None
    """When that was set or taken back: runs that were begun before keep their pin."""
    public_contract_id: str | None = None
    """Under which anybody may read the newest revision of the contract; None: nobody may."""
    public_verdict: bool = False
    """R47: anybody who knows the page of a verdict may see its state, name and time."""

    @property
    def has_public_contract(self) -> bool:
        """Tell whether the contract is public; unlike the id, this may stand in the audit log."""
        return self.public_contract_id is not None

    def with_minimum(self, revision: int, now: datetime) -> StoredWorkflow:
        """Return the workflow with another minimum revision, 0 for the enforced one; the same again changes nothing."""
        if (revision or None) == self.minimum_revision:
            return self
        return replace(self, minimum_revision=revision or None, minimum_revision_since=now)

    def with_public_contract(self, is_public: bool, new_id: Callable[[], str]) -> StoredWorkflow:
        """Return the workflow with or without a public contract; the same again changes nothing.

        What was switched off never works again: a new id is made.
        """
        if is_public is self.has_public_contract:
            return self
        return replace(self, public_contract_id=new_id() if is_public else None)

    def with_contract(self, contract: StoredContract, now: datetime) -> StoredWorkflow:
        """Return the workflow with a contract; another one has revisions of its own, so the minimum is its default."""
        if contract.id == self.contract_id:
            return self
        return replace(
            self,
            contract_id=contract.id,
            contract=contract.name,
            contract_revision=contract.latest_revision,
            minimum_revision=None,
            minimum_revision_since=now,
        )

    def api(self, now: datetime) -> Workflow:
        """Return the wire form as of `now`."""
        last = self.last_run
        return Workflow(
            id=self.id,
            name=self.name,
            project=self.project,
            organization=self.organization,
            contract=self.contract,
            contract_revision=self.contract_revision,
            created_at=self.created_at,
            team=self.team,
            description=self.description,
            runs_count=self.runs_count,
            last_run_id=last.id if last else None,
            last_run_state=last.state_at(now).value if last else None,
            last_run_late=last is not None and last.late,
            last_run_distrusted=last is not None and last.distrusted,
            last_run_at=last.created_at if last else None,
            last_runner_type=last.runner_type if last else None,
            run_expiry_seconds=self.run_expiry_seconds,
            minimum_revision=self.minimum_revision,
            public_contract_id=self.public_contract_id,
            public_verdict=self.public_verdict,
        )


@dataclass(frozen=True, slots=True)
class WorkflowFilters:
    """What a list of workflows is narrowed to; None: not narrowed."""

    name: str | None = None
    project: str | None = None
    contract: str | None = None
    project_id: str | None = None
    """The scope of the token."""
    workflow_id: str | None = None
    """The scope of the token."""


def automatic_contract_name(project: str, workflow: str, attempt: int) -> str:
    """Return the name of an automatic contract; attempts after the first carry a number, for names that are taken."""
    suffix = "" if attempt == 1 else f"-{attempt}"
    return f"{project}-{workflow}"[: MAX_CONTRACT_NAME - len(suffix)].rstrip("-") + suffix
