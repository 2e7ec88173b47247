"""Contract revisions that wait for their date, and what an attestation lacks of them (R38)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.api.problems import problem_findings
from chainloop_ci.contract.types import Contract
from chainloop_ci.contract.upcoming import Attested, NewRequirement, Upcoming, find_new_requirements
from chainloop_ci.errors import ContractInvalidError, Finding
from server.model.contracts import StoredRevision
from server.model.pins import Pin
from server.model.revisions import find_upcoming
from server.services.contract_documents import load_contract
from server.store import contracts


def list_upcoming(connection: Connection, pin: Pin, revision: StoredRevision, now: datetime) -> list[StoredRevision]:
    """Return the newer revisions of the workflow's contract that a run pinned to `revision` is judged by as well.

    None when the workflow was given another contract since: their revisions cannot be compared.
    """
    workflow = pin.workflow
    if revision.contract_id != workflow.contract_id or revision.revision >= workflow.contract_revision:
        # Nearly always: this costs a job no query.
        return []
    owner, contract_id = workflow.organization_id, workflow.contract_id
    dates = find_upcoming(contracts.list_dates(connection, owner, contract_id, after=revision.revision), now)
    found = contracts.find_revisions(connection, owner, [(contract_id, item.revision) for item in dates])
    return [found[contract_id, item.revision] for item in dates]


def judge_upcoming(pinned: Contract, newer: Iterable[StoredRevision], attested: Attested) -> tuple[NewRequirement, ...]:
    """Return what an attestation lacks of newer revisions, and its own does not ask for; texts cut as problems are.

    A revision that this version cannot read is left out: it says so itself where it is shown.
    """
    upcoming = [
        Upcoming(item.revision, item.enforced_from, contract) for item in newer if (contract := _find_contract(item))
    ]
    return _cut(find_new_requirements(pinned, upcoming, attested))


def _find_contract(stored: StoredRevision) -> Contract | None:
    try:
        return load_contract(stored.raw_body, stored.format).contract
    except ContractInvalidError:
        return None


def _cut(found: tuple[NewRequirement, ...]) -> tuple[NewRequirement, ...]:
    texts = problem_findings(Finding(item.code, item.message, item.path, hint=item.hint) for item in found)
    # Where not everything may be kept, the last text says so.
    return tuple(
        NewRequirement(item.revision, item.enforced_from, text.code, text.message, text.path, text.hint)
        for item, text in zip(found, texts, strict=False)
    )
