"""Hold runs to the minimum revision of their workflow (R19): at init, and again when they are stored."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.errors import ContractNotMetError, Finding, NotFoundError
from server.model.contracts import StoredRevision
from server.model.revisions import Minimum, find_enforced, minimum_of
from server.model.runs import Run
from server.model.workflows import StoredWorkflow
from server.store import contracts, workflows

TOO_OLD = "revision-too-old"
"""Code of the finding."""


def get_revision(connection: Connection, workflow: StoredWorkflow, revision: int) -> StoredRevision:
    """Return a revision of a workflow's contract.

    Raises:
        NotFoundError: says which is the newest.
    """
    found = contracts.find_revision(connection, workflow.organization_id, workflow.contract_id, revision)
    if found is None:
        raise NotFoundError(
            f"contract {workflow.contract} has no revision {revision}; the newest is {workflow.contract_revision}",
            hint="leave --contract-revision out to take the newest",
        )
    return found


def find_minimum(connection: Connection, workflow: StoredWorkflow, now: datetime) -> Minimum | None:
    """Return the oldest contract revision that a workflow takes at present; None: any."""
    revisions = contracts.list_enforcements(connection, workflow.organization_id, workflow.contract_id)
    return minimum_of(
        find_enforced(revisions, now),
        set_revision=workflow.minimum_revision,
        changed_at=workflow.minimum_revision_since,
    )


def require_minimum(connection: Connection, workflow: StoredWorkflow, revision: int, now: datetime) -> None:
    """Refuse a run that would be pinned to a revision below the minimum.

    Raises:
        ContractNotMetError: with both numbers.
    """
    minimum = find_minimum(connection, workflow, now)
    if minimum is None or minimum.takes(revision):
        return
    finding = _finding(workflow, minimum, revision, "leave --contract-revision out and run `init` again")
    raise ContractNotMetError(f"{finding.message}; no run was begun", hint=finding.hint, findings=[finding])


def find_too_old(connection: Connection, run: Run, now: datetime) -> Finding | None:
    """Return what is wrong with the pin of a run that is to be stored: a run that is older than the rule keeps it."""
    workflow = workflows.find(connection, run.organization_id, run.workflow_id)
    if workflow is None or workflow.contract_id != run.contract_id:
        # The workflow was given another contract since: their revisions cannot be compared.
        return None
    minimum = find_minimum(connection, workflow, now)
    if minimum is None or minimum.keeps(run.contract_revision, run.created_at):
        return None
    return _finding(workflow, minimum, run.contract_revision, "begin a new run: `chainloop attestation init --replace`")


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
