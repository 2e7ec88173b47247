"""Audit records: who changed a right, a key, a setting, or something that another token began."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from chainloop_ci.api.audit import AuditEntry
from chainloop_ci.api.record import camel
from chainloop_ci.api.words import AuditAction as AuditAction
from server.model.principal import Principal

SERVER_ACTOR = "server"
"""Stands for a token id where the operator's command line acted."""


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One change; written in the transaction that makes it."""

    organization_id: str | None
    at: datetime
    token_id: str
    action: AuditAction
    subject: str
    """Id or name of what was changed."""
    detail: Mapping[str, object] = field(default_factory=dict)
    """Names and values, old and new; never a secret."""
    address: str = ""
    """Where the request came from; empty for the operator's command line."""

    def detail_on_the_wire(self) -> dict[str, object]:
        """Return the detail under names as the wire writes all of them."""
        return {camel(name): value for name, value in self.detail.items()}


@dataclass(frozen=True, slots=True)
class StoredAudit:
    """A row of `audit_records`."""

    sequence: int
    record: AuditRecord
    token: str
    """Name of the token; empty when it is gone."""

    def api(self) -> AuditEntry:
        """Return the wire form."""
        record = self.record
        return AuditEntry(
            at=record.at,
            action=record.action.value,
            subject=record.subject,
            token_id=record.token_id,
            token_name=self.token,
            address=record.address,
            detail=record.detail_on_the_wire(),
        )


def audit_of(
    principal: Principal, at: datetime, action: AuditAction, subject: str, detail: Mapping[str, object]
) -> AuditRecord:
    """Return the record of what a principal does in its organization."""
    return AuditRecord(
        principal.organization_id, at, principal.token_id, action, subject, detail, principal.address[:64]
    )
