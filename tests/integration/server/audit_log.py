"""What tests look at behind the server's back: the newest audit records."""

from __future__ import annotations

from sqlalchemy import Connection

from server.model.audit import AuditRecord
from server.model.audit_filters import AuditFilter
from server.store import audit


def list_newest(connection: Connection, organization_id: str | None, *, limit: int) -> list[AuditRecord]:
    """Return the organization's newest records, newest first; None: those of the server itself."""
    found = audit.list_page(connection, organization_id, AuditFilter(), after=None, limit=limit)
    return [entry.record for entry in found]
