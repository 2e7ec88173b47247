"""Audit records: who changed a right, a key or a setting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

SERVER_ACTOR = "server"
"""Stands for a token id where the operator's command line acted."""


class AuditAction(StrEnum):
    """What is audited."""

    ORGANIZATION_CREATED = "organization.created"
    ORGANIZATION_SETTINGS_CHANGED = "organization.settings-changed"
    TOKEN_CREATED = "token.created"  # noqa: S105  # an action's name
    TOKEN_ROTATED = "token.rotated"  # noqa: S105
    TOKEN_REVOKED = "token.revoked"  # noqa: S105
    KEY_REGISTERED = "key.registered"
    KEY_RETIRED = "key.retired"
    KEY_REVOKED = "key.revoked"


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One change; written in the transaction that makes it."""

    organization_id: str | None
    at: datetime
    token_id: str
    action: AuditAction
    subject: str
    """Id of what was changed."""
    detail: Mapping[str, object] = field(default_factory=dict)
    """Names and values, old and new; never a secret."""
