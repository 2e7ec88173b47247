"""The query of what a run is pinned to: every request of a job begins with it, so it is one."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, bindparam, case, func, or_, select

from chainloop_ci.api.words import CasBackend
from chainloop_ci.contract.types import ContractFormat
from chainloop_ci.digests import Digest
from server.model.contracts import StoredRevision
from server.model.organizations import StoredOrganization
from server.model.overrides import OverrideKind
from server.model.pins import Block, Pin
from server.model.revisions import Enforcement
from server.store.metadata import NUMBER
from server.store.tables import contract_revisions, contracts, organizations, overrides, workflows
from server.store.times import from_text, optional_time, to_text
from server.store.workflows import select_workflows, to_workflow

_SETTINGS = ("accept_unsigned", "run_expiry_seconds", "quota_bytes", "used_bytes")


def find(
    connection: Connection, organization_id: str, workflow_id: str, revision: int | None, now: datetime
) -> Pin | None:
    """Return a workflow of the organization with a revision of its contract, or None.

    `revision` None: the one in force.
    """
    asked = {"organization": organization_id, "workflow": workflow_id, "number": revision, "now": to_text(now)}
    row = connection.execute(_find(), asked).first()
    if row is None:
        return None
    enforced = Enforcement(row.enforced_revision, from_text(row.enforced_from)) if row.enforced_revision else None
    pinned = _revision(row) if row.pinned_revision else None
    return Pin(to_workflow(row), _organization(row), pinned, enforced, row.default_revision, _block(row))


@cache
def _find() -> Select[Any]:
    pinned, enforced = contract_revisions.alias("pinned"), contract_revisions.alias("enforced")
    of_contract = contract_revisions.c.contract_id == workflows.c.contract_id
    newest_in_force = (
        select(contract_revisions.c.revision)
        .where(of_contract, contract_revisions.c.enforced_from <= bindparam("now"))
        .order_by(contract_revisions.c.revision.desc())
        .limit(1)
        .correlate(workflows)
        .scalar_subquery()
    )
    # Before its date a revision is not what a run is held to (R38), unless an operator has made it the minimum (R19).
    raised = (workflows.c.minimum_revision > newest_in_force, workflows.c.minimum_revision)
    default = func.coalesce(case(raised, else_=newest_in_force), contracts.c.latest_revision)
    number = func.coalesce(bindparam("number", type_=NUMBER), default)
    return (
        select_workflows(bindparam("organization"))
        .add_columns(
            *(organizations.c[name].label(f"owner_{name}") for name in ("created_at", "cas_backend", *_SETTINGS)),
            *(column.label(f"pinned_{column.name}") for column in pinned.c),
            enforced.c.revision.label("enforced_revision"),
            enforced.c.enforced_from,
            default.label("default_revision"),
            *(overrides.c[name].label(f"block_{name}") for name in ("reason", "set_at", "until")),
        )
        .outerjoin(pinned, and_(pinned.c.contract_id == workflows.c.contract_id, pinned.c.revision == number))
        .outerjoin(
            enforced, and_(enforced.c.contract_id == workflows.c.contract_id, enforced.c.revision == newest_in_force)
        )
        .outerjoin(overrides, _blocks())
        .where(workflows.c.id == bindparam("workflow"))
    )


def _blocks() -> ColumnElement[bool]:
    """Return the condition on the one block of a workflow that is in force (R39)."""
    own = overrides.c
    return and_(
        own.organization_id == workflows.c.organization_id,
        own.kind == OverrideKind.BLOCK.value,
        own.target == workflows.c.id,
        own.ended_at.is_(None),
        or_(own.until.is_(None), own.until > bindparam("now")),
    )


def _block(row: Row[Any]) -> Block | None:
    if row.block_reason is None:
        return None
    return Block(row.block_reason, from_text(row.block_set_at), optional_time(row.block_until))


def _organization(row: Row[Any]) -> StoredOrganization:
    return StoredOrganization(
        id=row.organization_id,
        name=row.organization,
        created_at=from_text(row.owner_created_at),
        cas_backend=CasBackend(row.owner_cas_backend),
        **{name: getattr(row, f"owner_{name}") for name in _SETTINGS},
    )


def _revision(row: Row[Any]) -> StoredRevision:
    return StoredRevision(
        contract_id=row.contract_id,
        organization_id=row.organization_id,
        name=row.contract,
        revision=row.pinned_revision,
        latest_revision=row.contract_revision,
        raw_body=row.pinned_raw_body,
        format=ContractFormat(row.pinned_format),
        digest=Digest(row.pinned_digest),
        created_at=from_text(row.pinned_created_at),
        created_by=row.pinned_created_by,
        enforced_from=from_text(row.pinned_enforced_from),
    )
