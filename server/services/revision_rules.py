"""Hold runs to the minimum revision of their workflow (R19): at init, and again when they are stored."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.attestation.times import render_time
from chainloop_ci.errors import ContractNotMetError, Finding, NotFoundError, WorkflowBlockedError
from server.model.contracts import StoredRevision
from server.model.pins import Pin
from server.model.principal import Principal
from server.model.revisions import Minimum
from server.model.runs import Run
from server.model.workflows import StoredWorkflow
from server.store import pins

TOO_OLD = "revision-too-old"
"""Code of the finding."""


def get_pin(connection: Connection, principal: Principal, workflow_id: str, revision: int | None, now: datetime) -> Pin:
    """Return a workflow that the principal reaches, and what a run of it is pinned to; `revision` None: the newest.

    Raises:
        NotFoundError: there is no such workflow, or it belongs to another organization.
        NotAllowedError: it lies outside the token's scope.
    """
    pin = pins.find(connection, principal.organization_id, workflow_id, revision, now)
    if pin is None:
        raise NotFoundError(
            f"there is no workflow {workflow_id}", hint="`chainloop workflow list` names those of this token"
        )
    principal.require_reach(project_id=pin.workflow.project_id, workflow_id=workflow_id)
    return pin


def require_revision(pin: Pin, revision: int | None) -> StoredRevision:
    """Return the contract revision of a pin that was found for `revision`.

    Raises:
        NotFoundError: there is none; says which is the newest.
    """
    if pin.revision is None:
        workflow = pin.workflow
        raise NotFoundError(
            f"contract {workflow.contract} has no revision {revision}; the newest is {workflow.contract_revision}",
            hint="leave --contract-revision out to take the newest",
        )
    return pin.revision


def require_unblocked(pin: Pin) -> None:
    """Refuse to begin anything of a workflow that an operator has blocked (R39).

    Raises:
        WorkflowBlockedError: with the operator's reason.
    """
    if pin.block is None:
        return
    workflow, block = pin.workflow, pin.block
    until = f" until {render_time(block.until)}" if block.until else ""
    raise WorkflowBlockedError(
        f"workflow {workflow.project}/{workflow.name} is blocked since {render_time(block.since)}{until}: "
        f"{block.reason}",
        hint="only an operator ends that: "
        f"`chainloop workflow unblock --name {workflow.name} --project {workflow.project} --reason TEXT`",
    )


def require_minimum(pin: Pin, revision: int) -> None:
    """Refuse a run that would be pinned to a revision below the minimum.

    Raises:
        ContractNotMetError: with both numbers.
    """
    minimum = pin.minimum
    if minimum is None or minimum.takes(revision):
        return
    finding = _finding(pin.workflow, minimum, revision, "leave --contract-revision out and run `init` again")
    raise ContractNotMetError(f"{finding.message}; no run was begun", hint=finding.hint, findings=[finding])


def find_too_old(pin: Pin | None, run: Run) -> Finding | None:
    """Return what is wrong with the pin of a run that is to be stored: a run that is older than the rule keeps it."""
    if pin is None or pin.workflow.contract_id != run.contract_id:
        # The workflow was given another contract since: their revisions cannot be compared.
        return None
    minimum = pin.minimum
    if minimum is None or minimum.keeps(run.contract_revision, run.held_since):
        return None
    what_to_do = "begin a new run: `chainloop attestation init --replace`"
    return _finding(pin.workflow, minimum, run.contract_revision, what_to_do)


def _finding(workflow: StoredWorkflow, minimum: Minimum, revision: int, what_to_do: str) -> Finding:
    names = f"--name {workflow.name} --project {workflow.project}"
    why = "set by an operator" if minimum.is_set else "enforced"
    return Finding(
        TOO_OLD,
        f"workflow {workflow.project}/{workflow.name} takes revision {minimum.revision} of contract "
        f"{workflow.contract} or newer ({why} since {minimum.since:%Y-%m-%dT%H:%M:%SZ}), found a pin to "
        f"revision {revision}",
        hint=f"{what_to_do}; an operator may allow it with `chainloop workflow update {names} "
        f"--minimum-revision {revision}`",
    )
