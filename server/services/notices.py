"""When the date of a contract revision has passed, and whose team is told of one that waits: each once (R38).

Who sends, and the event of the moment, are the dispatcher's: it calls these in the transaction in which it writes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.api.problems import ProblemFinding
from chainloop_ci.api.requirements import ContractImpact
from chainloop_ci.contract.upcoming import NewRequirement
from chainloop_ci.errors import NotFoundError
from server.model.contracts import StoredRevision
from server.model.notices import EnforcedRevision, Notice
from server.model.principal import Reach
from server.services.contract_documents import load_contract
from server.services.impact import judge_users
from server.store import contract_users, contracts, notices

PAGE = 200
"""Workflows that are judged at once."""


def notice_passed(connection: Connection, now: datetime, *, limit: int = PAGE) -> list[EnforcedRevision]:
    """Return the revisions that runs are held to since their date has passed, each once; within a write transaction.

    One that a newer revision has overtaken is written down as noticed too, and not returned.
    """
    passed = notices.list_passed(connection, now, limit=limit)
    for revision, _ in passed:
        notices.save_noticed(connection, revision, now)
    return [revision for revision, is_overtaken in passed if not is_overtaken]


def find_untold(connection: Connection, organization_id: str, contract_id: str, revision: int) -> list[Notice]:
    """Return what there is to tell of a revision: one notice for each workflow that lacks something of it.

    A workflow that meets it already, or never attested, has nothing to be told of; who was told is left out. It only
    reads: other writers are not kept waiting while attestations are judged.

    Raises:
        NotFoundError: there is no such revision.
    """
    stored = contracts.find_revision(connection, organization_id, contract_id, revision)
    if stored is None:
        raise NotFoundError(f"there is no revision {revision} of contract {contract_id}")
    told = notices.list_told(connection, organization_id, contract_id, revision)
    impacts = _judge_all(connection, stored)
    return [_notice(stored, impact, project) for impact, project in impacts if impact.workflow_id not in told]


def mark_told(connection: Connection, found: list[Notice], now: datetime) -> list[Notice]:
    """Return those of the notices that nobody has taken meanwhile, and write them down; within a write transaction."""
    if not found:
        return []
    first = found[0]
    told = notices.list_told(connection, first.organization_id, first.contract_id, first.revision)
    taken = [item for item in found if item.workflow_id not in told]
    notices.add(connection, taken, now)
    return taken


def _judge_all(connection: Connection, stored: StoredRevision) -> Iterator[tuple[ContractImpact, str]]:
    """Yield the workflows that would fail on a revision, each with the id of its project."""
    contract = load_contract(stored.raw_body, stored.format).contract
    reach, after = Reach(stored.organization_id), None
    while users := contract_users.list_page(connection, reach, stored.contract_id, after=after, limit=PAGE):
        for user, impact in zip(users, judge_users(connection, stored.organization_id, contract, users), strict=True):
            if impact.findings:
                yield impact, user.project_id
        after = (users[-1].project, users[-1].workflow)


def _notice(stored: StoredRevision, impact: ContractImpact, project_id: str) -> Notice:
    def requirement(finding: ProblemFinding) -> NewRequirement:
        facts = (finding.code, finding.message, finding.path, finding.hint)
        return NewRequirement(stored.revision, stored.enforced_from, *facts)

    return Notice(
        organization_id=stored.organization_id,
        contract_id=stored.contract_id,
        contract=stored.name,
        revision=stored.revision,
        enforced_from=stored.enforced_from,
        project_id=project_id,
        project=impact.project,
        workflow_id=impact.workflow_id,
        workflow=impact.workflow,
        team=impact.team,
        requirements=tuple(map(requirement, impact.findings)),
    )
