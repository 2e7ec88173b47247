"""Queries of audit records; there is no function that changes or deletes one."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Row, insert, select, tuple_

from server.model.audit import AuditAction, AuditRecord, StoredAudit
from server.model.audit_filters import AuditFilter
from server.model.paging import Key
from server.store.run_queries import NEVER
from server.store.tables import api_tokens, audit_records
from server.store.times import from_text, to_text

_PLAIN = ("organization_id", "token_id", "subject", "address")


def add(connection: Connection, record: AuditRecord) -> None:
    """Insert a record."""
    connection.execute(
        insert(audit_records).values(
            **{name: getattr(record, name) for name in _PLAIN},
            at=to_text(record.at),
            action=record.action.value,
            detail=json.dumps(record.detail, sort_keys=True),
        )
    )


def list_page(
    connection: Connection, organization_id: str | None, wanted: AuditFilter, *, after: Key | None, limit: int
) -> list[StoredAudit]:
    """Return records of the organization, newest first; `after` is the time and the sequence of the last one."""
    columns = audit_records.c
    own = columns.organization_id
    query = select(audit_records, api_tokens.c.name.label("token")).select_from(
        audit_records.outerjoin(api_tokens, api_tokens.c.id == columns.token_id)
    )
    query = query.where(own.is_(None) if organization_id is None else own == organization_id)
    if wanted.token_id is not None:
        query = query.where(columns.token_id == wanted.token_id)
    if wanted.action is not None:
        query = query.where(columns.action == wanted.action)
    if wanted.since is not None:
        query = query.where(columns.at >= to_text(wanted.since))
    # One bound and not two: with more conditions a database takes another index.
    ends = [after] if after is not None else []
    ends += [(to_text(wanted.until), NEVER)] if wanted.until is not None else []
    if ends:
        query = query.where(tuple_(columns.at, columns.sequence) < tuple_(*min(ends)))
    query = query.order_by(columns.at.desc(), columns.sequence.desc()).limit(limit)
    return [StoredAudit(row.sequence, _record(row), row.token or "") for row in connection.execute(query)]


def _record(row: Row[Any]) -> AuditRecord:
    return AuditRecord(
        **{name: getattr(row, name) for name in _PLAIN},
        at=from_text(row.at),
        action=AuditAction(row.action),
        detail=json.loads(row.detail),
    )
