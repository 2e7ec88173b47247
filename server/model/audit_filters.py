"""Which audit records, and which part of a token's activity, a list shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chainloop_ci.errors import Finding, RequestInvalidError
from server.model.audit import AuditAction


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """What a record must be; None does not matter."""

    token_id: str | None = None
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def parse_action(text: str) -> str:
    """Return the action that a filter names.

    Raises:
        RequestInvalidError: lists the actions.
    """
    words = [action.value for action in AuditAction]
    if text not in words:
        message = f"expected one of {', '.join(words)}, found {text[:40]!r}"
        raise RequestInvalidError(
            f"the filter action cannot be used: {message}",
            findings=[Finding("invalid-parameter", message, path="?action")],
        )
    return text
