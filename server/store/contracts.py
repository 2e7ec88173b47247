"""Queries of contracts and their revisions; a revision is inserted once and never changed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    delete,
    func,
    insert,
    select,
    tuple_,
    update,
)

from chainloop_ci.contract.types import ContractFormat
from chainloop_ci.digests import Digest
from server.model.contracts import StoredContract, StoredRevision, StoredSummary
from server.model.paging import Key
from server.model.revisions import Enforcement
from server.store.tables import contract_notices, contract_revisions, contracts, workflow_runs, workflows
from server.store.times import from_text, to_text

_REVISIONS = contract_revisions.c
MAX_DATES = 1000
"""Revisions above a pin that are looked at."""


def find_by_name(connection: Connection, organization_id: str, name: str) -> StoredContract | None:
    """Return the organization's contract of that name, or None."""
    row = connection.execute(_select(organization_id).where(contracts.c.name == name)).first()
    return _record(row) if row else None


def list_page(
    connection: Connection, organization_id: str, *, project_id: str | None, after: Key | None, limit: int
) -> list[StoredContract]:
    """Return the organization's contracts by name; with `project_id` those that its workflows use."""
    query = _select(organization_id).order_by(contracts.c.name).limit(limit)
    if project_id is not None:
        query = query.where(
            contracts.c.id.in_(select(workflows.c.contract_id).where(workflows.c.project_id == project_id))
        )
    if after:
        query = query.where(contracts.c.name > after[0])
    return [_record(row) for row in connection.execute(query)]


def count(connection: Connection, organization_id: str) -> int:
    """Return how many contracts the organization has."""
    query = select(func.count()).select_from(contracts).where(contracts.c.organization_id == organization_id)
    return int(connection.execute(query).scalar_one())


def users(connection: Connection, organization_id: str, contract_id: str) -> list[tuple[str, str]]:
    """Return project id and workflow id of every workflow that uses the contract."""
    own = (workflows.c.organization_id == organization_id, workflows.c.contract_id == contract_id)
    query = select(workflows.c.project_id, workflows.c.id).where(*own).order_by(workflows.c.id)
    return [(row.project_id, row.id) for row in connection.execute(query)]


def has_runs(connection: Connection, organization_id: str, contract_id: str) -> bool:
    """Tell whether a run was pinned to a revision of the contract."""
    own = (workflow_runs.c.organization_id == organization_id, workflow_runs.c.contract_id == contract_id)
    return connection.execute(select(workflow_runs.c.sequence).where(*own).limit(1)).first() is not None


def find_revision(
    connection: Connection, organization_id: str, contract_id: str, revision: int
) -> StoredRevision | None:
    """Return a revision with its bytes, or None."""
    wanted = {"organization": organization_id, "contract": contract_id, "number": revision}
    row = connection.execute(_find_revision(), wanted).first()
    return _revision(row) if row else None


def find_public(connection: Connection, public_id: str) -> tuple[str, str] | None:
    """Return organization and id of the workflow whose contract has this public id, whosever it is, or None."""
    columns = (workflows.c.organization_id, workflows.c.id)
    row = connection.execute(select(*columns).where(workflows.c.public_contract_id == public_id)).first()
    return (row.organization_id, row.id) if row else None


def find_revisions(
    connection: Connection, organization_id: str, wanted: Iterable[tuple[str, int]]
) -> dict[tuple[str, int], StoredRevision]:
    """Return those of the revisions that there are, with their bytes, by contract id and number."""
    pairs = list(wanted)
    asked = {
        "organization": organization_id,
        "contracts": [contract_id for contract_id, _ in pairs],
        "numbers": [revision for _, revision in pairs],
        "pairs": pairs,
    }
    found = map(_revision, connection.execute(_find_revisions(), asked))
    return {(revision.contract_id, revision.revision): revision for revision in found}


def list_revisions(
    connection: Connection, organization_id: str, contract_id: str, *, after: Key | None, limit: int
) -> list[StoredSummary]:
    """Return the contract's revisions without their bytes, newest first."""
    names = ("revision", "digest", "format", "created_at", "created_by", "enforced_from")
    columns = (_REVISIONS[name] for name in names)
    own = (_REVISIONS.organization_id == organization_id, _REVISIONS.contract_id == contract_id)
    query = select(*columns).where(*own).order_by(_REVISIONS.revision.desc()).limit(limit)
    if after:
        query = query.where(_REVISIONS.revision < after[0])
    return [_summary(row) for row in connection.execute(query)]


def list_dates(
    connection: Connection, organization_id: str, contract_id: str, *, after: int, limit: int = MAX_DATES
) -> list[Enforcement]:
    """Return the newest of the revisions above `after`, without their bytes, each with its enforcement date."""
    own = (_REVISIONS.organization_id == organization_id, _REVISIONS.contract_id == contract_id)
    query = select(_REVISIONS.revision, _REVISIONS.enforced_from).where(*own, _REVISIONS.revision > after)
    rows = connection.execute(query.order_by(_REVISIONS.revision.desc()).limit(limit))
    return [Enforcement(row.revision, from_text(row.enforced_from)) for row in rows]


def add(connection: Connection, contract: StoredContract, first: StoredRevision) -> None:
    """Insert a contract with its first revision."""
    connection.execute(
        insert(contracts).values(
            id=contract.id,
            organization_id=contract.organization_id,
            name=contract.name,
            description=contract.description,
            latest_revision=first.revision,
            created_at=to_text(contract.created_at),
            updated_at=to_text(contract.updated_at),
        )
    )
    _insert(connection, first)


