"""Which audit records, and which part of a token's activity, a list shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from server.model.audit import AuditAction
from server.model.run_filters import filter_invalid


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
        raise filter_invalid("action", f"expected one of {', '.join(words)}, found {text[:40]!r}")
    return text
