"""What was refused: stores of a run (R15) and inits whose runner does not match the contract (design section 3)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, delete, func, insert, select, tuple_

from chainloop_ci.api.problems import ProblemFinding
from chainloop_ci.api.record import from_dict, to_dict
from chainloop_ci.api.runs import Refusal, RefusedInit
from chainloop_ci.runners.types import CiIdentity
from server.model.paging import Key
from server.model.runs import MAX_REFUSALS
from server.store.tables import api_tokens, projects, refused_inits, refused_stores, workflows
from server.store.times import from_text, to_text


@dataclass(frozen=True, slots=True)
class InitRefusal:
    """A row of `refused_inits`."""

    id: str
    organization_id: str
    workflow_id: str
    run_id: str
    at: datetime
    required_runner: str
    runner_type: str
    ci: CiIdentity
    token_id: str
    address: str


def add_store_refusal(
    connection: Connection,
    organization_id: str,
    run_id: str,
    refusal: Refusal,
    *,
    refusal_id: str,
    token_id: str,
    address: str,
) -> None:
    """Write a refused store down; beyond `MAX_REFUSALS` of one run only the run's counter goes on."""
    own = (refused_stores.c.organization_id == organization_id, refused_stores.c.run_id == run_id)
    if connection.execute(select(func.count()).select_from(refused_stores).where(*own)).scalar_one() >= MAX_REFUSALS:
        return
    values = {
        "id": refusal_id,
        "organization_id": organization_id,
        "run_id": run_id,
        "at": to_text(refusal.at),
        "code": refusal.code,
        "bundle_digest": refusal.bundle_digest,
        "findings": json.dumps([to_dict(finding) for finding in refusal.findings]),
        "token_id": token_id,
        "address": address,
    }
    connection.execute(insert(refused_stores).values(**values))


def list_store_refusals(connection: Connection, organization_id: str, run_id: str) -> tuple[Refusal, ...]:
    """Return the refused stores of a run, oldest first."""
    own = (refused_stores.c.organization_id == organization_id, refused_stores.c.run_id == run_id)
    query = select(refused_stores).where(*own).order_by(refused_stores.c.at, refused_stores.c.id)
    return tuple(map(to_refusal, connection.execute(query)))


def add_init_refusal(connection: Connection, refusal: InitRefusal, *, keep: int) -> None:
    """Write a refused init down; the same one repeated is kept once, and of the workflow's only the newest `keep`."""
    own = (refused_inits.c.workflow_id == refusal.workflow_id, refused_inits.c.run_id == refusal.run_id)
    known = select(refused_inits.c.id).where(refused_inits.c.organization_id == refusal.organization_id, *own)
    if connection.execute(known).first():
        return
    plain = ("id", "organization_id", "workflow_id", "run_id", "required_runner", "runner_type", "token_id", "address")
    values = {name: getattr(refusal, name) for name in plain}
    connection.execute(
        insert(refused_inits).values(**values, at=to_text(refusal.at), ci=json.dumps(to_dict(refusal.ci)))
    )
    _drop_older_inits(connection, refusal, keep)


def _drop_older_inits(connection: Connection, refusal: InitRefusal, keep: int) -> None:
    own = (
        refused_inits.c.organization_id == refusal.organization_id,
        refused_inits.c.workflow_id == refusal.workflow_id,
    )
    order = (refused_inits.c.at, refused_inits.c.id)
    newest_first = select(*order).where(*own).order_by(*(column.desc() for column in order))
    if first := connection.execute(newest_first.offset(keep).limit(1)).first():
        connection.execute(delete(refused_inits).where(*own, tuple_(*order) <= tuple_(*first)))


def list_init_refusals(
    connection: Connection, organization_id: str, workflow_id: str, *, after: Key | None, limit: int
) -> list[tuple[Key, RefusedInit]]:
    """Return the refused inits of a workflow, newest first, each with its sort key."""
    place = {"organization": organization_id, "workflow": workflow_id, "limit": limit}
    query = _list_inits()
    if after:
        query = query.where(tuple_(refused_inits.c.at, refused_inits.c.id) < tuple_(*after))
    return [((row.at, row.id), to_refused_init(row)) for row in connection.execute(query, place)]


@cache
def _list_inits() -> Select[Any]:
    """Return the query of the first page; made once, since the dispatcher asks it for every event of a commit."""
    columns = refused_inits.c
    return (
        select(
            refused_inits,
            workflows.c.name.label("workflow"),
            projects.c.name.label("project"),
            api_tokens.c.name.label("token"),
        )
        .select_from(
            refused_inits.join(workflows, workflows.c.id == columns.workflow_id)
            .join(projects, projects.c.id == workflows.c.project_id)
            .outerjoin(api_tokens, api_tokens.c.id == columns.token_id)
        )
        .where(columns.organization_id == bindparam("organization"), columns.workflow_id == bindparam("workflow"))
        .order_by(columns.at.desc(), columns.id.desc())
        .limit(bindparam("limit"))
    )


def to_refusal(row: Row[Any]) -> Refusal:
    """Return the record of a row of `refused_stores`."""
    return Refusal(
        at=from_text(row.at),
        code=row.code,
        bundle_digest=row.bundle_digest,
        findings=tuple(from_dict(ProblemFinding, item) for item in json.loads(row.findings)),
    )


def to_refused_init(row: Row[Any]) -> RefusedInit:
    """Return the record of a row of `refused_inits` with the names of its workflow, project and token."""
    return RefusedInit(
        at=from_text(row.at),
        run_id=row.run_id,
        workflow=row.workflow or "",
        project=row.project or "",
        required_runner=row.required_runner,
        runner_type=row.runner_type,
        token_name=row.token or "",
        ci=from_dict(CiIdentity, json.loads(row.ci)),
        address=row.address,
    )