def add_revision(connection: Connection, revision: StoredRevision) -> None:
    """Insert the next revision of a contract; the caller holds the write lock since it read the newest."""
    _insert(connection, revision)
    own = (contracts.c.organization_id == revision.organization_id, contracts.c.id == revision.contract_id)
    values = {"latest_revision": revision.revision, "updated_at": to_text(revision.created_at)}
    connection.execute(update(contracts).where(*own).values(**values))


def save_date(connection: Connection, revision: StoredRevision) -> None:
    """Write another enforcement date of a revision that is not enforced yet; its bytes stay (R38)."""
    own = (_REVISIONS.organization_id == revision.organization_id, _REVISIONS.contract_id == revision.contract_id)
    query = update(contract_revisions).where(*own, _REVISIONS.revision == revision.revision)
    connection.execute(query.values(enforced_from=to_text(revision.enforced_from)))


def save_description(
    connection: Connection, organization_id: str, contract_id: str, description: str, now: datetime
) -> None:
    """Write a contract's description."""
    own = (contracts.c.organization_id == organization_id, contracts.c.id == contract_id)
    connection.execute(update(contracts).where(*own).values(description=description, updated_at=to_text(now)))


def remove(connection: Connection, organization_id: str, contract_id: str) -> None:
    """Delete a contract that nothing refers to, with its revisions and who was told of them."""
    told = (contract_notices.c.organization_id == organization_id, contract_notices.c.contract_id == contract_id)
    connection.execute(delete(contract_notices).where(*told))
    connection.execute(
        delete(contract_revisions).where(
            _REVISIONS.organization_id == organization_id, _REVISIONS.contract_id == contract_id
        )
    )
    own = (contracts.c.organization_id == organization_id, contracts.c.id == contract_id)
    connection.execute(delete(contracts).where(*own))


def _insert(connection: Connection, revision: StoredRevision) -> None:
    waits = revision.enforced_from > revision.created_at
    connection.execute(
        insert(contract_revisions).values(
            contract_id=revision.contract_id,
            organization_id=revision.organization_id,
            revision=revision.revision,
            raw_body=revision.raw_body,
            format=revision.format.value,
            digest=revision.digest,
            created_at=to_text(revision.created_at),
            created_by=revision.created_by,
            enforced_from=to_text(revision.enforced_from),
            # One that is enforced from its beginning has no date that somebody has to notice.
            enforcement_noticed_at=None if waits else to_text(revision.created_at),
        )
    )


def _select_revisions() -> Select[Any]:
    names = (contracts.c.name, contracts.c.latest_revision)
    return select(contract_revisions, *names).join(contracts, contracts.c.id == _REVISIONS.contract_id)


@cache
def _find_revisions() -> Select[Any]:
    """Return the query of several revisions; made once, since every page of runs asks it."""
    contract_ids: BindParameter[str] = bindparam("contracts", expanding=True)
    numbers: BindParameter[int] = bindparam("numbers", expanding=True)
    pairs: BindParameter[Any] = bindparam("pairs", expanding=True)
    return (
        _select_revisions()
        .where(_REVISIONS.organization_id == bindparam("organization"))
        # SQLite uses the index for single columns only.
        .where(_REVISIONS.contract_id.in_(contract_ids), _REVISIONS.revision.in_(numbers))
        .where(tuple_(_REVISIONS.contract_id, _REVISIONS.revision).in_(pairs))
    )


@cache
def _find_revision() -> Select[Any]:
    """Return the query of one revision; made once, since every request of a job asks it."""
    return _select_revisions().where(
        _REVISIONS.organization_id == bindparam("organization"),
        _REVISIONS.contract_id == bindparam("contract"),
        _REVISIONS.revision == bindparam("number"),
    )


def _select(organization_id: str) -> Select[Any]:
    used = select(func.count()).select_from(workflows).where(workflows.c.contract_id == contracts.c.id)
    newest = and_(_REVISIONS.contract_id == contracts.c.id, _REVISIONS.revision == contracts.c.latest_revision)
    return (
        select(contracts, _REVISIONS.digest, _REVISIONS.format, used.scalar_subquery().label("workflows"))
        .join(contract_revisions, newest)
        .where(contracts.c.organization_id == organization_id)
    )


def _record(row: Row[Any]) -> StoredContract:
    return StoredContract(
        id=row.id,
        organization_id=row.organization_id,
        name=row.name,
        description=row.description,
        latest_revision=row.latest_revision,
        digest=Digest(row.digest),
        format=ContractFormat(row.format),
        created_at=from_text(row.created_at),
        updated_at=from_text(row.updated_at),
        workflows=row.workflows,
    )


def _revision(row: Row[Any]) -> StoredRevision:
    return StoredRevision(
        contract_id=row.contract_id,
        organization_id=row.organization_id,
        name=row.name,
        revision=row.revision,
        latest_revision=row.latest_revision,
        raw_body=row.raw_body,
        format=ContractFormat(row.format),
        digest=Digest(row.digest),
        created_at=from_text(row.created_at),
        created_by=row.created_by,
        enforced_from=from_text(row.enforced_from),
    )


def _summary(row: Any) -> StoredSummary:
    return StoredSummary(
        revision=row.revision,
        digest=Digest(row.digest),
        format=ContractFormat(row.format),
        created_at=from_text(row.created_at),
        created_by=row.created_by,
        enforced_from=from_text(row.enforced_from),
    )
