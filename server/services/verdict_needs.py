"""What is missing on a commit for one workflow, with what to do about each."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.api.runs import RunDetail, RunState
from chainloop_ci.contract.compliance import check_compliance
from chainloop_ci.errors import ChainloopError
from server.model.page_facts import Need
from server.model.verdict_kinds import VerdictKind
from server.model.workflows import StoredWorkflow
from server.services.contract_documents import load_contract
from server.services.verdict_additions import find_upcoming
from server.store import contracts, runs
from server.store.commit_verdicts import CommitVerdict

_NOTHING_CAME = frozenset({VerdictKind.MISSING, VerdictKind.EXPECTED, VerdictKind.UNTRUSTED_HEAD})
_BEING_MADE = frozenset({VerdictKind.INITIALIZED, VerdictKind.CRAFTING_ERROR, VerdictKind.EXPIRED})
"""Kinds of runs of which the server knows nothing until they push: what is there lies in the job."""
_LATER_ASKS = frozenset({VerdictKind.UPCOMING, VerdictKind.NOT_MET})


def find_needs(
    connection: Connection, verdict: CommitVerdict, workflow: StoredWorkflow, detail: RunDetail | None, now: datetime
) -> tuple[tuple[Need, ...], str]:
    """Return what is missing or wrong, and the contract that asks for it; that is empty after a refused store."""
    if detail and detail.refusals and detail.run.state is not RunState.SUCCESS:
        # The last one: what came after it is not known.
        return _of_refusal(connection, workflow, detail), ""
    if detail and verdict.kind in _LATER_ASKS:
        return _of_newer_revision(connection, verdict, detail, now)
    if verdict.kind in _NOTHING_CAME:
        return _of_contract(connection, workflow, workflow.contract_id, workflow.contract, workflow.contract_revision)
    if detail and verdict.kind in _BEING_MADE:
        run = runs.find(connection, workflow.organization_id, detail.run.id)
        if run is not None:
            return _of_contract(connection, workflow, run.contract_id, run.names.contract, run.contract_revision)
    return (), ""


def _of_refusal(connection: Connection, workflow: StoredWorkflow, detail: RunDetail) -> tuple[Need, ...]:
    """Return what was found last; a job that ended its run itself told no hints, so its contract gives them."""
    findings = detail.refusals[-1].findings
    hints: dict[str, str] = {}
    if not all(item.hint for item in findings):
        run = runs.find(connection, workflow.organization_id, detail.run.id)
        if run is not None:
            asked, _ = _of_contract(connection, workflow, run.contract_id, run.names.contract, run.contract_revision)
            hints = {need.message: need.hint for need in asked}
    return tuple(Need(item.message, item.hint or hints.get(item.message, "")) for item in findings)


def _of_contract(
    connection: Connection, workflow: StoredWorkflow, contract_id: str, name: str, revision: int
) -> tuple[tuple[Need, ...], str]:
    """Return everything that a revision asks for."""
    stored = contracts.find_revision(connection, workflow.organization_id, contract_id, revision)
    asks_of = f"{name}, revision {revision}"
    if stored is None:
        return (), asks_of
    try:
        contract = load_contract(stored.raw_body, stored.format).contract
    except ChainloopError as error:
        return (Need(f"the contract cannot be read: {error.message}"),), asks_of
    return tuple(Need(item.message, item.hint or "") for item in check_compliance(contract, {})), asks_of


def _of_newer_revision(
    connection: Connection, verdict: CommitVerdict, detail: RunDetail, now: datetime
) -> tuple[tuple[Need, ...], str]:
    run = runs.find(connection, verdict.organization_id, detail.run.id)
    upcoming = find_upcoming(connection, run, now) if run else None
    if upcoming is None:
        return (), ""
    since = f"required from {upcoming.enforced_from:%Y-%m-%d %H:%M} UTC on"
    return tuple(Need(f"{name}: {since}") for name in upcoming.missing), f"revision {upcoming.revision}"
