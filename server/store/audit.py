"""Queries of audit records; there is no function that changes or deletes one."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from server.model.audit import AuditAction, AuditRecord
from server.store.tables import audit_records
from server.store.times import from_text, to_text


def add(connection: Connection, record: AuditRecord) -> None:
    """Insert a record."""
    connection.execute(
        insert(audit_records).values(
            organization_id=record.organization_id,
            at=to_text(record.at),
            token_id=record.token_id,
            action=record.action.value,
            subject=record.subject,
            detail=json.dumps(record.detail, sort_keys=True),
        )
    )


def list_newest(connection: Connection, organization_id: str | None, *, limit: int) -> list[AuditRecord]:
    """Return the organization's newest records, newest first; None: those of the server itself."""
    column = audit_records.c.organization_id
    owned = column.is_(None) if organization_id is None else column == organization_id
    query = select(audit_records).where(owned).order_by(audit_records.c.sequence.desc()).limit(limit)
    return [_record(row) for row in connection.execute(query)]


def _record(row: Row[Any]) -> AuditRecord:
    return AuditRecord(
        organization_id=row.organization_id,
        at=from_text(row.at),
        token_id=row.token_id,
        action=AuditAction(row.action),
        subject=row.subject,
        detail=json.loads(row.detail),
    )
